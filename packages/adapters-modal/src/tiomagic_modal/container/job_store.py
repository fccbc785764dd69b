"""A job in the container: the claim that one call runs it, its progress, and its stored result.

Two stores outlive a container. The Dict (the board) has the call that runs each job and its newest
progress; Modal drops entries a week after their last use. The outputs Volume has a folder a job
with ``video.mp4`` and ``result.json``. The second is written last: if it exists, the job is
finished.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationCanceledError, TioMagicError
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.requests.wire import PlainData
from tiomagic_modal.constants import RESULT_FILE, VIDEO_FILE, claim_key, progress_key, stop_key

log: logging.Logger = logging.getLogger("tiomagic.modal.worker")

PROGRESS_INTERVAL_S = 1.0
"""Least seconds between two writes of progress: each is a round trip, and polls are no faster."""


class KeyValueStore(Protocol):
    """A Dict."""

    def get(self, key: str, default: object = None) -> Any:
        """Return a value."""
        ...

    def put(self, key: str, value: object, *, skip_if_exists: bool = False) -> bool:
        """Write a value; False when one existed and was to be kept."""
        ...


class SharedVolume(Protocol):
    """A Volume."""

    def commit(self) -> None:
        """Make writes visible to other containers."""
        ...

    def reload(self) -> None:
        """Read the writes of other containers."""
        ...


class ContainerJob:
    """One job in one container.

    Args:
        job_id: The job.
        call_id: Modal's name for this call; the same after a preemption.
        board: The Dict of claims and progress.
        disk: The outputs Volume.
        folder: Where the Volume is mounted.
    """

    def __init__(
        self, job_id: str, call_id: str, board: KeyValueStore, disk: SharedVolume, folder: Path
    ) -> None:
        self._job_id = job_id
        self._call_id = call_id
        self._jobs_dict = board
        self._volume = disk
        self._folder = folder / job_id

    def claim(self) -> PlainData | None:
        """Claim the job, or return its result if there is one already.

        Raises:
            TioMagicError: with the code ``duplicate`` when another call has claimed the job.
            GenerationCanceledError: when the job was canceled.
        """
        key = claim_key(self._job_id)
        if not self._jobs_dict.put(key, self._call_id, skip_if_exists=True):
            self._volume.reload()
        stored = self._read_result()
        if stored is not None:
            return stored
        owner = self._jobs_dict.get(key, self._call_id)
        if owner != self._call_id:
            raise TioMagicError(
                f"job {self._job_id} is in the hands of call {owner}",
                code=ErrorCode.DUPLICATE,
                details={"call_id": owner},
            )
        # The claim first, then this check. A cancel does the reverse, so one of the two sees the
        # other.
        if self._jobs_dict.get(stop_key(self._job_id)):
            raise GenerationCanceledError(f"job {self._job_id} was withdrawn before it started")
        return None

    def _read_result(self) -> PlainData | None:
        described = self._folder / RESULT_FILE
        if not described.exists():
            return None
        result: PlainData = json.loads(described.read_text())
        return {**result, "video": (self._folder / VIDEO_FILE).read_bytes()}

    def commit_result(self, video: Path, result: Mapping[str, Any]) -> PlainData:
        """Store a finished video and return the result in the wire format.

        Committed before it returns, so that the file exists when the caller gets the result.
        """
        data = video.read_bytes()
        described = {**result, "sha256": hashlib.sha256(data).hexdigest()}
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_atomically(self._folder / VIDEO_FILE, data)
        _write_atomically(self._folder / RESULT_FILE, json.dumps(described).encode())
        self._volume.commit()
        return {**described, "video": data}

    @contextmanager
    def publish_progress(self) -> Iterator[ProgressPublisher]:
        """Publish the job's progress while it runs."""
        moments = ProgressPublisher(
            self._jobs_dict, progress_key(self._job_id), {"call_id": self._call_id}
        )
        moments.start()
        try:
            yield moments
        finally:
            moments.stop()


def _write_atomically(target: Path, data: bytes) -> None:
    with replacing(target, durable=False) as part:
        part.write_bytes(data)


class ProgressPublisher:
    """Publishes an engine's newest progress from a thread of its own.

    An engine never waits for a write to the Dict, and a failed write does not fail the job.
    """

    def __init__(self, board: KeyValueStore, key: str, base: Mapping[str, object]) -> None:
        self._store = board
        self._key = key
        self._base = dict(base)
        self._lock = threading.Lock()
        self._latest = Progress(phase=Phase.LOADING)
        self._published: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tiomagic-moments", daemon=True)

    def __call__(self, progress: Progress) -> None:
        """Take one progress event."""
        with self._lock:
            self._latest = progress

    def start(self) -> None:
        """Publish the first event, which also names the call, and start the thread."""
        self._publish()
        self._thread.start()

    def stop(self) -> None:
        """Stop publishing."""
        self._ended.set()
        self._thread.join(5.0)  # A write in progress may hang; the video must not wait for it.

    def _run(self) -> None:
        while not self._ended.wait(PROGRESS_INTERVAL_S):
            self._publish()

    def _publish(self) -> None:
        with self._lock:
            latest = self._latest
        if latest == self._published:
            return
        try:
            self._store.put(self._key, {**self._base, **latest.to_dict()})
        except Exception as error:  # noqa: BLE001  Nothing that the board does may stop a video.
            log.warning("progress could not be published: %s", error)
            return
        self._published = latest
