"""From what a decoder gives, floats on a device, to the pixels of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_pixels(frames: torch.Tensor | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames as pixels: rounded where they are, and moved to the CPU in one piece.

    Args:
        frames: (T, 3, H, W), float, 0.0-1.0, on any device; or pixels, which are returned as they
            are.

    Returns:
        uint8, (T, H, W, 3), 0-255.

    Raises:
        GenerationError: when a value is not a number.
    """
    if isinstance(frames, np.ndarray):
        return frames
    pixels, finite = rounded(frames)
    check_finite(finite)
    return pixels.cpu().numpy()


def rounded(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return frames as pixels on their device, and which of them have numbers only.

    Nothing is read from the device, because each read would wait for it.

    Args:
        frames: (T, 3, H, W), float, 0.0-1.0.

    Returns:
        uint8, (T, H, W, 3), 0-255; and bool, (T,).
    """
    count, _, height, width = frames.shape
    pixels = torch.empty((count, height, width, 3), dtype=torch.uint8, device=frames.device)
    finite = torch.empty(count, dtype=torch.bool, device=frames.device)
    # Frame by frame, so that no second float copy of the clip is made.
    for index, frame in enumerate(frames):
        finite[index] = torch.isfinite(frame).all()
        scaled = frame.float().mul(255).add_(0.5).clamp_(0, 255)
        pixels[index] = scaled.to(torch.uint8).permute(1, 2, 0)
    return pixels, finite


def check_finite(finite: torch.Tensor, *, first: int = 0) -> None:
    """Raise ``GenerationError`` when a frame has NaN or infinite values.

    Args:
        finite: bool, (T,), on any device, which is waited for.
        first: Index in the clip of the first of these frames.
    """
    broken = finite.logical_not().nonzero()
    if len(broken):
        index = first + int(broken[0])
        raise GenerationError(
            f"frame {index} has values that are not numbers. The likely causes are a VAE in a "
            "type that overflows (fp16), or damaged weights",
            details={"frame": index},
            code=ErrorCode.NOT_FINITE,
        )
