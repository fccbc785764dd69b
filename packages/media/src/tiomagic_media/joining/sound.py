"""The sound of a video that is put together of parts: each as long as its part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tiomagic_media.decode.sound import SoundForm
from tiomagic_media.encode.sound import fit_sound_length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def join_sounds(
    sounds: Sequence[NDArray[Any]], seconds: Sequence[float], form: SoundForm
) -> NDArray[np.float32]:
    """Return sounds one after the other, each cut or filled up with silence to its own length.

    Args:
        sounds: (samples, channels) each.
        seconds: Of each part.
        form: Of all of them.
    """
    # From the start of the whole, so that rounding errors do not add up.
    ends = [round(sum(seconds[: place + 1]) * form.rate) for place in range(len(seconds))]
    starts = [0, *ends[:-1]]
    return np.concatenate(
        [
            fit_sound_length(sound, end - start)
            for sound, start, end in zip(sounds, starts, ends, strict=True)
        ]
    )
