"""A finished video in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_media.decode.clips import CLIP_ERRORS, declared_rate, playing
from tiomagic_media.decode.timing import timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """Frames at a constant rate."""

    frames: NDArray[np.uint8]
    """(T, H, W, 3), 0-255, RGB; at least one."""
    fps: Fraction
    """Frames shown a second."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.frames) / float(self.fps)

    def image(self, index: int) -> Image.Image:
        """Return one frame as a picture; negative indices count from the end."""
        return Image.fromarray(self.frames[index])

    def images(self) -> Iterator[Image.Image]:
        """Give the frames as pictures, one after the other."""
        return (Image.fromarray(frame) for frame in self.frames)

    def scaled(self, width: int | None) -> Film:
        """Return the film at another width, its shape kept; None leaves it as it is.

        Args:
            width: Pixels, at least 1.
        """
        height, own = self.frames.shape[1:3]
        if width is None or width == own:
            return self
        size = (width, max(1, round(height * width / own)))
        smaller = [np.asarray(image.resize(size, _filter(own, width))) for image in self.images()]
        return Film(frames=np.stack(smaller), fps=self.fps)


def read_film(path: Path) -> Film:
    """Decode a video, or an animated picture.

    Raises:
        ResourceNotFoundError: when there is no such file.
        ValidationError: when it is not a video, or cannot be decoded to its end.
    """
    if not path.is_file():
        raise ResourceNotFoundError(f"there is no file {str(path)!r}")
    try:
        starts, pixels, last = [], [], 0.0
        with playing(path) as shown:
            for frame in shown:
                starts.append(frame.start)
                pixels.append(frame.pixels())
                last = frame.seconds
        rate = declared_rate(path)
    except (*CLIP_ERRORS, av.FFmpegError) as error:
        message = f"{path.name!r} cannot be read as a video: {error}"
        raise ValidationError(message, code=ErrorCode.NOT_A_VIDEO) from error
    if not pixels:
        raise ValidationError(f"{path.name!r} has no picture in it", code=ErrorCode.NOT_A_VIDEO)
    plan = timeline(starts, last, rate)
    return Film(frames=np.stack([pixels[index] for index in plan.picks]), fps=plan.fps)


def _filter(before: int, after: int) -> Image.Resampling:
    # A few pixels made much larger should keep hard edges, not blur.
    grows_much = after >= 2 * before
    return Image.Resampling.NEAREST if grows_much else Image.Resampling.LANCZOS
