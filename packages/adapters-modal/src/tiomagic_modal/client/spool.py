"""The spool: a folder for fetched videos until the output store has taken them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ProcessingError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.requests.wire import PlainData
from tiomagic_media.decode.mp4_check import find_mp4_problem
from tiomagic_modal.outcomes import report_failure
from tiomagic_modal.wire import check_protocol


class ResultSpool:
    """A folder of finished videos.

    Args:
        folder: Created with the first video.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save_result(self, job: Job, result: PlainData) -> Report:
        """Put a finished video into the folder, whole or not at all.

        Returns:
            The job's final report: failed when the result is another job's, or has no video.

        Raises:
            APIError: retryable, when it arrived damaged.
            ProcessingError: when it cannot be written.
        """
        wrong = _find_mismatch(job, result)
        if wrong is not None:
            return report_failure(
                f"the result of the call cannot be used: {wrong}", ErrorCode.MALFORMED_ANSWER
            )
        check_protocol(result)
        data = result["video"]
        if hashlib.sha256(data).hexdigest() != result["sha256"]:
            raise APIError(
                f"the video of job {job.job_id} arrived damaged; the next check fetches it again",
                code=ErrorCode.DAMAGED,
                retryable=True,
            )
        problem = find_mp4_problem(data)
        if problem is not None:
            return report_failure(
                f"the result of the call is not a video: {problem}", ErrorCode.NO_VIDEO
            )
        return Report(
            status=JobStatus.COMPLETED,
            message="completed",
            video=VideoFile(path=self._write_video(job.job_id, data), recipe=_recipe(result)),
            facts=dict(_mapping(result.get("facts"))),
        )

    def _write_video(self, job_id: str, data: bytes) -> Path:
        target = self._folder / f"modal-{job_id}.mp4"
        try:
            make_private(self._folder)
            with replacing(target, durable=False) as part:
                part.write_bytes(data)
        except OSError as error:
            raise ProcessingError(
                f"the video of job {job_id} is finished but could not be written to "
                f"{self._folder}: {error.strerror}; the next check fetches it again"
            ) from error
        return target


def _find_mismatch(job: Job, result: object) -> str | None:
    """Return why a result cannot be the job's; None when it can."""
    if not isinstance(result, Mapping):
        return f"it is no result but {type(result).__name__}"
    if "protocol" not in result:
        return "it does not say its protocol"
    made_for = result.get("job_id", job.job_id)
    if made_for != job.job_id:
        return f"it belongs to job {made_for!r}"
    data = result.get("video")
    if not isinstance(data, bytes):
        return f"its video is {type(data).__name__}"
    return None if isinstance(result.get("sha256"), str) else "its video has no digest"


def _recipe(result: PlainData) -> dict[str, Any]:
    return dict(_mapping(result.get("recipe")))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
