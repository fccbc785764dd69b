"""What a run would take, beside its button: length, size, time, price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from tiomagic.display.escaping import escape
from tiomagic.display.phrases.job_warnings import say_unknown_words
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.prices import describe_amount, describe_parts
from tiomagic.ui.form.shots import Shot
from tiomagic.ui.models.facts import say_checks
from tiomagic_domain.quantities import (
    describe_other_fetches,
    describe_rough_bytes,
    describe_rough_duration,
)

if TYPE_CHECKING:
    from tiomagic.ui.form.expected_call import ExpectedCall
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports.rehearsal import Check
    from tiomagic_domain.preflight.preflight import Preflight


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedProvider:
    """A provider that may run a call."""

    provider: str
    found: Preflight | None
    """What a run would take there; None if the provider cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a run of a form would take."""

    html: str
    may_cost: bool
    """False where each of the providers runs it for nothing."""


def expect_run(
    card: ModelCard, call: ExpectedCall, asked: Sequence[AskedProvider], *, count: int = 1
) -> Expectation:
    """Return what a run would take at the first of several providers that can do it.

    Args:
        card: The model.
        call: What it is to do.
        asked: The providers in their order; at least one. The last one is shown if none can.
        count: How many videos one press makes.
    """
    found = [one.found for one in asked]
    refused = len(list(takewhile(lambda one: one is not None and not one.can_run, found)))
    at = min(refused, len(asked) - 1)
    estimates = [None if one is None else one.estimate for one in found]
    return Expectation(
        html=expected_run(card, call, found[at], count=count, asked=asked[: at + 1]),
        may_cost=any(one is None or not one.is_free for one in estimates),
    )


def expected_run(
    card: ModelCard,
    call: ExpectedCall,
    found: Preflight | None = None,
    *,
    count: int = 1,
    asked: Sequence[AskedProvider] = (),
) -> str:
    """Return as HTML what a run would take, and why it would be refused.

    Args:
        card: The model.
        call: What it is to do.
        found: The preflight of such a run; None if the provider cannot be asked.
        count: How many videos one press makes.
        asked: The providers of the call, of which the last one is to run it and the others cannot.
    """
    length = _length(call, card)
    several = f"{count} videos of " if count > 1 and length else ""
    where = f"on {asked[-1].provider}" if len(asked) > 1 else ""
    parts = [several + length, _size(call), where]
    parts += [] if found is None else _takes(found, count)
    text = " · ".join(part for part in parts if part)
    shown = f'<p class="tm-facts">{escape(text)}</p>' if text else ""
    # The model's card has all reasons: here the first one is enough.
    checks = () if found is None else found.problems or found.warnings
    kind = "tm-why" if found is not None and found.problems else "tm-facts"
    lines = [("tm-facts", _say_passed(one)) for one in asked[:-1]]
    lines.append((kind, _say_first(checks)))
    unknown = card.unknown_words(str(call.settings.get("prompt", "")))
    if unknown:
        lines.append(("tm-facts", say_unknown_words(card.name, call.feature, unknown, PAGE_WORDS)))
    return (
        shown
        + _basis(found)
        + "".join(f'<p class="{kind}">{escape(line)}</p>' for kind, line in lines if line)
    )


def _say_passed(one: AskedProvider) -> str:
    """Return why a provider is passed over."""
    problems = () if one.found is None else one.found.problems
    return f"Not on {one.provider}: {_say_first(problems)}"


def _say_first(checks: Sequence[Check]) -> str:
    """Return the first reason, without its list: what would work is shown after a press."""
    return say_checks([replace(one, message=one.message.partition("\n")[0]) for one in checks[:1]])


def _takes(found: Preflight, count: int) -> list[str]:
    """Return the download, the time and the price of a run."""
    parts = []
    if found.fetch_bytes:
        others = found.conditions.weights and found.conditions.weights.other_fetches
        named = describe_other_fetches(found.fetch_bytes, others or {})
        parts.append(f"{describe_rough_bytes(found.fetch_bytes)} to download first{named}")
    if found.time is not None:
        each = " each" if count > 1 else ""
        parts.append(f"about {describe_rough_duration(found.time.seconds)}{each}")
    parts += _price(found, " each" if count > 1 else "")
    return parts


def _price(found: Preflight, each: str) -> list[str]:
    """Return what a run costs: as expected, or else what an hour of its device does."""
    estimate, cost = found.estimate, found.cost
    if estimate is not None and estimate.amount is not None:
        said = describe_amount(estimate)
        return [] if said is None else [f"{said}{each}"]
    if cost is None:
        # A price list without this call: the run is paid for all the same.
        is_paid = found.card.is_hosted or (estimate is not None and estimate.as_of is not None)
        return ["price not known"] if is_paid else []
    article = "an" if cost.per == "hour" else "a"
    return [f"about {cost.amount:g} {cost.currency} {article} {cost.per}"]


def _basis(found: Preflight | None) -> str:
    """Return as HTML what the price of a run is based on; empty for a run that costs nothing.

    Folded, for it is as long as the rest of the bar.
    """
    estimate = None if found is None else found.estimate
    if estimate is None or estimate.as_of is None:
        return ""
    parts = describe_parts(estimate)
    said = ". ".join([*([parts] if parts else []), estimate.basis])
    summary = f"Price of {estimate.as_of.isoformat()}: what it is based on"
    return (
        f'<details class="tm-basis tm-facts"><summary>{summary}</summary>{escape(said)}.</details>'
    )


def _length(call: ExpectedCall, card: ModelCard) -> str:
    frames, fps = call.known.get("num_frames"), call.known.get("fps", card.fps)
    if not isinstance(frames, int | float) or not isinstance(fps, int | float) or fps <= 0:
        return ""
    shown, more = frames - call.hidden_frames, call.shot is Shot.CONTINUATION
    if shown <= 0:
        return ""
    seconds = f"{shown / fps:.1f} s"
    return f"{seconds} more ({shown:g} new frames)" if more else f"{seconds} ({shown:g} frames)"


def _size(call: ExpectedCall) -> str:
    width, height = call.known.get("width"), call.known.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        source = "video" if call.shot is Shot.CONTINUATION else "picture"
        is_sources = width is None and height is None and "resolution" not in call.known
        return f"size of the {source}" if is_sources else ""
    return f"{width} x {height} px"
