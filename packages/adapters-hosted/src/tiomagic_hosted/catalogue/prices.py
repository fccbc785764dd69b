"""Price lists of vendors, and what a call costs by them.

A list has a rate for each kind of call: an amount for each second of the video, or for the run, in
the vendor's currency or in credits. Each list says where it was read, and on which day::

    PriceList(
        rates=(
            Rate(amount=0.05, unit=PriceUnit.SECOND, when={"resolution": "480p"}),
            Rate(amount=0.08, unit=PriceUnit.SECOND, when={"resolution": "768p"}),
        ),
        source="the model's page",
        as_of=date(2026, 9, 28),
    )
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.money.listed_price import ListedPrice, PriceUnit
from tiomagic_domain.money.price_dates import describe_price_date
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.kinds import UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The price of one kind of call."""

    amount: float
    """For each unit, in the currency of the list, or in its credits."""
    up_to: float | None = None
    """The most for each unit, where the vendor charges by something that is not known before the
    run; None for a fixed price. ``amount`` is then what a usual run costs."""
    unit: PriceUnit
    when: Mapping[str, object] = field(default_factory=dict)
    """The arguments, by our names, that a call of this kind has. Empty for every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What runs of an endpoint cost."""

    rates: tuple[Rate, ...]
    """The first one that fits a call is its price."""
    source: str
    """Where it was read: a page, a document of the vendor."""
    as_of: date
    """The day on which it was read."""
    currency: str = "USD"
    """ISO 4217."""
    credit: float | None = None
    """What a credit costs; None where rates are in the currency."""

    def quote(self, request: Request, *, today: date) -> Estimate:
        """Return what a call costs by this list; without seconds, which the list does not know.

        Args:
            request: The call. One without its inputs has no length where the length is theirs.
            today: The day of the estimate, which tells an old price.
        """
        known = _arguments(request)
        rate = next((one for one in self.rates if _fits(one, known)), None)
        dated = f"{describe_price_date(self.as_of, today)}, {self.source}"
        if rate is None:
            return self._unpriced(f"its price list has no such call ({dated})")
        units = 1.0 if rate.unit is PriceUnit.RUN else find_video_seconds(request)
        said = self._say_rate(rate)
        if units is None:
            return self._unpriced(f"{said}; the length is that of the input ({dated})")
        one = 1.0 if self.credit is None else self.credit
        amount = _without_dust(rate.amount * units * one)
        most = None if rate.up_to is None else _without_dust(rate.up_to * units * one)
        times = "" if rate.unit is PriceUnit.RUN else f"{units:g} s at "
        return Estimate(
            amount=amount,
            low=None if most is None else amount,
            high=most,
            currency=self.currency,
            basis=f"{times}{said} ({dated})",
            as_of=self.as_of,
        )

    def list_prices(self) -> list[ListedPrice]:
        """Return the rates in the list's currency."""
        one = 1.0 if self.credit is None else self.credit
        return [
            ListedPrice(
                amount=_without_dust(rate.amount * one),
                currency=self.currency,
                unit=rate.unit,
                when=rate.when,
            )
            for rate in self.rates
        ]

    def _unpriced(self, basis: str) -> Estimate:
        return Estimate(currency=self.currency, basis=basis, as_of=self.as_of)

    def _say_rate(self, rate: Rate) -> str:
        most = "" if rate.up_to is None else f" to {rate.up_to:g}"
        kind = self.currency if self.credit is None else "credits"
        each = f"{rate.amount:g}{most} {kind} a {rate.unit}"
        return each if self.credit is None else f"{each}, {self.credit:g} {self.currency} a credit"


def find_video_seconds(request: Request) -> float | None:
    """Return the length of the video that a vendor charges for; None if it is not known.

    It is counted at the model's own frames a second: another ``fps`` of a call changes how fast the
    video is shown, not how much of it the vendor makes.
    """
    frames = _arguments(request).get("num_frames")
    if isinstance(frames, int) and not isinstance(frames, bool):
        return frames / request.card.fps
    for name in ("guiding_video", "pose_video"):
        video = request.media.get(name)
        if video is not None and video.frames and video.fps:
            return video.frames / float(video.fps)
    return None


def _arguments(request: Request) -> dict[str, Any]:
    """Return the arguments of a call, with the model's defaults for what it leaves out."""
    defaults = {
        parameter.name: parameter.default
        for parameter in request.card.schema(request.feature).parameters
        if parameter.default is not UNSET and parameter.default is not None
    }
    given = {name: value for name, value in request.job.arguments.items() if value is not None}
    return {**defaults, **given}


def _fits(rate: Rate, known: Mapping[str, Any]) -> bool:
    return all(known.get(name) == value for name, value in rate.when.items())


def _without_dust(amount: float) -> float:
    """Return an amount without the rounding of its product: 6 s at 0.05 are 0.3."""
    return float(f"{amount:.12g}")
