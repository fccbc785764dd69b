"""The cost of a run: what was billed, or what is computed from a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COST: Final = "cost"
"""Fact of a job: what its run has cost so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A cost, as far as the provider knows it."""

    amount: float
    currency: str = "USD"
    """ISO 4217."""
    per: str = "run"
    """``run`` for the whole run, or the counted unit, such as ``hour``."""
    basis: str = ""
    """How it was found, for people: billed by the vendor, or computed from what; empty if not
    said."""

    def to_dict(self) -> dict[str, object]:
        """Return plain data; without ``basis`` where it is empty."""
        said = {"amount": self.amount, "currency": self.currency, "per": self.per}
        return {**said, "basis": self.basis} if self.basis else said
