"""Finds the outlines in a video: Canny's method, white lines on black.

The steps are those of OpenCV's ``Canny`` without a blur, as the annotators of control models use
it: Sobel's gradient of the colour that changes most, its length as the sum of both directions,
lines one pixel wide along the gradient, and weak lines kept only where they touch a strong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW, HIGH = 92, 200
"""Gradients of weak and of strong lines, of 8-bit colours: the settings of Lightricks' workflow for
LTX-2.3 (ComfyUI-LTXVideo, LTX-2.3_ICLoRA_Union_Control_Distilled.json)."""

TAN_22_5 = 0.41421356


def draw_edges(
    frames: NDArray[np.uint8],
    *,
    progress: ProgressSink,
    cancel: CancelToken,
    low: int = LOW,
    high: int = HIGH,
) -> NDArray[np.uint8]:
    """Return the outlines of each frame.

    Args:
        frames: uint8, (T, H, W, 3), RGB.
        progress: Gets an event for each frame.
        cancel: Checked at each frame.
        low: Least gradient of a line that touches a strong one.
        high: Least gradient of a strong line.

    Returns:
        uint8, (T, H, W, 3): 255 on a line, else 0.
    """
    drawn = np.zeros_like(frames)
    for index, frame in enumerate(frames):
        cancel.raise_if_canceled()
        progress(Progress(phase=Phase.PREPARING, step=index, steps=len(frames)))
        drawn[index][find_edges(frame, low=low, high=high)] = 255
    return drawn


def find_edges(frame: NDArray[np.uint8], *, low: int = LOW, high: int = HIGH) -> NDArray[np.bool_]:
    """Return where the lines of a picture are: bool, (H, W).

    Args:
        frame: uint8, (H, W, 3).
        low: Least gradient of a line that touches a strong one.
        high: Least gradient of a strong line.
    """
    across, down = _gradients(frame)
    length = np.abs(across) + np.abs(down)
    lines = _thin(across, down, length) & (length > low)
    return _touching(lines & (length > high), lines)


def _gradients(frame: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return Sobel's gradients of each pixel, of the colour that changes most there."""
    wide = np.pad(frame.astype(np.int32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    smooth = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    across = smooth[:, 2:] - smooth[:, :-2]
    smooth = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    down = smooth[2:] - smooth[:-2]
    most = np.argmax(np.abs(across) + np.abs(down), axis=2)[..., None]
    picked = (np.take_along_axis(one, most, axis=2)[..., 0] for one in (across, down))
    first, second = picked
    return first, second


def _thin(
    across: NDArray[np.int32], down: NDArray[np.int32], length: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Say where a gradient is the longest among its two neighbours in its own direction."""
    wide = np.pad(length, 1)
    height, width = length.shape

    def at(row: int, column: int) -> NDArray[np.int32]:
        return wide[1 + row : 1 + row + height, 1 + column : 1 + column + width]

    level = np.abs(down) <= TAN_22_5 * np.abs(across)
    steep = np.abs(across) < TAN_22_5 * np.abs(down)
    falling = (across < 0) == (down < 0)
    before = np.select([level, steep, falling], [at(0, -1), at(-1, 0), at(-1, -1)], at(-1, 1))
    after = np.select([level, steep, falling], [at(0, 1), at(1, 0), at(1, 1)], at(1, -1))
    # Of two that are as long as each other the second one is left out.
    longest: NDArray[np.bool_] = (length > before) & (length >= after)
    return longest


def _touching(strong: NDArray[np.bool_], lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the strong lines, and all that is joined to them, corners included."""
    found = strong
    while True:
        wide = np.pad(found, 1)
        rows = wide[:-2] | wide[1:-1] | wide[2:]
        grown = (rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]) & lines
        if (grown == found).all():
            return found
        found = grown
