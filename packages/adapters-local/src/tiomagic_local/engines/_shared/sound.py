"""From what a decoder gives of the sound, floats on a device, to the samples of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def to_samples(sound: torch.Tensor) -> NDArray[np.float32]:
    """Return sound as samples on the CPU.

    Args:
        sound: (channels, samples), float, about -1.0 to 1.0, on any device.

    Returns:
        float32, (samples, channels), -1.0 to 1.0.

    Raises:
        GenerationError: when a value is not a number.
    """
    if not bool(torch.isfinite(sound).all()):
        raise GenerationError(
            "the sound has values that are not numbers. The likely cause are damaged weights",
            code=ErrorCode.NOT_FINITE,
        )
    samples: NDArray[np.float32] = sound.float().clamp(-1, 1).T.contiguous().cpu().numpy()
    return samples
