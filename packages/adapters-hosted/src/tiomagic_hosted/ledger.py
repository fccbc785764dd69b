"""Which jobs were sent to a vendor from this machine, so that each is sent once.

A vendor bills a second request like the first one. So a job is entered here before it is sent, and
its run's id as soon as the vendor has said it: whatever happens to the process or to the job store
between, the job is not sent again, and its run is found.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.durability import sync_file, sync_folder
from tiomagic_domain.files.owner_only import make_private, private_opener
from tiomagic_domain.files.replacing import replacing

_RUN: Final = "run"
_OWNERS: Final = "runs"
"""Folder with one file for each run, which has the job that it is of."""


class Ledger:
    """A folder with one small file for each job that was sent.

    Args:
        folder: Created with the first entry. It must outlive the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def enter(self, job_id: str) -> bool:
        """Enter a job that is about to be sent. Atomic between processes, and on the disk.

        Returns:
            False when it is entered already: it was sent, or another process is sending it.

        Raises:
            ProcessingError: when it cannot be written; the job must not be sent then.
        """
        entry = self._entry(job_id)
        try:
            make_private(self._folder)
            # x: of several processes one makes the file.
            with open(entry, "x", encoding="utf-8", opener=private_opener) as file:
                file.write("{}")
                file.flush()
                sync_file(file.fileno())
            sync_folder(self._folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        return True

    def write_run(self, job_id: str, run_id: str) -> None:
        """Write the vendor's id of a job's run.

        Raises:
            ProcessingError: when it cannot be written.
        """
        self.claim(job_id, run_id)
        try:
            with replacing(self._entry(job_id)) as part:
                part.touch(mode=0o600)
                part.write_text(json.dumps({_RUN: run_id}), encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def has(self, job_id: str) -> bool:
        """Say whether a job was sent, or was about to be."""
        return self._entry(job_id).exists()

    def find_run(self, job_id: str) -> str | None:
        """Return the vendor's id of a job's run; None when it is not known here."""
        try:
            said = json.loads(self._entry(job_id).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None  # An entry that was cut off was not followed by an id.
        run_id = said.get(_RUN) if isinstance(said, dict) else None
        return run_id if isinstance(run_id, str) else None

    def claim(self, job_id: str, run_id: str) -> bool:
        """Note that a run is of a job. Atomic between processes.

        Returns:
            False when the run is of another job.

        Raises:
            ProcessingError: when it cannot be written.
        """
        owner = self._owner(run_id)
        try:
            make_private(owner.parent)
            with open(owner, "x", encoding="utf-8", opener=private_opener) as file:
                file.write(json.dumps(job_id))
        except FileExistsError:
            return owner.read_text(encoding="utf-8") == json.dumps(job_id)
        except OSError as error:
            raise _unwritable(owner.parent, error) from error
        return True

    def is_free(self, job_id: str, run_id: str) -> bool:
        """Say whether a run is not known to be of another job."""
        try:
            return self._owner(run_id).read_text(encoding="utf-8") == json.dumps(job_id)
        except FileNotFoundError:
            return True

    def strike(self, job_id: str) -> None:
        """Remove a job that the vendor has refused: it may be sent again."""
        self._entry(job_id).unlink(missing_ok=True)

    def _owner(self, run_id: str) -> Path:
        name = sha256(run_id.encode()).hexdigest()  # An id may have slashes.
        return self._folder / _OWNERS / f"{name}.json"

    def _entry(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def _unwritable(folder: Path, error: OSError) -> ProcessingError:
    return ProcessingError(
        f"what is sent for money is noted in {folder}, which cannot be written: {error.strerror}",
        code=ErrorCode.SPOOL_UNWRITABLE,
    )
