"""The time of a run from the measured runs of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, Final

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.preflight import RunDevice, RunTime
from tiomagic_domain.progress import Phase

WAITS: Final = frozenset({Phase.WAITING.value, Phase.DOWNLOADING.value})
"""Phases that say nothing about the next run."""
MEASURED_JOBS: Final = 20
"""How many of the newest finished jobs are looked at."""


def estimate_from_jobs(
    jobs: Iterable[Job], settings: Mapping[str, Any], device: RunDevice | None
) -> RunTime | None:
    """Return the time of a run from finished jobs; None if none is comparable.

    Args:
        jobs: Completed jobs of the same model at the same provider.
        settings: Of the run: ``width``, ``height``, ``num_frames``, ``num_inference_steps``.
        device: Where it runs; jobs of another kind of device do not count.
    """
    known = [job for job in jobs if _is_on(job, device) and _seconds(job) is not None]
    wanted = _work(settings)
    same = [
        seconds
        for job in known
        if wanted is not None and _work_of(job) == wanted and (seconds := _seconds(job)) is not None
    ]
    if same:
        times = "1 run" if len(same) == 1 else f"{len(same)} runs"
        return RunTime(
            seconds=median(same), basis=f"{times} of this size measured", is_measured=True
        )
    scaled = [
        seconds * _total(wanted) / _total(work)
        for job in known
        if wanted is not None
        and (work := _work_of(job)) is not None
        and (seconds := _seconds(job)) is not None
    ]
    if not scaled:
        return None
    times = "1 run" if len(scaled) == 1 else f"{len(scaled)} runs"
    basis = f"{times} of other sizes measured, scaled by pixels, frames and steps"
    return RunTime(seconds=median(scaled), basis=basis, is_measured=True)


def _is_on(job: Job, device: RunDevice | None) -> bool:
    """Say whether a job ran on a device of this kind."""
    said = str(job.facts.get("device", ""))
    if device is None or not said:
        return True
    if device.is_cpu:
        return said.startswith("cpu")
    if device.title:
        return device.title in said
    return device.name in said or said.partition(":")[0] == device.name.partition(":")[0]


def _seconds(job: Job) -> float | None:
    phases = job.facts.get("seconds")
    if isinstance(phases, Mapping):
        spent = [
            float(seconds)
            for phase, seconds in phases.items()
            if phase not in WAITS and isinstance(seconds, int | float)
        ]
        return sum(spent) if spent else None
    if job.started_at is not None and job.ended_at is not None:
        return (job.ended_at - job.started_at).total_seconds()
    return None


Work = tuple[int, int, int, int]
"""Width, height, frames, steps."""


def _work(settings: Mapping[str, Any]) -> Work | None:
    names = ("width", "height", "num_frames", "num_inference_steps")
    found = [settings.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in found):
        return None
    width, height, frames, steps = (int(value) for value in found if value is not None)
    return width, height, frames, steps


def _work_of(job: Job) -> Work | None:
    return _work(
        {
            "width": job.facts.get("width", job.optional_args.get("width")),
            "height": job.facts.get("height", job.optional_args.get("height")),
            "num_frames": job.optional_args.get("num_frames", job.facts.get("frames")),
            "num_inference_steps": job.optional_args.get("num_inference_steps"),
        }
    )


def _total(work: Work | None) -> float:
    assert work is not None, "asked before"
    width, height, frames, steps = work
    return float(width * height * frames * steps)
