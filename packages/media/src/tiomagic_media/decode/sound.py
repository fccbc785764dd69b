"""Reads the sound of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from tiomagic_media.decode.videos import open_video

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundForm:
    """How sound is stored."""

    rate: int
    """Samples a second."""
    channels: int
    """1 or 2."""


def sound_form(path: Path) -> SoundForm | None:
    """Return the form of a video's sound, with one or two channels; None where there is none."""
    with open_video(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        return SoundForm(rate=stream.rate, channels=1 if stream.channels == 1 else 2)


def read_sound(path: Path, form: SoundForm) -> NDArray[np.float32]:
    """Return the sound of a video in a form: (samples, channels); no samples where there is none.

    Raises:
        av.FFmpegError, OSError: when it cannot be decoded.
    """
    with open_video(path) as container:
        if not container.streams.audio:
            return np.zeros((0, form.channels), dtype=np.float32)
        stream = container.streams.audio[0]
        layout = "mono" if form.channels == 1 else "stereo"
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=form.rate)
        parts = [
            part.to_ndarray().T
            for frame in (*container.decode(stream), None)
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, form.channels), dtype=np.float32)
