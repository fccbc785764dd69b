"""The sound beside a video: AAC, exactly as long as the frames."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError, ProcessingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIT_RATE_A_CHANNEL = 96_000
"""Bits a second; at this rate the loss is inaudible in speech and music."""

PACKET = 1024
"""Samples in one packet of AAC."""


def check_sound(samples: NDArray[Any]) -> None:
    """Check sound before it is used.

    Raises:
        GenerationError: when a value is not a number.
        ProcessingError: when it is not (samples, 1 or 2 channels).
    """
    if samples.ndim != 2 or samples.shape[1] not in {1, 2}:
        raise ProcessingError(f"sound must be (samples, 1 or 2 channels), not {samples.shape}")
    if not np.isfinite(samples).all():
        raise GenerationError("the model gave sound that is not numbers", code=ErrorCode.NOT_FINITE)


def fit_sound_length(samples: NDArray[Any], count: int) -> NDArray[np.float32]:
    """Return sound of exactly a number of samples: what is too long is cut, the rest is silence.

    Args:
        samples: float, (samples, channels), one or two channels; what is beyond -1.0 to 1.0 is
            clipped.
        count: Samples wanted.

    Raises:
        GenerationError: when a value is not a number.
        ProcessingError: when it is of another form.
    """
    check_sound(samples)
    result = np.zeros((count, samples.shape[1]), dtype=np.float32)
    kept = min(count, len(samples))
    result[:kept] = np.clip(samples[:kept], -1.0, 1.0)
    return result


class SoundTrack:
    """The sound stream of a file that is being written.

    Create it before the first packet of the video is written.

    Args:
        container: Open for writing.
        samples: As ``fit_sound_length`` takes them.
        rate: Samples a second.
    """

    def __init__(self, container: Any, samples: NDArray[Any], rate: int) -> None:
        self._samples = fit_sound_length(samples, len(samples))
        channels = self._samples.shape[1]
        layout = "stereo" if channels == 2 else "mono"
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout=layout)
        self._stream.bit_rate = BIT_RATE_A_CHANNEL * channels
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, rate)

    def write(self, *, seconds: Fraction) -> None:
        """Encode the sound, made as long as the video is."""
        stream = self._stream
        samples = fit_sound_length(self._samples, max(1, round(seconds * stream.rate)))
        for start in range(0, len(samples), PACKET):
            planes = np.ascontiguousarray(samples[start : start + PACKET].T)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = stream.rate, start, stream.time_base
            self._container.mux(stream.encode(frame))
        self._container.mux(stream.encode(None))
