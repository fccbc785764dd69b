"""Judges the conditions of a run: what cannot work, and what may go wrong.

=========  ==================================================  ==========================
part       a problem (refused unless forced)                   a warning
=========  ==================================================  ==========================
disk       the bytes to fetch are more than is free, or        they leave less than 5 GiB
           downloads are switched off
device     every memory plan takes more than the GPU has       what is free now is too little
memory     a CPU's memory is less than the weights, or a       it is a little less, or what is
           GPU's machine has far less than it offloads         free now is too little
time       a CPU would take longer than a day                  a CPU would take hours
token      a token is needed and not there
terms      the model's terms are not accepted (also by
           force it runs only with a consent)
cost       it may cost more than a limit allows (also by
           force)
=========  ==================================================  ==========================

Needs that are not certain, such as those of weights that the user chose, give warnings only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.ports.preflight import PlanNeed, RunConditions, RunDevice, RunTime
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.preflight.preflight import FitVerdict
from tiomagic_domain.quantities import (
    DAY_S,
    GIB,
    HOUR_S,
    describe_made_weights,
    describe_other_fetches,
    describe_rough_bytes,
    describe_rough_duration,
    describe_rough_gib,
)

DISK, DEVICE, MEMORY, TIME, TOKEN, TERMS = "disk", "device", "memory", "time", "token", "terms"
COST: Final = "cost"
LONGEST_CPU_RUN_S: Final = DAY_S
"""A run on a CPU that would take longer is refused: hardly anybody wants that without knowing."""
SLOW_RUN_S: Final = HOUR_S
"""A run on a CPU that takes longer is called slow."""
FAR_BEYOND: Final = 1.5
"""Weights of this many times the main memory are too much beside a GPU, too: to offload them means
to keep them there."""
SPARE_DISK_BYTES: Final = 5 * GIB
"""Less than this left after a download is worth a warning."""


def choose_plan(conditions: RunConditions) -> PlanNeed | None:
    """Return the first memory plan that device and main memory have room for.

    Without room in main memory, the first one that the device has room for; None if none has.
    """
    device = conditions.device
    if device is None or not conditions.plans:
        return None
    if device.is_cpu:
        return conditions.plans[0]
    for room in (device.free_gib, device.memory_gib):
        if room is not None:
            fits = [plan for plan in conditions.plans if plan.device_gib <= room]
            if fits:
                return next((plan for plan in fits if _fits_main(plan, conditions)), fits[0])
    return conditions.plans[-1] if device.memory_gib is None else None


def _fits_main(plan: PlanNeed, conditions: RunConditions) -> bool:
    """Say whether main memory has room for a plan, by what is free, else by all of it."""
    free = conditions.free_main_memory_gib
    room = conditions.main_memory_gib if free is None else free
    return room is None or plan.main_gib <= room


def judge(card: ModelCard, conditions: RunConditions, time: RunTime | None) -> tuple[Check, ...]:
    """Return the checks of a run.

    Args:
        card: The model.
        conditions: What the provider says.
        time: About how long the run takes; None if unknown.
    """
    return (
        *_in_time(card, conditions, time),
        *_on_the_device(conditions),
        *_in_main_memory(conditions),
        *_on_the_disk(conditions),
        *_tokens(conditions),
    )


def find_verdict(
    card: ModelCard, conditions: RunConditions, time: RunTime | None, checks: tuple[Check, ...]
) -> FitVerdict:
    """Return the word for a model and a machine.

    Args:
        card: The model.
        conditions: What the provider says.
        time: About how long the run takes; None if unknown.
        checks: The checks of :func:`judge`.
    """
    device = conditions.device
    wrong = {
        check.part
        for check in checks
        if check.outcome is CheckOutcome.PROBLEM and check.part not in {TOKEN, TERMS}
    }
    if wrong:
        return FitVerdict.NO
    if device is None or (not conditions.plans and card.gpu_memory_gib):
        return FitVerdict.UNKNOWN
    plan, has = choose_plan(conditions), conditions.main_memory_gib
    if plan is not None and (plan.reads_disk or (has is not None and plan.main_gib > has)):
        return FitVerdict.SLOW
    if device.is_cpu and card.gpu_memory_gib:
        # Without a figure for the time the card's word counts: it wants a GPU.
        slow = time is None or time.seconds > SLOW_RUN_S
        return FitVerdict.SLOW if slow else FitVerdict.FITS
    return FitVerdict.FITS


def _found(part: str, text: str, *, fatal: bool) -> Check:
    outcome = CheckOutcome.PROBLEM if fatal else CheckOutcome.WARNING
    return Check(part=part, outcome=outcome, message=text)


def _on_the_disk(conditions: RunConditions) -> Iterator[Check]:
    weights = conditions.weights
    if weights is None:
        return
    made = describe_made_weights(weights.made_bytes)
    if not weights.fetch_bytes:
        here = f"the weights are here ({describe_rough_bytes(weights.here_bytes)}){made}"
        yield from (
            _in_the_room(here, weights.made_bytes, conditions)
            if made
            else (Check(part=DISK, outcome=CheckOutcome.OK, message=here),)
        )
        return
    about = "" if weights.is_exact else "about "
    need = f"{about}{describe_rough_bytes(weights.fetch_bytes)} of weights are to be downloaded"
    need += describe_other_fetches(weights.fetch_bytes, weights.other_fetches) + made
    if weights.blocked:
        # Files of an unknown size may be fewer than the card says.
        fatal = weights.is_exact or not weights.here_bytes
        yield _found(DISK, f"{need}, and {weights.blocked}", fatal=fatal)
        return
    yield from _in_the_room(need, weights.fetch_bytes + weights.made_bytes, conditions)


def _in_the_room(need: str, new_bytes: int, conditions: RunConditions) -> Iterator[Check]:
    """Compare what a run writes with what is free on the disk of its weights."""
    weights = conditions.weights
    assert weights is not None, "its caller has looked"
    free = weights.disk_free_bytes
    if free is None:
        yield Check(part=DISK, outcome=CheckOutcome.NOTE, message=need)
        return
    text = f"{need}, and {describe_rough_bytes(free)} are free in {weights.place}"
    left = free - new_bytes
    if left < 0:
        yield _found(DISK, text, fatal=weights.is_exact or conditions.is_certain)
    elif left < SPARE_DISK_BYTES:
        yield _found(DISK, f"{text}: little is left then", fatal=False)
    else:
        yield Check(part=DISK, outcome=CheckOutcome.OK, message=text)


def _on_the_device(conditions: RunConditions) -> Iterator[Check]:
    device = conditions.device
    if device is None or device.is_cpu or device.memory_gib is None or not conditions.plans:
        return
    least = min(conditions.plans, key=lambda plan: plan.device_gib)
    has = f"{_chip(device)} has {describe_rough_gib(device.memory_gib)}"
    need = (
        f"at this size it needs {describe_rough_gib(least.device_gib)} of GPU memory at the least"
    )
    if least.device_gib > device.memory_gib:
        yield _found(DEVICE, f"{need}, and {has}", fatal=conditions.is_certain)
    elif device.free_gib is not None and least.device_gib > device.free_gib:
        text = f"{need}, and of {_chip(device)} {describe_rough_gib(device.free_gib)} are free now"
        yield _found(DEVICE, text, fatal=False)
    else:
        yield Check(part=DEVICE, outcome=CheckOutcome.OK, message=f"{need}, and {has}")


def _chip(device: RunDevice) -> str:
    return device.title or device.name


def _in_main_memory(conditions: RunConditions) -> Iterator[Check]:
    plan, has = choose_plan(conditions), conditions.main_memory_gib
    if plan is None or has is None or conditions.device is None:
        return
    need = f"it takes {describe_rough_gib(plan.main_gib)} of main memory"
    if plan.main_gib > has:
        # Beside a GPU a part of the weights may stay on the disk and be read again and again.
        far = conditions.device.is_cpu or plan.main_gib > FAR_BEYOND * has
        advice = f"; {plan.smaller}" if plan.smaller else ""
        yield _found(
            MEMORY,
            f"{need}, and there are {describe_rough_gib(has)}{advice}",
            fatal=far and conditions.is_certain,
        )
        return
    if plan.reads_disk:
        text = "main memory is too small for the weights: they are read from the disk at every step"
        yield _found(MEMORY, text, fatal=False)
    free = conditions.free_main_memory_gib
    if free is not None and plan.main_gib > free:
        advice = f"; {plan.smaller}" if plan.smaller else ""
        text = f"{need}, and {describe_rough_gib(free)} are free now{advice}"
        yield _found(MEMORY, text, fatal=False)


def _in_time(card: ModelCard, conditions: RunConditions, time: RunTime | None) -> Iterator[Check]:
    device = conditions.device
    if device is None or not device.is_cpu or not card.gpu_memory_gib:
        return
    need = f"there is no GPU, and it needs one of {card.gpu_memory_gib:g} GiB or more"
    if time is None:
        yield _found(TIME, f"{need}; on the CPU it may take days", fatal=False)
    elif time.seconds > SLOW_RUN_S:
        text = f"{need}; on the CPU it takes about {describe_rough_duration(time.seconds)}"
        fatal = time.seconds > LONGEST_CPU_RUN_S and (conditions.is_certain or time.is_measured)
        yield _found(TIME, text, fatal=fatal)


def _tokens(conditions: RunConditions) -> Iterator[Check]:
    for token in conditions.tokens:
        if token.is_needed and token.is_there is False:
            text = f"a token of {token.service} is needed and not there"
            yield _found(TOKEN, f"{text}. {token.why}" if token.why else text, fatal=True)
