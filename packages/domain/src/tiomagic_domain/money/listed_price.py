"""The price of one kind of call, as it stands in a price list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PriceUnit(StrEnum):
    """What a price is for."""

    SECOND = "second"
    """Each second of the video, parts of a second included."""
    RUN = "run"
    """The whole run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPrice:
    """The price of one kind of call."""

    amount: float
    """For each unit, in ``currency``. What a usual run costs where it depends on the run."""
    currency: str
    """ISO 4217."""
    unit: PriceUnit
    when: Mapping[str, object] = field(default_factory=dict)
    """The arguments that a call of this kind has. Empty for every call."""
