"""The spool: a folder of finished videos until they are saved, and of claims on running jobs.

============================  =====================================================================
``<job id>.mp4``              finished; not saved yet
``<job id>.run``              the call id of the process that makes it
``<job id>.preview.jpg``      the newest preview, and what belongs to it: see ``previews``
``.<job id>.*.part``          a claim, half written
``.<job id>.*.part.mp4``      a video, half written
============================  =====================================================================
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError
from tiomagic_domain.files.durability import is_unsupported
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.processes import Processes, ProcessState
from tiomagic_local.jobs.previews import SpooledPreviews
from tiomagic_local.jobs.processes import ProcessIdentity

STALE_DRAFT_S = 60.0
"""Seconds after which a partial file of an unclaimed job is certainly left over: a claim itself is
a partial file first."""


class LocalSpool:
    """Keeps the spool folder.

    Args:
        folder: Made when it is first written to.
        processes: Says who lives.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self.previews: SpooledPreviews = SpooledPreviews(folder)

    def path(self, job_id: str) -> Path:
        """Return the path of a job's finished video, which may not exist yet."""
        return self._folder / f"{job_id}.mp4"

    def find_finished(self, job_id: str) -> VideoFile | None:
        """Return the finished video of a job with its recipe, or None."""
        path = self.path(job_id)
        if not path.is_file():
            return None
        from tiomagic_media.encode.mp4 import read_embedded_recipe

        try:
            return VideoFile(path=path, recipe=read_embedded_recipe(path))
        except ResourceNotFoundError:
            return None  # A race: its worker has saved it between the two checks.

    def worker(self, job_id: str) -> ProcessIdentity | None:
        """Return the process that has claimed a job, dead or alive, or None."""
        try:
            return ProcessIdentity.from_call_id(self._claim(job_id).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def check(self, cause: Exception) -> None:
        """Check that the folder can be written.

        Args:
            cause: What went wrong before.

        Raises:
            ProcessingError: when it cannot.
        """
        draft = self._folder / f".{uuid.uuid4().hex[:8]}.part"
        try:
            draft.write_bytes(bytes(4096))
            draft.unlink()
        except OSError as error:
            raise self._unwritable(error) from cause

    @contextlib.contextmanager
    def claim(self, job_id: str, worker: ProcessIdentity) -> Iterator[ProcessIdentity | None]:
        """Claim a job within the block.

        Yields None when this process has the claim, else the process that has it: alive, or not
        visible from here.

        Raises:
            ProcessingError: when the folder cannot be written.
        """
        holder = self._take(job_id, worker)
        try:
            yield holder
        finally:
            if holder is None:
                # It is removed later, when the folder is available again.
                with contextlib.suppress(OSError):
                    self._claim(job_id).unlink(missing_ok=True)
                self.previews.remove(job_id)

    def sweep(self) -> None:
        """Remove partial files and previews of dead processes. Finished videos stay."""
        for claim in self._folder.glob("*.run"):
            if not self._is_held(claim.stem):
                claim.unlink(missing_ok=True)
        for job_id in self.previews.list_leftover():
            if not self._is_held(job_id):
                self.previews.remove(job_id)
        # A partial file ends like the file that it becomes.
        for part in (*self._folder.glob(".*.part"), *self._folder.glob(".*.part.*")):
            job_id = part.name.removeprefix(".").partition(".")[0]
            if not self._is_held(job_id) and _age(part) > STALE_DRAFT_S:
                part.unlink(missing_ok=True)

    def _take(self, job_id: str, worker: ProcessIdentity) -> ProcessIdentity | None:
        claim = self._claim(job_id)
        try:
            make_private(self._folder)
            while True:
                with contextlib.suppress(FileExistsError):
                    _create(claim, worker.call_id)
                    return None
                holder = self.worker(job_id)
                if holder is not None and self._may_live(holder):
                    return holder
                claim.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ProcessingError:
        return ProcessingError(
            f"the folder {str(self._folder)!r} for videos in the making cannot be written: {error}",
            code=ErrorCode.SPOOL_UNWRITABLE,
        )

    def _is_held(self, job_id: str) -> bool:
        worker = self.worker(job_id)
        return worker is not None and self._may_live(worker)

    def _may_live(self, worker: ProcessIdentity) -> bool:
        return self._processes.get_state(worker.call_id) is not ProcessState.DEAD

    def _claim(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.run"


def _age(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _lacks_links(error: OSError) -> bool:
    """Return whether a drive lacks hard links, as network drives and FAT do."""
    return is_unsupported(error) or error.errno in {errno.EPERM, errno.EMLINK}


def _create(path: Path, text: str) -> None:
    """Create a new file that appears with its whole content.

    Raises:
        FileExistsError: when it is there.
    """
    while True:
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        draft.write_text(text, encoding="utf-8")
        try:
            os.link(draft, path)
        except FileNotFoundError:
            continue  # The date jumped, and the file was removed as an old one.
        except OSError as error:
            if isinstance(error, FileExistsError) or not _lacks_links(error):
                raise
            # Not atomic, but the best that such a drive can do.
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        finally:
            draft.unlink(missing_ok=True)
        return
