"""What a run on Modal is expected to cost, and what it has cost: container seconds times a price.

Modal bills a container for its GPU, its CPU cores and its main memory, from its start to its end::

    cold start            run                       idle window
    image, weights, GPU   text, steps, decoding     waits for another job
    once a container      each job                  after the last job of a container

The estimate counts the run, and the cold start when no container is likely to be warm. What the
idle window may add is told apart and is part of the highest amount: whether another job comes in
it, nobody knows before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.errors import UnknownModelError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.money.price_dates import describe_price_date
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.preflight import RunDevice
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.preflight.measured_time import PredictedRun, predict_run
from tiomagic_domain.preflight.speeds import BESIDE, LOADED_BYTES_A_SECOND, gpu_flops
from tiomagic_domain.progress import Phase
from tiomagic_domain.quantities import GIB, HOUR_S
from tiomagic_modal.client.remote import CPU_CORES, Variant, container_memory_mib
from tiomagic_modal.gpus import PRICES_READ_ON, PRICES_SOURCE, estimate_cost

CORE_SECOND: Final = 0.0000131
"""Dollars for a second of a CPU core; from the page and the day of the GPUs' prices."""
GIB_SECOND: Final = 0.00000222
"""Dollars for a second of a GiB of main memory; the same."""
CORES_BESIDE_GPU: Final = 2.0
"""CPU cores that the worker class asks for beside a GPU."""
START_S: Final = 30.0
"""Seconds from a container's start to the loading of a model, until one was measured: Python and
torch take 10 to 30 there."""
LOADED_FROM_S: Final = 1.0
"""A run that loaded for longer began with a cold container."""
GUESSED_FACTOR: Final = 2.0
"""Spread of a time that was never measured: a GPU's speed is known to a factor of two."""
OTHER_GPU_FACTOR: Final = 1.5
"""Spread of a time that was measured on another kind of GPU."""
STARTING_FACT: Final = "seconds_starting"
"""Fact of a job: seconds of its container before the job, if it was the container's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExpectedTime:
    run: float
    low: float
    high: float
    basis: str


def price_per_second(variant: Variant) -> float | None:
    """Return dollars for a second of a container; None for a GPU without a known price."""
    memory = variant.memory_mib / 1024 * GIB_SECOND
    if variant.gpu is None:
        return CPU_CORES * CORE_SECOND + memory
    gpu = estimate_cost(variant.gpu)
    if gpu is None:
        return None
    return gpu.amount / HOUR_S + CORES_BESIDE_GPU * CORE_SECOND + memory


def estimate_run(card: ModelCard, known: KnownRuns, variant: Variant) -> Estimate:
    """Return what a run is expected to take and to cost.

    Args:
        card: The model.
        known: Its newest runs.
        variant: The container that it would run in.
    """
    expected = _expect_time(card, known, variant)
    is_warm = has_warm_container(known, variant)
    start = _cold_start_s(card, known, variant)
    seconds = None if expected is None else expected.run + (0 if is_warm else start)
    price, place = price_per_second(variant), _say_place(variant.gpu)
    if price is None:
        basis = f"no price of {place} is known; look at {PRICES_SOURCE}"
        return Estimate(seconds=seconds, basis=basis)
    dated = f"{describe_price_date(PRICES_READ_ON, known.at.date())}, {PRICES_SOURCE}"
    rate = f"{_say_price(price)} of {place} ({dated})"
    parts = {"cold_start": price * start, "idle": price * variant.scaledown_window_s}
    if expected is None:
        basis = f"no run measured yet; {rate}"
        return Estimate(basis=basis, as_of=PRICES_READ_ON, parts=parts)
    begins = "a container is likely to be warm" if is_warm else "with a cold start"
    after = f"up to {variant.scaledown_window_s} s of idle container may follow"
    return Estimate(
        seconds=seconds,
        amount=price * (expected.run + (0 if is_warm else start)),
        low=price * expected.low,
        high=price * (expected.high + start + variant.scaledown_window_s),
        basis=f"{expected.basis}; {rate}; {begins}; {after}",
        as_of=PRICES_READ_ON,
        parts={"run": price * expected.run, **parts},
    )


def has_warm_container(known: KnownRuns, variant: Variant) -> bool:
    """Say whether a container of a variant is likely to wait: a run in one has ended just now."""
    window_s = variant.scaledown_window_s
    window = timedelta(seconds=window_s)
    return any(
        job.ended_at is not None and timedelta() <= known.at - job.ended_at < window
        for job in known.past
        if job.facts.get("gpu") == variant.gpu
        # Another pool of containers keeps others warm.
        and job.facts.get("timeout_s", variant.timeout_s) == variant.timeout_s
        and job.facts.get("scaledown_window_s", window_s) == window_s
    )


def compute_cost(job: Job, report: Report) -> Report:
    """Return the report of a finished job with its cost; as it is when the cost cannot be known."""
    facts = {**job.facts, **report.facts}
    gpu, phases = facts.get("gpu"), facts.get("seconds")
    if not isinstance(phases, Mapping) or not (gpu is None or isinstance(gpu, str)):
        return report
    try:
        card = find_model(job.model)
    except UnknownModelError:  # Its package is gone since; the video is there all the same.
        return report
    variant = Variant(
        model=job.model,
        gpu=gpu,
        timeout_s=0,
        scaledown_window_s=0,
        memory_mib=container_memory_mib(card, job.optional_args, gpu),
    )
    price, seconds = price_per_second(variant), sum(map(_number, phases.values()))
    seconds += _number(facts.get(STARTING_FACT))
    if price is None or not seconds:
        return report
    basis = (
        f"computed: {seconds:.1f} s of {_say_place(gpu)} at {_say_price(price)} "
        f"({describe_price_date(PRICES_READ_ON, job.creation_time.date())}), without the idle "
        "seconds after it"
    )
    return replace(report, cost=Cost(amount=price * seconds, basis=basis))


def _expect_time(card: ModelCard, known: KnownRuns, variant: Variant) -> _ExpectedTime | None:
    """Return how long the run itself takes; None if nothing says it."""
    count = partial(known.count_operations, card)
    here = predict_run(known.past, known.settings, _device(variant.gpu), count)
    if here is not None:
        return _ExpectedTime(run=here.generating, low=here.low, high=here.high, basis=here.basis)
    speed = gpu_flops(variant.gpu) if variant.gpu else None
    if speed is None:
        return None
    for gpu in dict.fromkeys(str(job.facts.get("gpu")) for job in known.past):
        other, theirs = predict_run(known.past, known.settings, _device(gpu), count), gpu_flops(gpu)
        if other is not None and theirs is not None:
            return _on_another_gpu(other, theirs / speed, gpu)
    operations = count(known.settings)
    if operations is None:
        return None
    seconds = BESIDE * operations / speed
    return _ExpectedTime(
        run=seconds,
        low=seconds / GUESSED_FACTOR,
        high=seconds * GUESSED_FACTOR,
        basis=f"estimated from the model's size and the speed of {variant.gpu}",
    )


def _on_another_gpu(run: PredictedRun, factor: float, gpu: str) -> _ExpectedTime:
    return _ExpectedTime(
        run=run.generating * factor,
        low=run.low * factor / OTHER_GPU_FACTOR,
        high=run.high * factor * OTHER_GPU_FACTOR,
        basis=f"{run.basis} on {gpu}, scaled by the speed of the GPU",
    )


def _device(gpu: str | None) -> RunDevice:
    return RunDevice(name="CPU", is_cpu=True) if gpu is None else RunDevice(name=gpu, title=gpu)


def _cold_start_s(card: ModelCard, known: KnownRuns, variant: Variant) -> float:
    """Return the seconds of a cold start: as measured on such a GPU, else from the weights."""
    starts = [
        start
        for job in known.past
        if job.facts.get("gpu") == variant.gpu and (start := _start_of(job)) > LOADED_FROM_S
    ]
    if starts:
        return median(starts)
    return START_S + card.weights_gib * GIB / LOADED_BYTES_A_SECOND


def _start_of(job: Job) -> float:
    phases = job.facts.get("seconds")
    loading = phases.get(Phase.LOADING.value) if isinstance(phases, Mapping) else None
    return _number(loading) + _number(job.facts.get(STARTING_FACT))


def _say_place(gpu: str | None) -> str:
    return "CPU and memory" if gpu is None else f"{gpu} with CPU and memory"


def _say_price(price: float) -> str:
    return f"{f'{price:.6f}'.rstrip('0')} USD a second"


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else 0.0
