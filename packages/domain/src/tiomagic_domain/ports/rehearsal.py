"""What a look at a machine or a model has found: whether a run will work, what it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class CheckOutcome(StrEnum):
    """How one part of a rehearsal went."""

    OK = "ok"
    NOTE = "note"
    """Fine, and worth knowing."""
    WARNING = "warning"
    """It may not work."""
    PROBLEM = "problem"
    """A real run would fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    part: str
    outcome: CheckOutcome
    message: str
    """What was found, and what to do where it is not as it should be."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"part": self.part, "outcome": self.outcome.value, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All that was looked at, in order."""

    model: str
    provider: str
    checks: Sequence[Check]
    needs: Mapping[str, Any] = field(default_factory=dict)
    """What a real run takes, in GiB: ``download_gib``, ``usable_memory_gib``, ``gpu_memory_gib``,
    and its
    ``plan``; what is not known is left out."""

    @property
    def ok(self) -> bool:
        """True when nothing was found that would make a real run fail."""
        return all(check.outcome is not CheckOutcome.PROBLEM for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.model,
            "provider": self.provider,
            "ok": self.ok,
            "checks": [check.to_dict() for check in self.checks],
            "needs": dict(self.needs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, provider: str) -> Self:
        """Return the rehearsal that :meth:`to_dict` made plain data of, as another's.

        Args:
            data: Plain data.
            provider: Who had it made.
        """
        checks = [
            Check(part=one["part"], outcome=CheckOutcome(one["outcome"]), message=one["message"])
            for one in data["checks"]
        ]
        return cls(model=data["model"], provider=provider, checks=checks, needs=data["needs"])
