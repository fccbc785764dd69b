"""The worker's end of a job: who may run it, how far it is, and where its result is kept.

Two things outlive a container. The board, a Dict, has for each job the call that runs it and its
last moment; entries go a week after they were last touched. The outputs Volume has a folder a job
with ``video.mp4`` and ``result.json``, the second written last: where it is, the job is finished.
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
from tiomagic_modal.constants import RESULT_FILE, VIDEO_FILE, claim_key, progress_key, stop_key
from tiomagic_modal.wire import PlainData

log: logging.Logger = logging.getLogger("tiomagic.modal.worker")

PROGRESS_INTERVAL_S = 1.0
"""Least time between two looks for a new moment: a put is a round trip, and nobody looks faster."""


class KeyValueStore(Protocol):
    """A Dict."""

    def get(self, key: str, default: object = None) -> Any:
        """Return a value."""
        ...

    def put(self, key: str, value: object, *, skip_if_exists: bool = False) -> bool:
        """Write a value; False when there was one and it was to be kept."""
        ...


class SharedVolume(Protocol):
    """A Volume."""

    def commit(self) -> None:
        """Make what was written visible to others."""
        ...

    def reload(self) -> None:
        """See what others have made visible."""
        ...


class ContainerJob:
    """One job in one container.

    Args:
        job_id: The job.
        call_id: Modal's name for this call; the same after a preemption.
        board: Where calls and moments are pinned up.
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
        """Take the job, or return the result that is already there.

        Raises:
            TioMagicError: with the code ``duplicate`` when another call has the job.
            GenerationCanceledError: when nobody wants it any more.
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
        # After the claim, as a stop is written before the claim is looked for: one sees the other.
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
        """Keep a finished video and return the result as it travels home.

        Committed before it returns, so that whoever hears of the result finds the file.
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
        """Pin up the job's moments while it runs."""
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
    """Takes an engine's moments and pins up the newest, from a thread of its own.

    An engine never waits for a put, and a put that fails costs nobody a video.
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
        """Take one moment."""
        with self._lock:
            self._latest = progress

    def start(self) -> None:
        """Pin up the first moment, which also says which call has the job, and go on."""
        self._publish()
        self._thread.start()

    def stop(self) -> None:
        """Pin up no more."""
        self._ended.set()
        self._thread.join(5.0)  # The put under way may hang; the video must not.

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
            log.warning("a moment could not be pinned up: %s", error)
            return
        self._published = latest
