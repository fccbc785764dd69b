"""The estimate of a run: seconds, an amount with its spread, and what it is based on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Self

ESTIMATE: Final = "estimate"
"""Fact of a job: what its run was expected to take and cost when it was submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run is expected to take and to cost.

    Raises:
        ValueError: when a figure is negative or not finite, when ``low``, ``amount`` and ``high``
            are not in this order, or when there is a spread and no amount.
    """

    seconds: float | None = None
    """Expected seconds from the start to the video; None when not known."""
    amount: float | None = None
    """Expected cost; None when not known, 0 when the run costs nothing."""
    low: float | None = None
    """The least that it is likely to cost; None when the spread is not known."""
    high: float | None = None
    """The most that it is likely to cost; None when the spread is not known."""
    currency: str = "USD"
    """ISO 4217."""
    basis: str = ""
    """What it is based on, for people: one sentence without a full stop, the time first, its parts
    separated by semicolons."""
    as_of: date | None = None
    """The day on which the price was read; None where there is no price."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Amounts that are told apart, by what they are for, such as ``cold_start``. They need not add
    up to ``amount``: some are only spent in some runs, and the basis says which."""

    def __post_init__(self) -> None:
        figures = {
            "seconds": self.seconds,
            "amount": self.amount,
            "low": self.low,
            "high": self.high,
            **self.parts,
        }
        for name, figure in figures.items():
            if figure is not None and not (math.isfinite(figure) and figure >= 0):
                raise ValueError(f"{name} of an estimate is 0 or more, not {figure!r}")
        if self.amount is None and (self.low is not None or self.high is not None):
            raise ValueError("an estimate with low or high needs an amount")
        known = [figure for figure in (self.low, self.amount, self.high) if figure is not None]
        if known != sorted(known):
            raise ValueError(f"low, amount and high of an estimate are in no order: {known}")

    @property
    def is_free(self) -> bool:
        """True when the run is known to cost nothing."""
        return self.amount == 0 and not self.high

    @property
    def is_empty(self) -> bool:
        """True when neither the time nor the cost is known, nor how it is priced."""
        return self.seconds is None and self.amount is None and not self.basis

    @property
    def most(self) -> float | None:
        """The most that the run is likely to cost; None when nothing is known."""
        return self.amount if self.high is None else self.high

    def times(self, count: int) -> Self:
        """Return the estimate of several such runs, one after the other.

        Args:
            count: How many, 0 or more.

        Raises:
            ValueError: when the count is negative.
        """
        return type(self)(
            seconds=_times(self.seconds, count),
            amount=_times(self.amount, count),
            low=_times(self.low, count),
            high=_times(self.high, count),
            currency=self.currency,
            basis=self.basis,
            as_of=self.as_of,
            parts={name: amount * count for name, amount in self.parts.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; ``as_of`` as ``2026-09-28``."""
        return {
            "seconds": self.seconds,
            "amount": self.amount,
            "low": self.low,
            "high": self.high,
            "currency": self.currency,
            "basis": self.basis,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "parts": dict(self.parts),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the estimate that ``to_dict`` has given; what is left out is not known.

        Raises:
            ValueError: when a value is of another kind, or out of range.
        """
        as_of, parts = data.get("as_of"), data.get("parts") or {}
        if not isinstance(parts, Mapping):
            raise _unreadable("parts", parts)
        if as_of is not None and not isinstance(as_of, str):
            raise _unreadable("as_of", as_of)
        return cls(
            seconds=_read("seconds", data.get("seconds")),
            amount=_read("amount", data.get("amount")),
            low=_read("low", data.get("low")),
            high=_read("high", data.get("high")),
            currency=str(data.get("currency") or "USD"),
            basis=str(data.get("basis") or ""),
            as_of=None if as_of is None else date.fromisoformat(as_of),
            parts={str(name): _read(str(name), part) or 0.0 for name, part in parts.items()},
        )


def read_estimate(facts: Mapping[str, Any]) -> Estimate | None:
    """Return the estimate among a job's facts; None if there is none, or it cannot be read."""
    found = facts.get(ESTIMATE)
    if not isinstance(found, Mapping):
        return None
    try:
        return Estimate.from_dict(found)
    except ValueError:
        return None


def _times(figure: float | None, count: int) -> float | None:
    return None if figure is None else figure * count


def _read(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unreadable(name, value)
    return float(value)


def _unreadable(name: str, value: object) -> ValueError:
    return ValueError(f"{name} of an estimate cannot be {value!r}")
