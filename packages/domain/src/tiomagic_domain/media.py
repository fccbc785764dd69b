"""Types for pictures, videos and clips: ``Media``, ``Clip``, ``Seam``, without decoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tiomagic_domain.text import make_storable


class MediaKind(StrEnum):
    """The kind of an input."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture or a video that was fetched, checked and stored under its hash."""

    kind: MediaKind
    sha256: str
    """Hex digest of the file's bytes; also its name in the store of inputs."""
    path: Path
    """The file on this machine. Never recorded: records have the hash."""
    media_type: str
    """IANA media type, such as ``image/png``."""
    width: int
    """Pixels, after the EXIF orientation has been applied."""
    height: int
    """Pixels, after the EXIF orientation has been applied."""
    frames: int = 1
    """Number of frames; 1 for a picture."""
    fps: float | None = None
    """Frames a second; None for a picture."""
    name: str | None = None
    """The file's own name, for people; None for bytes."""
    notes: tuple[str, ...] = ()
    """What was changed to make it usable, in words: for example deinterlacing."""

    def read_bytes(self) -> bytes:
        """Return the file's bytes."""
        return self.path.read_bytes()

    def to_reference(self) -> dict[str, object]:
        """Return the reference for a job or a recipe: enough to find the bytes, without a path."""
        facts: dict[str, object] = {
            "kind": self.kind.value,
            "sha256": self.sha256,
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "fps": self.fps,
            # A file name from another system may contain invalid bytes.
            "name": None if self.name is None else make_storable(self.name),
        }
        return {**facts, "notes": list(self.notes)} if self.notes else facts


class Frames(Protocol):
    """Frames of a clip: uint8, (T, H, W, 3), 0-255, RGB. A numpy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes: frames, height, width, channels."""
        ...


class Samples(Protocol):
    """Sound: float32, (samples, channels), -1.0 to 1.0. A numpy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes: samples, channels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The result of an engine: frames, their rate, and sound if the model makes any.

    Raises:
        ValueError: when the sound has no rate or the rate no sound, or it is of another form.
    """

    frames: Frames
    """uint8, (T, H, W, 3), 0-255, RGB."""
    fps: float
    """Frames a second at which the model's motion looks right."""
    facts: dict[str, object] = field(default_factory=dict)
    """Facts of the run for the record: device, dtype, memory plan, seconds a phase."""
    audio: Samples | None = None
    """float32, (samples, channels), -1.0 to 1.0, one or two channels; None for a silent model."""
    audio_rate: int | None = None
    """Samples a second; None without sound."""

    def __post_init__(self) -> None:
        if (self.audio is None) != (self.audio_rate is None):
            raise ValueError("sound needs its rate, and a rate needs sound")
        if self.audio is None or self.audio_rate is None:
            return
        shape = tuple(self.audio.shape)
        if len(shape) != 2 or shape[1] not in {1, 2} or not shape[0]:
            raise ValueError(f"sound must be (samples, 1 or 2 channels), not {shape}")
        if self.audio_rate <= 0:
            raise ValueError(f"the rate of the sound must be more than 0, not {self.audio_rate}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFile:
    """A finished mp4 on this machine, not yet saved by the output store."""

    path: Path
    """The file; the output store takes it over and removes it once the copy is safe."""
    recipe: dict[str, object] = field(default_factory=dict)
    """Its recipe; also inside the file's metadata, and written beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """How two parts of a video meet, or the end of a loop and its beginning.

    Two frames are compared by their root mean square error (RMSE) over all pixels and channels.
    """

    frame: int
    """The first frame after it, counted from 0; 0 where a loop begins anew."""
    rmse: float
    """Between the frame before the seam and the one after it, 0-255."""
    median_step_rmse: float
    """The median between neighbouring frames elsewhere in the video, 0-255."""

    @property
    def ratio(self) -> float | None:
        """The seam against the median step: about 1 when it cannot be seen.

        None where nothing moves but at the seam.
        """
        if self.median_step_rmse:
            return self.rmse / self.median_step_rmse
        return None if self.rmse else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return plain data for a record."""
        ratio = self.ratio
        return {
            "frame": self.frame,
            "rmse": round(self.rmse, 3),
            "median_step_rmse": round(self.median_step_rmse, 3),
            "ratio": None if ratio is None else round(ratio, 3),
        }
