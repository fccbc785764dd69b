"""The files of a finished job: video, thumbnail, sheet."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiomagic.results.pictures import video_of
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.jobs.job import Job

if TYPE_CHECKING:
    from tiomagic import TioMagic

FOLDER: Final = "served"
"""Folder of the state folder with the pictures that were asked for."""


class ContentVariant(StrEnum):
    """What of a video is fetched."""

    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"


MEDIA_TYPES: Final = {
    ContentVariant.VIDEO: "video/mp4",
    ContentVariant.THUMBNAIL: "image/png",
    ContentVariant.SPRITESHEET: "image/png",
}


def find_file(tm: TioMagic, job: Job, variant: ContentVariant) -> Path:
    """Return a file of a finished job; a picture is made the first time that it is asked for.

    Raises:
        ValidationError: when the job is not over, with the code ``job_not_over``.
        ResourceNotFoundError: when it has no video.
    """
    if not job.status.is_terminal:
        raise ValidationError(
            f"the video is not made yet: it is {job.status}; ask for its content when it is "
            "completed",
            details={"job_id": job.job_id},
            code=ErrorCode.JOB_NOT_OVER,
        )
    try:
        video = video_of(job)
    except ResourceNotFoundError as error:
        # Its own words name a folder of this machine.
        message = f"the video has no file: it is {job.status}, or its file was removed"
        raise ResourceNotFoundError(message, code=error.code) from error
    if variant is ContentVariant.VIDEO:
        return video
    target = _picture_path(tm, job.job_id, variant)
    if target.is_file():
        return target
    make_private(target.parent)
    if variant is ContentVariant.THUMBNAIL:
        return tm.poster(job.job_id, target)
    return tm.contact_sheet(job.job_id, target)


def forget_pictures(tm: TioMagic, job_id: str) -> None:
    """Delete the pictures of a job."""
    for variant in (ContentVariant.THUMBNAIL, ContentVariant.SPRITESHEET):
        with contextlib.suppress(OSError):
            _picture_path(tm, job_id, variant).unlink(missing_ok=True)


def _picture_path(tm: TioMagic, job_id: str, variant: ContentVariant) -> Path:
    return tm.session.settings.state_dir / FOLDER / f"{job_id}-{variant.value}.png"
