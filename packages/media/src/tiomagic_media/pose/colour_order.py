"""Detects whether the colours of drawn skeletons are RGB or BGR, and swaps them.

OpenPose's 18 hues are the same 18 when red and blue are swapped, so a colour alone says nothing.
Which limbs meet does: two limbs that share a joint touch in the picture. In swapped colours limb i
has the hue of limb 12 - i, and other hues touch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tiomagic_domain.catalogue.skeleton_colours import COLOURS_AS_GIVEN, DETECT_COLOURS, ColourOrder
from tiomagic_domain.media import Media
from tiomagic_media.decode.frames import load_video
from tiomagic_media.pose.openpose_drawing import LIMBS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HUES = 18
"""Hues of the colours, 20 degrees apart; limb i has hue i."""
_TURNED = 12
"""Swapping red and blue turns hue h into 12 - h: red is 0, blue is 12."""
_FRAMES = 8
"""Most frames of a video that are examined."""
_LEAST_PIXELS = 3
"""Pixels of a hue in a frame; fewer are a trace of compression."""
_MIN_PAIRS = 2
"""Pairs of limbs that must touch before an order is reported."""
_MARGIN = 0.25
"""Least lead of one order over the other, in the part of its pairs that touch."""
_TOUCH = 0.03
"""Distance up to which limbs touch, as a part of the skeleton's longer side."""
_LEAST_REACH = 2.5
"""The same in pixels, for a small skeleton: its joints are as large as that."""
_SAMPLE = 400
"""Pixels of a limb that are compared with those of another."""


def _meeting() -> frozenset[tuple[int, int]]:
    """Return the pairs of limbs that meet and whose hues tell the orders apart.

    The face is left out: it is so small that all of it touches. So are neighbouring hues: the blend
        at their edge looks like either.
    """
    body = LIMBS[: _TURNED + 1]
    pairs = {
        (i, j)
        for i, one in enumerate(body)
        for j, other in enumerate(body)
        if i + 1 < j and set(one) & set(other)
    }
    return frozenset(pairs)


def _turned_round(pairs: frozenset[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    return frozenset((_TURNED - j, _TURNED - i) for i, j in pairs)


_RGB_PAIRS = _meeting()
_BGR_PAIRS = _turned_round(_RGB_PAIRS)
# Only pairs that touch in one order and not in the other tell them apart.
_TELLING = {
    ColourOrder.RGB: sorted(_RGB_PAIRS - _BGR_PAIRS),
    ColourOrder.BGR: sorted(_BGR_PAIRS - _RGB_PAIRS),
}


def order_of_frames(frames: NDArray[np.uint8]) -> ColourOrder | None:
    """Return the order of the colours of skeletons; None when it cannot be told from them.

    Args:
        frames: uint8, (T, H, W, 3), 0-255; all are examined.
    """
    touching = dict.fromkeys(ColourOrder, 0)
    there = dict.fromkeys(ColourOrder, 0)
    for frame in frames:
        limbs, reach = _limbs(frame)
        for order, pairs in _TELLING.items():
            for one, other in pairs:
                if one in limbs and other in limbs:
                    there[order] += 1
                    touching[order] += _touch(limbs[one], limbs[other], reach)
    share = {order: touching[order] / max(there[order], 1) for order in ColourOrder}
    best = max(ColourOrder, key=lambda order: share[order])
    clear = touching[best] >= _MIN_PAIRS and share[best] - share[best.other] >= _MARGIN
    return best if clear else None


def _limbs(frame: NDArray[np.uint8]) -> tuple[dict[int, NDArray[np.float32]], float]:
    """Return the pixels of each hue as (N, 2), and how near two limbs are that touch."""
    # One channel with another: NumPy's reduction over an axis of three takes twenty times as long.
    red, green, blue = frame[..., 0], frame[..., 1], frame[..., 2]
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    # Limbs are drawn at 60 % and joints at 100 %: bright pixels are joints, in another hue. If no
    # pixel is dimmed, all of them count.
    coloured = (high > 70) & (low < 0.45 * high)
    dim = coloured & (high < 205)
    chosen = dim if dim.sum() >= 0.3 * coloured.sum() else coloured
    rows, columns = np.nonzero(chosen)
    if not len(rows):
        return {}, 0.0
    hues = _hues(frame[rows, columns].astype(np.int16))
    places = np.stack((columns, rows), axis=1).astype(np.float32)
    limbs = {}
    for hue in range(_HUES):
        found = places[hues == hue]
        if len(found) >= _LEAST_PIXELS:
            limbs[hue] = found[:: len(found) // _SAMPLE + 1]
    extent = float(np.ptp(places, axis=0).max())
    return limbs, max(_LEAST_REACH, _TOUCH * extent)


def _hues(colours: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the nearest of the 18 hues of each colour, (N, 3), none of them grey."""
    red, green, blue = (colours[:, channel].astype(np.float64) for channel in range(3))
    high, spread = colours.max(axis=1), np.ptp(colours, axis=1)
    sixth = np.select(
        (high == red, high == green),
        ((green - blue) / spread, 2 + (blue - red) / spread),
        4 + (red - green) / spread,
    )
    nearest: NDArray[np.int64] = np.round(sixth * _HUES / 6).astype(np.int64) % _HUES
    return nearest


def _touch(one: NDArray[np.float32], other: NDArray[np.float32], reach: float) -> bool:
    across, down = (np.abs(one[:, np.newaxis, axis] - other[:, axis]) for axis in (0, 1))
    return bool(np.maximum(across, down).min() <= reach)


@lru_cache(maxsize=8)
def order_of(media: Media) -> ColourOrder | None:
    """Return the order of the colours of a video of skeletons; None when it is not clear."""
    return order_of_frames(load_video(media, count=min(_FRAMES, max(media.frames, 1))))


def read_order(media: Media, setting: str) -> ColourOrder | None:
    """Return the order that a video counts as having; None to use it as it is.

    Args:
        media: The video of skeletons.
        setting: ``as_given``, ``auto``, ``rgb`` or ``bgr``.
    """
    if setting == COLOURS_AS_GIVEN:
        return None
    return order_of(media) if setting == DETECT_COLOURS else ColourOrder(setting)


def reorder_colours(
    frames: NDArray[np.uint8], has: ColourOrder | None, wants: ColourOrder
) -> NDArray[np.uint8]:
    """Return skeletons with their colours in the order that a model reads.

    Args:
        frames: uint8, (..., 3).
        has: Their order; None to leave them as they are.
        wants: The model's.
    """
    return frames if has in {None, wants} else np.ascontiguousarray(frames[..., ::-1])


def colours_warning(media: Media, setting: str, wants: ColourOrder) -> str | None:
    """Return a warning about the colours of a video that is used as it is, or None.

    Args:
        media: The video of skeletons.
        setting: ``pose_colours`` of the call.
        wants: The model's order.
    """
    if setting != COLOURS_AS_GIVEN or order_of(media) is not wants.other:
        return None
    return (
        f"the skeletons in pose_video look like {wants.other.upper()}, and this model reads "
        f"{wants.upper()}: it will take arms for legs; pose_colours='auto' converts them"
    )
