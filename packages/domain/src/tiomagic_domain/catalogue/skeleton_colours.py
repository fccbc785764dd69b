"""The colours of the skeletons that a pose-guided model reads."""

from __future__ import annotations

from enum import StrEnum


class ColourOrder(StrEnum):
    """Which channel of a skeleton's colours comes first in the picture.

    OpenPose's 18 colours begin with (255, 0, 0). Annotators that draw for a library that stores
    blue first turn the channels round when they are done, others do not, and a model was trained
    on one of the two.
    """

    RGB = "rgb"
    """The first colour is red: the line from the neck to the right shoulder is red."""
    BGR = "bgr"
    """The channels are turned round: that line is blue."""

    @property
    def other(self) -> ColourOrder:
        """The other order."""
        return ColourOrder.BGR if self is ColourOrder.RGB else ColourOrder.RGB


REAL_PACE, FIT_PACE = "real", "fit"
"""How a video is followed: at its own pace, or all of it in the time that there is."""
COLOURS_AS_GIVEN, DETECT_COLOURS = "as_given", "auto"
"""What a call may say of a ``pose_video`` in place of its order: use it as it is, or look."""
