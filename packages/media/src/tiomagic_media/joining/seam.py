"""How well two parts of a video meet: the step at the seam against the steps elsewhere.

A step is the root mean square error (RMSE) between two neighbouring frames, over all pixels and
channels. Motion and grain make a step of some size everywhere; a cut is one that stands out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tiomagic_domain.media import Seam

if TYPE_CHECKING:
    from numpy.typing import NDArray


def step_rmse(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the RMSE of two frames of one size: 0 for equal ones, 255 at most."""
    difference = one.astype(np.float32) - other
    return float(np.sqrt(np.mean(np.square(difference), dtype=np.float64)))


class SteppedFrames:
    """Measures the steps of frames as they pass, so that a film need not lie in memory."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._steps: list[float] = []
        self._seam: float | None = None
        self._frame = 0

    def add(self, frame: NDArray[np.uint8], *, after_seam: bool = False) -> None:
        """Take the next frame.

        Args:
            frame: uint8, (H, W, 3). One that is shown again is not to be given twice: it would
                count as a step without motion.
            after_seam: True for the first one after the seam.
        """
        if self._last is not None:
            step = step_rmse(frame, self._last)
            if after_seam:
                self._seam = step
            else:
                self._steps.append(step)
        self._last = frame

    def seam_at(self, frame: int) -> Seam:
        """Return the seam before a frame of the result, as far as there was one."""
        return _seam(frame, self._seam or 0.0, self._steps)


def measure_loop(frames: NDArray[Any]) -> Seam:
    """Return how a loop closes: the step from its last frame to its first one.

    Args:
        frames: uint8, (T, H, W, 3), without the last frame that repeats the first; at least one.
    """
    steps = [step_rmse(later, earlier) for earlier, later in pairwise(frames)]
    return _seam(0, step_rmse(frames[0], frames[-1]), steps)


def _seam(frame: int, rmse: float, steps: list[float]) -> Seam:
    return Seam(frame=frame, rmse=rmse, median_step_rmse=float(np.median(steps)) if steps else 0.0)
