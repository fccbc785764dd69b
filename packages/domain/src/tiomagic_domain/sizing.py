"""Which size a video gets when the caller gives a picture instead of a width and a height."""

from __future__ import annotations

import math

from tiomagic_domain.parameters import Parameter


def fit_size(aspect: float, *, pixels: int, width: Parameter, height: Parameter) -> tuple[int, int]:
    """Return the legal size that is nearest to an aspect ratio within a budget of pixels.

    Args:
        aspect: Width over height of the picture, more than 0.
        pixels: The largest width times height.
        width: The parameter with the legal widths.
        height: The parameter with the legal heights.

    Returns:
        Width and height in pixels. Of the sizes whose aspect is as good (within 1 %) as the best
        one's, the largest.
    """
    step = height.multiple_of or 1
    ideal = math.sqrt(pixels / aspect)
    sizes = []
    # Eight steps around the ideal height hold a size whose aspect is off by less than one step.
    for offset in range(-8, 9):
        tall = int(height.nearest(ideal + offset * step))
        wide = int(width.nearest(tall * aspect))
        if wide * tall <= pixels:
            sizes.append((wide, tall))
    if not sizes:
        # An extreme aspect: the long side is at its limit, the short side takes what is left.
        return _extreme(aspect, pixels=pixels, width=width, height=height)
    errors = {size: abs(math.log(size[0] / size[1] / aspect)) for size in sizes}
    tolerance = min(errors.values()) + 0.01
    return max((size for size in sizes if errors[size] <= tolerance), key=lambda s: s[0] * s[1])


def _extreme(aspect: float, *, pixels: int, width: Parameter, height: Parameter) -> tuple[int, int]:
    smallest_w, smallest_h = int(width.nearest(0)), int(height.nearest(0))
    if aspect >= 1:
        return int(width.nearest(pixels / smallest_h)), smallest_h
    return smallest_w, int(height.nearest(pixels / smallest_w))


def other_side(given: int, aspect: float, parameter: Parameter) -> int:
    """Return the legal side that goes with a given one.

    Args:
        given: The side that the caller gave, in pixels.
        aspect: The wanted side over the given one.
        parameter: The parameter with the legal values of the wanted side.
    """
    return int(parameter.nearest(given * aspect))
