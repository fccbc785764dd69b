"""Copies a job's video to a place of the user's choice."""

from __future__ import annotations

import shutil
from pathlib import Path

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.replacing import replacing


def copy_video(video: Path, target: Path) -> Path:
    """Copy a video, whole or not at all, and return where it is; the job keeps its own.

    Args:
        video: The job's own file.
        target: The file to write, or a folder that is there.

    Raises:
        ProcessingError: when it cannot be written; what was there is as it was.
    """
    final = target / video.name if target.is_dir() else target
    try:
        with replacing(final) as part:
            shutil.copyfile(video, part)
    except OSError as error:
        raise ProcessingError(
            f"the video is at {video}, but cannot be copied to {final}: {error.strerror}",
            details={"video": str(video), "path": str(final)},
        ) from error
    return final
