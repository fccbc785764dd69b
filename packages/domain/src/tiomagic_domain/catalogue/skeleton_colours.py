"""The order of the colours (RGB or BGR) of skeletons, and the pace of a guiding video."""

from __future__ import annotations

from enum import StrEnum


class ColourOrder(StrEnum):
    """Whether a skeleton's colours are in the order RGB or BGR.

    OpenPose's 18 colours begin with (255, 0, 0). Some annotators swap red and blue at the end,
    others do not, and a model was trained on one of the two.
    """

    RGB = "rgb"
    """The first colour is red: the line from the neck to the right shoulder is red."""
    BGR = "bgr"
    """Red and blue are swapped: that line is blue."""

    @property
    def other(self) -> ColourOrder:
        """The other order."""
        return ColourOrder.BGR if self is ColourOrder.RGB else ColourOrder.RGB


REAL_PACE, FIT_PACE = "real", "fit"
"""The pace of a guiding video: its own, or spread over the length of the result."""
COLOURS_AS_GIVEN, DETECT_COLOURS = "as_given", "auto"
"""Values of ``pose_colours`` beside the orders: use it as it is, or detect the order."""
