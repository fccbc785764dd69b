"""From the pixels of a decoded frame to RGB, as FFmpeg itself renders them.

The whole colour description of a frame is applied: the matrix, the range, and, where they differ
from those of a usual screen, the transfer curve and the primaries. Wide gamuts (BT.2020, P3) and
HDR (HLG and PQ) are brought to BT.709 by swscale's own conversion with its tone mapping: the result
of ``ffmpeg -vf scale=out_primaries=bt709:out_transfer=bt709,format=rgb24``. White of a usual
picture (203 cd/m², ITU-R BT.2408) stays white; what is brighter is white as well.

Transparent parts lie on white, as in pictures.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RGB, _BT709, _UNSPECIFIED, _BT601, _BT2020 = 0, 1, 2, 6, 9
"""AVColorSpace: no matrix, and those that may be guessed."""

_HDR = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
"""PQ and HLG."""

_WIDE = frozenset({ColorPrimaries.BT2020, ColorPrimaries.SMPTE431, ColorPrimaries.SMPTE432})
"""Primaries that are further apart than a usual screen's. The old ones of BT.601 are so near that
FFmpeg and most players show them as they are; so they are here."""

_KNOWN_CURVES = frozenset(ColorTrc) - {ColorTrc.UNSPECIFIED}

_QUALITY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


_spare_wide: deque[VideoReformatter] = deque(maxlen=1)
"""What the last video of a wide gamut was converted with, which nobody uses now. It holds a table
that takes seconds to work out, and fits the next video of the same size and colours: an input is
read once to be checked and once for the model."""


class Renderer:
    """Converts the frames of one video.

    Kept for a whole video: the conversion of HDR works out a table once, in seconds.
    """

    def __init__(self) -> None:
        self._usual = VideoReformatter()
        self._wide: VideoReformatter | None = None

    def __del__(self) -> None:
        # Only now: a frame that is still held may be converted after its video was closed.
        if self._wide is not None:
            _spare_wide.append(self._wide)

    def _choose(self, to_bt709: dict[str, Any]) -> VideoReformatter:
        if not to_bt709:
            return self._usual
        if self._wide is None:
            try:
                self._wide = _spare_wide.pop()
            except IndexError:
                self._wide = VideoReformatter()
        return self._wide

    def rgb(self, frame: Any, pixel_aspect: Fraction | None) -> NDArray[np.uint8]:
        """Return a frame as it lies in the file: uint8, (H, W, 3), 0-255, RGB.

        Args:
            frame: A ``VideoFrame`` of PyAV.
            pixel_aspect: Width of a pixel over its height; only the width changes, as players do.

        Raises:
            av.FFmpegError, ValueError: when FFmpeg knows no conversion.
        """
        has_alpha = any(component.is_alpha for component in frame.format.components)
        to_bt709 = _to_bt709(frame)
        converted = self._choose(to_bt709).reformat(
            frame,
            width=shown_width(frame.width, pixel_aspect),
            format="rgba" if has_alpha else "rgb24",
            src_colorspace=_matrix(frame),
            interpolation=_QUALITY,
            **to_bt709,
        )
        pixels: NDArray[Any] = converted.to_ndarray()
        return composite_on_white(pixels) if has_alpha else pixels


def shown_width(width: int, pixel_aspect: Fraction | None) -> int:
    """Return how wide a picture is shown whose pixels are not square."""
    return max(1, round(width * pixel_aspect)) if pixel_aspect else width


def composite_on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with straight alpha, (H, W, 4), composited on white."""
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3] * alpha + 255 * (255 - alpha)
    # Divides by 255 and rounds, exact for every possible value.
    mixed += 128
    mixed += mixed >> 8
    return (mixed >> 8).astype(np.uint8)


def _matrix(frame: Any) -> int:
    matrix = int(frame.colorspace)
    if matrix != _UNSPECIFIED:
        return matrix
    if frame.color_trc in _HDR or frame.color_primaries == ColorPrimaries.BT2020:
        return _BT2020
    # As players do: high definition is BT.709, anything smaller is BT.601.
    return _BT709 if frame.height >= 720 else _BT601


def _to_bt709(frame: Any) -> dict[str, Any]:
    """Return the arguments for swscale beside the matrix; sets what the frame leaves open."""
    if frame.color_trc not in _HDR and frame.color_primaries not in _WIDE:
        return {}
    if frame.color_primaries == ColorPrimaries.UNSPECIFIED:
        frame.color_primaries = ColorPrimaries.BT2020
    if frame.color_trc not in _KNOWN_CURVES:
        frame.color_trc = ColorTrc.BT709
    return {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
