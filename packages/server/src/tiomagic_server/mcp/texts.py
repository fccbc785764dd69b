"""Plans and jobs as an agent reads them: what decides, without the rest of a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.jobs.job import Job, JobStatus

_PLANNED = (
    "feature",
    "model",
    "provider",
    "gpu",
    "width",
    "height",
    "num_frames",
    "fps",
    "seconds",
)


def describe_planned(planned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a plan that an agent decides by; see ``tm.plan``."""
    found = planned["preflight"]
    told = [check["message"] for check in found["checks"] if check["outcome"] != "ok"]
    said = {
        **{name: planned[name] for name in _PLANNED},
        "can_run": found["can_run"],
        "download_bytes": (found["weights"] or {}).get("fetch_bytes"),
        "estimate": planned.get("estimate"),
        "licence": found["licence"],
        "notes": [*planned["notes"], *told],
        "unknown_words": planned["unknown_words"],
        "arguments": planned["arguments"],
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def describe_job(job: Job, *, is_remote: bool) -> dict[str, Any]:
    """Return the state of a job.

    Args:
        job: As it is stored.
        is_remote: False for an agent of this machine, which can open the video by its path.
    """
    message = "" if job.message == job.status.value else job.message
    if is_remote and job.status is JobStatus.QUEUED:
        message = ""  # What a job waits for may name processes and folders of the machine.
    said: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.status.value,
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "prompt": job.required_args.get("prompt"),
        "seed": job.optional_args.get("seed"),
        "created": job.creation_time.isoformat(),
        "message": message,
        "progress": job.progress.to_dict() if job.progress and not job.status.is_terminal else None,
        "error": job.error,
        "error_code": job.error_code,
        "cost": job.facts.get("cost"),
        "tags": [] if is_remote else list(job.tags),
        "video": job.result_video if not is_remote else None,
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}
