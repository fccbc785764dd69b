"""The display matrix of a video: how its frames are rotated and mirrored for display."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from av.sidedata.sidedata import Type

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """One of the eight orientations of a picture; the axes are swapped first."""

    swapped: bool = False
    """Rows become columns."""
    mirrored: bool = False
    """Left and right change places."""
    flipped: bool = False
    """Top and bottom change places."""

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture, (H, W, 3), as it is shown."""
        if self.swapped:
            pixels = pixels.swapaxes(0, 1)
        if self.mirrored:
            pixels = pixels[:, ::-1]
        if self.flipped:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def orientation_of(frame: Any) -> Orientation:
    """Return how a decoded frame is to be shown.

    Other angles become the nearest of the eight; scaling in the matrix is ignored.

    Args:
        frame: A ``VideoFrame`` of PyAV.
    """
    # Not ``frame.rotation``: an angle cannot say that a picture is mirrored.
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None or data.buffer_size < _MATRIX.size:
        return Orientation()
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    # A point (x, y) of the stored picture is shown at (a*x + c*y, b*x + d*y).
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(swapped=True, mirrored=c < 0, flipped=b < 0)
    return Orientation(mirrored=a < 0, flipped=d < 0)
