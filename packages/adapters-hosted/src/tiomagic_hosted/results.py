"""Fetches finished videos from a vendor, checked, into the spool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ProcessingError, ValidationError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_hosted.service import RunState
from tiomagic_media.decode.mp4_check import find_mp4_problem

Fetch = Callable[[str], Iterator[bytes]]
"""Gives the bytes behind an address, within limits."""

MAX_VIDEO_BYTES: Final = 2 * 2**30
"""A larger answer is no clip: the largest that a vendor makes, 4K and a minute, has some 400 MB."""


class ResultFolder:
    """A folder of fetched videos, until the output store has taken them.

    Args:
        folder: Created with the first video.
        provider: The provider's name, which begins the files' names.
        fetch: Gives the bytes behind an address.
    """

    def __init__(self, folder: Path, provider: str, fetch: Fetch) -> None:
        self._folder = folder
        self._provider = provider
        self._fetch = fetch

    def take(self, job: Job, state: RunState) -> VideoFile:
        """Return a job's video, fetched unless it is here already; whole or not at all.

        Raises:
            APIError: retryable, when it did not arrive whole.
            ProcessingError: when it cannot be written.
        """
        target = self._folder / f"{self._provider}-{job.job_id}.mp4"
        if not target.exists():
            self._write(target, job, state)
        return VideoFile(path=target, recipe=build_recipe(job, versions={}, facts=state.facts))

    def _write(self, target: Path, job: Job, state: RunState) -> None:
        data = self._read(job, state)
        problem = find_mp4_problem(data)
        if problem is not None:
            raise self._not_whole(job, f"it is not a whole video: {problem}")
        try:
            make_private(self._folder)
            with replacing(target) as part:
                part.touch(mode=0o600)
                part.write_bytes(data)
        except OSError as error:
            raise ProcessingError(
                f"the video of job {job.job_id} is finished but could not be written to "
                f"{self._folder}: {error.strerror}; the next check fetches it again"
            ) from error

    def _read(self, job: Job, state: RunState) -> bytes:
        try:
            return _join(
                state.read() if state.read is not None else self._fetch(state.address or "")
            )
        except ValidationError as error:
            raise self._not_whole(job, error.message) from error

    def _not_whole(self, job: Job, reason: str) -> APIError:
        return APIError(
            f"the video of job {job.job_id} is finished but did not arrive: {reason}; the next "
            "check fetches it again",
            code=ErrorCode.DAMAGED,
            retryable=True,
        )


def _join(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_VIDEO_BYTES:
            raise ValidationError(
                f"it is larger than {MAX_VIDEO_BYTES:,} bytes", code=ErrorCode.TOO_LARGE
            )
    return bytes(data)
