"""Progress of a job, and the protocols ``ProgressSink`` and ``CancelToken`` of a running engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Final, Protocol

from tiomagic_domain.quantities import describe_bytes, describe_duration


class Phase(StrEnum):
    """The phase of a run."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    PREPARING = "preparing"
    ENCODING = "encoding"
    DENOISING = "denoising"
    GENERATING = "generating"
    """A vendor makes the video, and does not say how."""
    DECODING = "decoding"
    WRITING = "writing"


DOWNLOAD_STAYS: Final = "what has come stays, and the next download goes on from there"
"""What a person should know who stops a download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadState:
    """How far a download is."""

    file: str
    """The file that comes now, as its repository calls it."""
    number: int
    """Which file it is, from 1 on, of those that are fetched."""
    files: int
    """How many files are fetched."""
    bytes_done: int
    """Bytes of all files that are here, those of an interrupted download included."""
    bytes_total: int
    """Bytes of all files."""
    bytes_per_s: float | None = None
    """The speed of the last seconds; None until it is measured."""
    waits_for: str = ""
    """What the download waits for, such as an answer of the hub; empty while bytes come."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it is done at this speed; None if unknown."""
        if not self.bytes_per_s:
            return None
        return (self.bytes_total - self.bytes_done) / self.bytes_per_s

    def to_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> DownloadState | None:
        """Build it from plain data; None for data of another form."""
        if not isinstance(data, Mapping):
            return None
        try:
            return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})
        except TypeError:
            return None

    @property
    def summary(self) -> str:
        """All but the file, such as ``1.2 of 16.9 GiB, 45 MB/s, 6 min left``."""
        speed = ""
        if self.bytes_per_s is not None:
            speed = f", {self.bytes_per_s / 1e6:.{0 if self.bytes_per_s >= 1e7 else 1}f} MB/s"
        left = "" if self.seconds_left is None else f", {describe_duration(self.seconds_left)} left"
        rest = f", waits for {self.waits_for}" if self.waits_for else f"{speed}{left}"
        size = describe_bytes(self.bytes_done, of=self.bytes_total)
        return f"{size}{rest}"

    def __str__(self) -> str:
        return f"{self.summary}, file {self.number} of {self.files}: {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A small picture of a video that is being made, or why there is none."""

    jpeg: bytes = field(default=b"", repr=False)
    """A JPEG of at most 20 kB: the beginning, the middle and the end of the video as the model has
    it now, side by side. Empty as long as there is none."""
    reason: str = ""
    """Why there will be none; empty when there is one, or when one may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A progress event of a running job."""

    phase: Phase
    step: int = 0
    """Finished steps of this phase."""
    steps: int = 0
    """Steps of this phase in all; 0 when unknown. A download counts MiB."""
    download: DownloadState | None = None
    """How far a download is; None in other phases, and until its size is known."""
    note: str = ""
    """What it waits for, or what takes the time before the first step, for people; often empty."""
    preview: bytes | None = field(default=None, repr=False)
    """A new picture of the unfinished video, as :attr:`Preview.jpeg`; None without a new one. It is
    passed on and never stored: ``to_dict`` leaves it out."""

    @property
    def fraction(self) -> float | None:
        """Finished part of this phase, 0.0 to 1.0; None when unknown."""
        if self.download is not None and self.download.bytes_total:
            return self.download.bytes_done / self.download.bytes_total
        return self.step / self.steps if self.steps else None

    def to_dict(self) -> dict[str, object]:
        """Return the event as plain data."""
        plain: dict[str, object] = {
            "phase": self.phase.value,
            "step": self.step,
            "steps": self.steps,
        }
        if self.note:
            plain["note"] = self.note
        return plain if self.download is None else plain | {"download": self.download.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Progress:
        """Build the event from plain data."""
        step, steps = data.get("step", 0), data.get("steps", 0)
        return cls(
            phase=Phase(str(data["phase"])),
            step=step if isinstance(step, int) else 0,
            steps=steps if isinstance(steps, int) else 0,
            download=DownloadState.from_dict(data.get("download")),
            note=str(data.get("note", "")),
        )

    def __str__(self) -> str:
        if self.download is not None:
            return f"{self.phase} {self.download}"
        steps = f"{self.phase} {self.step}/{self.steps}" if self.steps else str(self.phase)
        return f"{steps}: {self.note}" if self.note else steps


class EtaEstimator:
    """Measures the steps of a phase.

    Args:
        monotonic: Gives seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._phase: Phase | None = None
        self._first = (0, 0.0)
        self._last = (0, 0.0)

    def eta_s(self, progress: Progress | None) -> float | None:
        """Return how long the rest of a phase takes; None when that is not known yet.

        Args:
            progress: The newest moment; None leaves nothing to measure.
        """
        if progress is not None and progress.download is not None:
            return progress.download.seconds_left
        if progress is None or not progress.steps:
            self._phase = None
            return None
        now = self._monotonic()
        # A run that begins again counts from the start.
        if progress.phase is not self._phase or progress.step < self._last[0]:
            self._phase = progress.phase
            self._first = self._last = (progress.step, now)
        if progress.step > self._last[0]:
            self._last = (progress.step, now)
        done, seconds = self._last[0] - self._first[0], self._last[1] - self._first[1]
        if done < 1 or seconds <= 0:
            return None
        left = (progress.steps - progress.step) * seconds / done
        return max(0.0, left - (now - self._last[1]))


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
