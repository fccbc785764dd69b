"""How far a job is, and the two wires between a running engine and its caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """What an engine is busy with."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    PREPARING = "preparing"
    ENCODING = "encoding"
    DENOISING = "denoising"
    DECODING = "decoding"
    WRITING = "writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a running job."""

    phase: Phase
    step: int = 0
    """Steps of this phase that are done."""
    steps: int = 0
    """Steps of this phase in all; 0 when nobody can tell."""

    @property
    def fraction(self) -> float | None:
        """Part of this phase that is done, 0.0 to 1.0; None when nobody can tell."""
        return self.step / self.steps if self.steps else None

    def to_dict(self) -> dict[str, object]:
        """Return the moment as plain data."""
        return {"phase": self.phase.value, "step": self.step, "steps": self.steps}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Progress:
        """Build the moment from plain data."""
        step, steps = data.get("step", 0), data.get("steps", 0)
        return cls(
            phase=Phase(str(data["phase"])),
            step=step if isinstance(step, int) else 0,
            steps=steps if isinstance(steps, int) else 0,
        )

    def __str__(self) -> str:
        return f"{self.phase} {self.step}/{self.steps}" if self.steps else str(self.phase)


class ProgressSink(Protocol):
    """Takes the moments of a running job. Cheap to call, and never raises."""

    def __call__(self, progress: Progress, /) -> None:
        """Take one moment."""
        ...


class CancelToken(Protocol):
    """Tells an engine that it should stop."""

    def raise_if_canceled(self) -> None:
        """Return, or end the generation.

        Raises:
            GenerationCanceledError: when somebody asked for the job to stop.
        """
        ...


class NeverCanceled:
    """A token that is never set."""

    def raise_if_canceled(self) -> None:
        """Return."""


def ignore_progress(progress: Progress) -> None:
    """Take a moment and forget it."""
