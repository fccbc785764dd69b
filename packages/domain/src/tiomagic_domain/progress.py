"""Progress of a job, and the protocols ``ProgressSink`` and ``CancelToken`` of a running engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """The phase of a run."""

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
    """A progress event of a running job."""

    phase: Phase
    step: int = 0
    """Finished steps of this phase."""
    steps: int = 0
    """Steps of this phase in all; 0 when unknown."""

    @property
    def fraction(self) -> float | None:
        """Finished part of this phase, 0.0 to 1.0; None when unknown."""
        return self.step / self.steps if self.steps else None

    def to_dict(self) -> dict[str, object]:
        """Return the event as plain data."""
        return {"phase": self.phase.value, "step": self.step, "steps": self.steps}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Progress:
        """Build the event from plain data."""
        step, steps = data.get("step", 0), data.get("steps", 0)
        return cls(
            phase=Phase(str(data["phase"])),
            step=step if isinstance(step, int) else 0,
            steps=steps if isinstance(steps, int) else 0,
        )

    def __str__(self) -> str:
        return f"{self.phase} {self.step}/{self.steps}" if self.steps else str(self.phase)


class ProgressSink(Protocol):
    """Takes the progress events of a running job. Cheap to call, and never raises."""

    def __call__(self, progress: Progress, /) -> None:
        """Take one event."""
        ...


class CancelToken(Protocol):
    """Asks an engine to stop."""

    def raise_if_canceled(self) -> None:
        """Return, or raise to end the generation.

        Raises:
            GenerationCanceledError: when the job was canceled.
        """
        ...


class NeverCanceled:
    """A token that is never set."""

    def raise_if_canceled(self) -> None:
        """Return."""


def ignore_progress(progress: Progress) -> None:
    """Do nothing with an event."""
