"""The time of a run from the measured runs of the same model.

Runs of the same size, frames and steps on the same device say it best. Without one, the runs whose
work is nearest are scaled by their work: the floating point operations where these are known, else
pixels times frames times steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.preflight import RunDevice, RunTime
from tiomagic_domain.progress import Phase

MEASURED_JOBS: Final = 100
"""How many of the newest finished jobs are looked at: a model is used at a few sizes in turn."""
NEWEST_RUNS: Final = 20
"""How many of the comparable runs count: older ones ran with older software."""
NEAREST_RUNS: Final = 5
"""How many runs of other sizes are scaled: the nearest ones, for work is not all of the time."""
RUNS_WITH_SPREAD: Final = 5
"""From how many runs on their own spread is known."""
FEW_RUNS_FACTOR: Final = 1.25
"""Spread around a few runs: the same GPU in another place differs by some percent to a quarter."""
SCALED_RUNS_FACTOR: Final = 1.5
"""Spread around what is scaled."""

_WAITS: Final = frozenset({Phase.WAITING.value, Phase.DOWNLOADING.value})
"""Phases that say nothing about the next run."""
_SIZES: Final = ("width", "height", "num_frames", "num_inference_steps", "resolution")
_WAYS: Final = ("acceleration", "quantization")
"""Settings that make another computation of the same size."""

CountWork = Callable[[Mapping[str, Any]], float | None]
"""Returns the work of a run with some settings, in any unit; None if it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedRun:
    """What measured runs say of the next one; seconds."""

    generating: float
    """All but the loading of the model."""
    low: float
    """As short as the shortest tenth of such runs."""
    high: float
    """As long as the longest tenth of such runs."""
    loading: float
    """Of the model in a usual run, which may have found it loaded."""
    basis: str
    """For people."""


@dataclass(frozen=True, slots=True)
class _Measured:
    job: Job
    settings: Mapping[str, Any]
    generating: float
    loading: float


def estimate_from_jobs(
    jobs: Iterable[Job],
    settings: Mapping[str, Any],
    device: RunDevice | None,
    count: CountWork | None = None,
) -> RunTime | None:
    """Return the time of a run from finished jobs; None if none is comparable.

    Args:
        jobs: As for ``predict_run``.
        settings: As for ``predict_run``.
        device: As for ``predict_run``.
        count: As for ``predict_run``.
    """
    found = predict_run(jobs, settings, device, count)
    if found is None:
        return None
    seconds = found.generating + found.loading
    return RunTime(seconds=seconds, basis=found.basis, is_measured=True)


def predict_run(
    jobs: Iterable[Job],
    settings: Mapping[str, Any],
    device: RunDevice | None,
    count: CountWork | None = None,
) -> PredictedRun | None:
    """Return what finished jobs say of a run; None if none is comparable.

    Args:
        jobs: Completed jobs of the same model at the same provider, the newest first.
        settings: Of the run: size, frames, steps and what else changes its time.
        device: Where it runs; jobs of another kind of device do not count.
        count: Counts the work of a run; what it does not know, and None, is pixels times frames
            times steps.
    """
    known = [one for job in jobs if _is_on(job, device) and (one := _measure(job)) is not None]
    same = [one for one in known if _is_same(one.settings, settings)][:NEWEST_RUNS]
    if same:
        times = [one.generating for one in same]
        return _predict(same, times, _spread(times), f"{_runs(same)} of this size measured")
    alike = [one for one in known if _ways(one.settings) == _ways(settings)] or known
    scaled = [
        (abs(math.log(factor)), one, one.generating * factor)
        for one in alike
        if (factor := _scale(one.settings, settings, count)) is not None
    ]
    if not scaled:
        return None
    nearest = sorted(scaled, key=lambda found: found[0])[:NEAREST_RUNS]
    times = [seconds for _, _, seconds in nearest]
    middle = median(times)
    basis = f"{_runs(nearest)} of other sizes measured, scaled by their work"
    spread = (middle / SCALED_RUNS_FACTOR, middle * SCALED_RUNS_FACTOR)
    return _predict([one for _, one, _ in nearest], times, spread, basis)


def _predict(
    runs: Sequence[_Measured], times: Sequence[float], spread: tuple[float, float], basis: str
) -> PredictedRun:
    return PredictedRun(
        generating=median(times),
        low=spread[0],
        high=spread[1],
        loading=median(one.loading for one in runs),
        basis=basis,
    )


def _spread(times: Sequence[float]) -> tuple[float, float]:
    middle = median(times)
    if len(times) < RUNS_WITH_SPREAD:
        return middle / FEW_RUNS_FACTOR, middle * FEW_RUNS_FACTOR
    tenths = quantiles(times, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def _runs(found: Sequence[object]) -> str:
    return "1 run" if len(found) == 1 else f"{len(found)} runs"


def _is_on(job: Job, device: RunDevice | None) -> bool:
    """Say whether a job ran on a device of this kind."""
    said = str(job.facts.get("device", ""))
    if device is None:
        return True
    rented = job.facts.get("gpu")
    if rented and not device.is_cpu:
        return bool(rented == device.name)  # An L4 is not an L40S, whose name begins so.
    if not said:
        return True
    if device.is_cpu:
        return said.startswith("cpu")
    if device.title:
        return device.title in said
    return device.name in said or said.partition(":")[0] == device.name.partition(":")[0]


def _measure(job: Job) -> _Measured | None:
    spent, loading = None, 0.0
    phases = job.facts.get("seconds")
    if isinstance(phases, Mapping):
        known = {
            phase: float(seconds)
            for phase, seconds in phases.items()
            if phase not in _WAITS and isinstance(seconds, int | float)
        }
        loading = known.pop(Phase.LOADING.value, 0.0)
        spent = sum(known.values()) if known else None
    elif job.started_at is not None and job.ended_at is not None:
        spent = (job.ended_at - job.started_at).total_seconds()
    if spent is None:
        return None
    # A size that the call left to the model is known only from the run.
    made = {"width": "width", "height": "height", "num_frames": "frames"}
    known_sizes = {name: job.facts[fact] for name, fact in made.items() if fact in job.facts}
    settings = known_sizes | {k: v for k, v in job.optional_args.items() if v is not None}
    # The size of the video counts; its frames are fewer than the model's where some are left out.
    settings |= {name: known_sizes[name] for name in ("width", "height") if name in known_sizes}
    return _Measured(job, settings, spent, loading)


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    sizes = [(one.get(name), other.get(name)) for name in _SIZES]
    is_known = any(mine is not None for mine, _ in sizes)
    is_equal = all(mine == theirs for mine, theirs in sizes)
    return is_known and is_equal and _ways(one) == _ways(other) and _is_as_guided(one, other)


def _ways(settings: Mapping[str, Any]) -> list[str]:
    return [str(settings.get(name) or "") for name in _WAYS]


def _is_as_guided(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two runs call the model equally often a step: twice with guidance."""
    scales = [settings.get("guidance_scale") for settings in (one, other)]
    known = [float(scale) > 1 for scale in scales if isinstance(scale, int | float)]
    return len(set(known)) < 2


def _scale(
    one: Mapping[str, Any], wanted: Mapping[str, Any], count: CountWork | None
) -> float | None:
    """Return how many times as much work a run is as another one."""
    for counted in (count, count_pixels):
        if counted is None:
            continue
        mine, theirs = counted(one), counted(wanted)
        if mine and theirs:
            return theirs / mine
    return None


def count_pixels(settings: Mapping[str, Any]) -> float | None:
    """Return pixels times frames times steps; None unless all are known."""
    found = [settings.get(name) for name in _SIZES[:4]]
    sizes = [float(value) for value in found if isinstance(value, int) and value > 0]
    return math.prod(sizes) if len(sizes) == len(found) else None
