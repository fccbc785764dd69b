"""The result of a rehearsal or a machine check: findings, and the needed disk and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class CheckOutcome(StrEnum):
    """The verdict of one check."""

    OK = "ok"
    NOTE = "note"
    """In order; for information."""
    WARNING = "warning"
    """A run may fail."""
    PROBLEM = "problem"
    """A run would fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check."""

    part: str
    outcome: CheckOutcome
    message: str
    """The finding, with advice if it is not in order."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"part": self.part, "outcome": self.outcome.value, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All checks, in order."""

    model: str
    provider: str
    checks: Sequence[Check]
    needs: Mapping[str, Any] = field(default_factory=dict)
    """What a real run takes, in GiB: ``download_gib``, ``usable_memory_gib``, ``gpu_memory_gib``,
    and its
    ``plan``; what is not known is left out."""

    @property
    def ok(self) -> bool:
        """True when no check says that a run would fail."""
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
        """Return the rehearsal from the plain data of :meth:`to_dict`.

        Args:
            data: Plain data.
            provider: The provider's name for the result.
        """
        checks = [
            Check(part=one["part"], outcome=CheckOutcome(one["outcome"]), message=one["message"])
            for one in data["checks"]
        ]
        return cls(model=data["model"], provider=provider, checks=checks, needs=data["needs"])
