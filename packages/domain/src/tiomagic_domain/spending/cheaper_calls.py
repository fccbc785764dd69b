"""What would fit into an amount in place of a call: a shorter or smaller one, another provider."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.estimate import ESTIMATE, Estimate
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.preflight.preflight import Alternative
from tiomagic_domain.requests.asked_sizes import rate_of
from tiomagic_domain.requests.sizing import size_within
from tiomagic_domain.schema.parameter import Parameter

SMALLER: Final = (0.75, 0.56, 0.44, 0.33, 0.25, 0.16)
"""Parts of the pixels that are tried: 1080p to 720p is 0.44, 720p to 480p as well."""
FRAMES: Final = "num_frames"
RESOLUTION: Final = "resolution"

EstimateRequest = Callable[[Request], Estimate | None]
"""Returns what a request is expected to cost."""
FindProviders = Callable[[Request], Iterator[Alternative]]
"""Returns the other providers that can run a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheaperCall:
    """A change of a call that fits into an amount."""

    change: Mapping[str, Any]
    """Arguments and their values; empty for another provider."""
    most: Money
    """The most that it is likely to cost then."""
    text: str
    """For people: what to do, and what it costs then."""
    alternative: Mapping[str, str] = field(default_factory=dict)
    """``kind`` and ``name`` of another provider; empty for a change of arguments."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        where = {"provider": self.alternative["name"]} if self.alternative else {}
        return {**self.change, **where, "most": str(self.most)}


class CheaperCalls:
    """Finds what would fit into an amount in place of a call.

    Args:
        estimate: Estimates requests.
        find_providers: Finds the other providers of a request.
    """

    def __init__(self, estimate: EstimateRequest, find_providers: FindProviders) -> None:
        self._estimate = estimate
        self._find_providers = find_providers

    def find(self, request: Request, limit: Money) -> list[CheaperCall]:
        """Return what would fit: at most one of each kind.

        Args:
            request: The call.
            limit: The most that it may cost.
        """
        ways = (self._shorten, self._shrink, self._choose_resolution, self._move)
        found = (way(request, limit) for way in ways)
        return [one for one in found if one is not None]

    def _cost(self, request: Request, limit: Money) -> Money | None:
        """Return the most that a request costs, if that is within a limit."""
        estimate = self._estimate(request)
        if estimate is None or estimate.most is None:
            return None
        most = Money.of(estimate.most, estimate.currency)
        if not most.micros:
            return most
        return most if most.currency == limit.currency and most.micros <= limit.micros else None

    def _shorten(self, request: Request, limit: Money) -> CheaperCall | None:
        """Return the longest shorter video that fits."""
        now = request.job.optional_args.get(FRAMES)
        frames = _find_parameter(request, FRAMES)
        if frames is None or not isinstance(now, int):
            return None
        values = [value for value in _list_values(frames) if value < now]
        # Bisected: a longer video never costs less.
        low, best = 0, None
        while low < len(values):
            middle = (low + len(values)) // 2
            most = self._cost(_with(request, {FRAMES: values[middle]}), limit)
            if most is None:
                values = values[:middle]
            else:
                best, low = (values[middle], most), middle + 1
        if best is None:
            return None
        count, most = best
        seconds = count / rate_of(request.card, request.feature, request.job.arguments)
        step = NextStep.SHORTEN.say(frames=count)
        text = f"{step}, which is {seconds:.1f} s and costs up to {most.round_up()}"
        return CheaperCall(change={FRAMES: count}, most=most, text=text)

    def _shrink(self, request: Request, limit: Money) -> CheaperCall | None:
        """Return the largest smaller video that fits, of models that take width and height."""
        width, height = (request.job.optional_args.get(name) for name in ("width", "height"))
        if not (isinstance(width, int) and isinstance(height, int)):
            return None
        schema = request.card.schema(request.feature)
        for part in SMALLER:
            wide, tall = size_within(schema, width / height, math.floor(width * height * part))
            if wide * tall >= width * height:
                continue
            change = {"width": wide, "height": tall}
            most = self._cost(_with(request, change), limit)
            if most is not None:
                step = NextStep.SHRINK.say(width=wide, height=tall)
                return CheaperCall(
                    change=change, most=most, text=f"{step}, up to {most.round_up()}"
                )
        return None

    def _choose_resolution(self, request: Request, limit: Money) -> CheaperCall | None:
        """Return the largest lower resolution that fits, of models that take a word for it."""
        words = _find_parameter(request, RESOLUTION)
        now = request.job.optional_args.get(RESOLUTION)
        if words is None or not words.choices or now not in words.choices:
            return None
        # Schemas list them from the smallest to the largest.
        for word in reversed(words.choices[: words.choices.index(now)]):
            most = self._cost(_with(request, {RESOLUTION: word}), limit)
            if most is not None:
                step = NextStep.CHOOSE_RESOLUTION.say(resolution=word)
                return CheaperCall(
                    change={RESOLUTION: word}, most=most, text=f"{step}, up to {most.round_up()}"
                )
        return None

    def _move(self, request: Request, limit: Money) -> CheaperCall | None:
        """Return the first other provider that runs it within the limit."""
        for way in self._find_providers(request):
            facts = {name: fact for name, fact in request.job.facts.items() if name != ESTIMATE}
            there = replace(request, job=replace(request.job, provider=way.name, facts=facts))
            most = self._cost(there, limit)
            if most is None:
                continue
            price = f"up to {most.round_up()}" if most.micros else "which costs nothing"
            note = f", {way.note}" if way.note else ""
            return CheaperCall(
                change={},
                most=most,
                text=f"{NextStep.USE_PROVIDER.say(provider=way.name)}, {price}{note}",
                alternative=way.to_dict(),
            )
        return None


def _list_values(frames: Parameter) -> list[int]:
    """Return the legal lengths in order; none where they have no bounds."""
    if frames.choices:
        return sorted(value for value in frames.choices if isinstance(value, int))
    if frames.minimum is None or frames.maximum is None:
        return []
    return replace(frames, multiple_of=frames.multiple_of or 1).legal_values()


def _find_parameter(request: Request, name: str) -> Parameter | None:
    schema = request.card.schema(request.feature)
    return next((one for one in schema.parameters if one.name == name), None)


def _with(request: Request, change: Mapping[str, Any]) -> Request:
    job = request.job
    return replace(request, job=replace(job, optional_args={**job.optional_args, **change}))
