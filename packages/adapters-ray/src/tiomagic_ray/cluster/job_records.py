"""The coordinator's folder: a file for each job, the inputs, and the finished videos.

It outlives the coordinator and the cluster: whatever dies, a finished video is there, and what was
waiting or running is known.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_ray.constants import CHUNK_BYTES
from tiomagic_ray.shared_folder import SharedFolder

FOLDER_VARIABLE: Final = "TIOMAGIC_RAY_FOLDER"
"""On the head's machine: where the coordinator keeps its files."""
KEPT_S: Final = 7 * 24 * 3600.0
"""How long records, inputs and videos are kept after their last use: a week, as on Modal."""
FREE_ATTEMPTS: Final = 5
"""So many attempts that no worker claimed use up no retry of a job: more, and the job itself may be
what ends the workers."""
WAITING, RUNNING, DONE = "waiting", "running", "done"


@dataclass(kw_only=True)
class JobRecord:
    """What the coordinator knows of a job."""

    job_id: str
    task: dict[str, Any] | None
    """The job and the references of its inputs as plain data; None once it is over."""
    placement: list[Any]
    idle_s: float
    retry: int = 0
    """How often it may still run again after its worker was lost."""
    state: str = WAITING
    worker: str | None = None
    attempt: str | None = None
    """Names this run of the job: what another run says is not heard."""
    is_canceled: bool = False
    outcome: dict[str, Any] | None = None
    lost: int = 0
    """How many workers were lost that had claimed it."""
    claimed: bool = False
    """True when a worker has said that it has this attempt."""
    unclaimed: int = 0
    """How many attempts were lost that no worker had claimed."""
    submitted_at: float = 0.0
    """When it came, in seconds since 1970: the order of those that wait."""
    # What follows is not worth a write.
    progress: dict[str, Any] | None = field(default=None, compare=False)
    logs: str = field(default="", compare=False)

    def begin_attempt(self, worker: str) -> None:
        """Have a worker run it, under a new name."""
        self.state, self.worker, self.attempt = RUNNING, worker, uuid.uuid4().hex
        self.claimed, self.progress = False, None

    def lose_attempt(self) -> bool:
        """Forget the attempt whose worker was lost, and wait again if it may run again; say so.

        An attempt that no worker claimed uses up no retry, `FREE_ATTEMPTS` times.
        """
        self.attempt = self.worker = self.progress = None
        is_free = not self.claimed and self.unclaimed < FREE_ATTEMPTS
        self.unclaimed += not self.claimed
        self.lost += not is_free
        if not is_free and self.retry <= 0:
            return False
        self.retry -= not is_free
        self.state = WAITING
        return True

    def to_file(self) -> dict[str, Any]:
        """Return what is written."""
        plain = asdict(self)
        for name in ("progress", "logs"):
            del plain[name]
        return plain


class JobRecords:
    """The folder.

    Args:
        folder: Made when it is first used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for part in ("jobs", "inputs", "results"):
            make_private(folder / part)
        self.cluster: Final = self._read_name()
        self.sent: Final = dict.fromkeys(("inputs_in", "inputs_out", "videos_in", "videos_out"), 0)
        """Bytes that came from callers and workers, and went to them, since this process began."""

    def _read_name(self) -> str:
        """Return the name of this folder's cluster, drawn once: it outlives a head."""
        place = self._folder / "cluster"
        if not place.exists():
            with replacing(place) as part:
                part.write_text(uuid.uuid4().hex[:12], encoding="utf-8")
        return place.read_text(encoding="utf-8").strip()

    def save(self, record: JobRecord) -> None:
        """Write a record, whole or not at all.

        Raises:
            ProcessingError: when the disk has no place for it.
        """
        with self._writing(), replacing(self._job_file(record.job_id)) as part:
            part.write_text(json.dumps(record.to_file()), encoding="utf-8")

    def load(self) -> Iterator[JobRecord]:
        """Give every record, oldest first."""
        found = []
        for path in (self._folder / "jobs").glob("*.json"):
            with contextlib.suppress(ValueError, TypeError):  # Of another version: no job of ours.
                found.append(JobRecord(**json.loads(path.read_text(encoding="utf-8"))))
        yield from sorted(found, key=lambda record: record.submitted_at)

    def find_missing(self, digests: list[str]) -> list[str]:
        """Return those inputs that are not here, and keep the others for longer."""
        missing = []
        for digest in digests:
            place = self.input_file(digest)
            if place.exists():
                os.utime(place)
            else:
                missing.append(digest)
        return missing

    def write_input(
        self, digest: str, upload: str, offset: int, data: bytes, *, ends: bool
    ) -> None:
        """Write a piece of an input; the last one makes it whole.

        Raises:
            ProcessingError: when it did not arrive as it was sent, or the disk has no place for it.
        """
        part = self._folder / "inputs" / f".{digest}.{_plain(upload)}.part"
        with self._writing(part):
            _write_piece(part, offset, data)
        self.sent["inputs_in"] += len(data)
        if not ends:
            return
        if sha256_of(part) != digest:
            part.unlink()
            raise ProcessingError("an input arrived damaged: send it again", code=ErrorCode.DAMAGED)
        part.replace(self.input_file(digest))

    def write_result(self, job_id: str, attempt: str, offset: int, data: bytes) -> None:
        """Write a piece of a video.

        Raises:
            ProcessingError: when the disk has no place for it.
        """
        part = self._part_of_result(job_id, attempt)
        with self._writing(part):
            _write_piece(part, offset, data)
        self.sent["videos_in"] += len(data)

    def keep_result(self, job_id: str, attempt: str, sha256: str) -> None:
        """Take a video that has come whole.

        Raises:
            ProcessingError: when it is not the one that was made.
        """
        part, target = self._part_of_result(job_id, attempt), self.result_file(job_id)
        if not part.exists() and target.exists() and sha256_of(target) == sha256:
            return  # A coordinator before this one took it, and ended before it could say so.
        if sha256_of(part) != sha256:
            part.unlink()
            raise ProcessingError("a video arrived damaged", code=ErrorCode.DAMAGED)
        part.replace(target)

    def read_input(self, digest: str, offset: int) -> bytes:
        """Return the piece of an input that begins at an offset; empty at its end."""
        data = _read_piece(self.input_file(digest), offset)
        self.sent["inputs_out"] += len(data)
        return data

    def read_result(self, job_id: str, offset: int) -> bytes:
        """Return the piece of a video that begins at an offset; empty at its end."""
        data = _read_piece(self.result_file(job_id), offset)
        self.sent["videos_out"] += len(data)
        return data

    def sweep(self) -> list[str]:
        """Remove what is too old; return the ids of the jobs that went."""
        gone, now = [], time.time()
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime > KEPT_S:
                    path.unlink()
                    if path.parent.name == "jobs":
                        gone.append(path.stem)
        return gone

    @contextlib.contextmanager
    def _writing(self, part: Path | None = None) -> Iterator[None]:
        """Say what a full disk means, and keep nothing there of what did not fit.

        Args:
            part: Removed after an error.
        """
        try:
            yield
        except OSError as error:
            if part is not None:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            raise ProcessingError(
                f"the cluster cannot write to {self._folder} on its head's machine "
                f"({error.strerror or error}): free some space there, then send it again",
                details={"folder": str(self._folder)},
                code=ErrorCode.DISK_FULL,
            ) from error

    def input_file(self, digest: str) -> Path:
        """Return the path of an input."""
        return self._folder / "inputs" / _plain(digest)

    def result_file(self, job_id: str) -> Path:
        """Return the path of a job's video."""
        return self._folder / "results" / f"{_plain(job_id)}.mp4"

    def _part_of_result(self, job_id: str, attempt: str) -> Path:
        return self._folder / "results" / f".{_plain(job_id)}.{_plain(attempt)}.part"

    def _job_file(self, job_id: str) -> Path:
        return self._folder / "jobs" / f"{_plain(job_id)}.json"


def _plain(name: str) -> str:
    """Return a name that is safe in a path: ids and digests have nothing else."""
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ProcessingError(f"{name!r} is no name of a job or a file")
    return name


def _read_piece(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK_BYTES)


def _write_piece(path: Path, offset: int, data: bytes) -> None:
    # A piece that is sent again lands where it was.
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(offset)
        file.write(data)


def sweep_shared_folders(records: Iterable[JobRecord]) -> None:
    """Remove what is too old from the folders that callers share with the cluster."""
    tasks = [record.task or record.outcome or {} for record in records]
    for named in {task["shared"] for task in tasks if task.get("shared")}:
        SharedFolder.of_cluster(named).sweep(KEPT_S)


def find_folder(gcs_address: str) -> Path:
    """Return the coordinator's folder: that of the variable, or one of the cluster's port.

    Args:
        gcs_address: Of the head, ``host:port``: two clusters of one machine differ in the port.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    return Path.home() / ".tiomagic" / "ray" / gcs_address.rpartition(":")[2]
