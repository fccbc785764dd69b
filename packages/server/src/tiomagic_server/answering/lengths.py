"""Length and size of a job's video, as far as its record says."""

from __future__ import annotations

from typing import Any

from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.requests.continuing import OVERLAP_FRAMES_FACT


def find_seconds(job: Job) -> float | None:
    """Return the length of a job's video in seconds; None if unknown.

    Of a continued video it is that of both parts.
    """
    arguments = job.arguments
    frames: Any = arguments.get("num_frames")
    fps: Any = arguments.get("fps")
    if not (_is_number(frames) and _is_number(fps) and fps):
        return None
    before = arguments.get(CONTINUED_VIDEO_ARGUMENT)
    if not isinstance(before, dict):
        return float(frames) / float(fps)
    rate = before.get("fps") or fps
    added = frames - int(job.facts.get(OVERLAP_FRAMES_FACT, 0))
    return float(before.get("frames", 0) + added) / float(rate)


def find_size(job: Job) -> str | None:
    """Return the size of a job's video as ``width x height``; None if unknown."""
    width, height = job.arguments.get("width"), job.arguments.get("height")
    return f"{width}x{height}" if _is_number(width) and _is_number(height) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
