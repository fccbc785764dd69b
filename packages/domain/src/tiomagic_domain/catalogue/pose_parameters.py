"""The parameters that say what a pose-guided model follows, with the colours that it reads."""

from __future__ import annotations

from dataclasses import replace

from tiomagic_domain.catalogue.skeleton_colours import (
    COLOURS_AS_GIVEN,
    DETECT_COLOURS,
    FIT_PACE,
    REAL_PACE,
    ColourOrder,
)
from tiomagic_domain.features import POSE_SOURCES
from tiomagic_domain.schema.parameter import Kind, Parameter

_READS = {
    ColourOrder.RGB: "This model reads them in the order RGB: the line from the neck to the right "
    "shoulder is red.",
    ColourOrder.BGR: "This model reads them in the order BGR: the line from the neck to the right "
    "shoulder is blue.",
}


def pose_parameters(
    order: ColourOrder, *, source: str, pace: str = FIT_PACE, pace_source: str
) -> tuple[Parameter, ...]:
    """Return the two sources of a pose, and how they are read.

    Args:
        order: Of the colours in the skeletons that the model was trained on.
        source: Who says so.
        pace: How a video is followed by default, ``real`` or ``fit``.
        pace_source: Who says so.
    """
    guiding, given = POSE_SOURCES
    colours = Parameter(
        name="pose_colours",
        kind=Kind.STRING,
        required=False,
        default=COLOURS_AS_GIVEN,
        choices=(COLOURS_AS_GIVEN, DETECT_COLOURS, ColourOrder.RGB.value, ColourOrder.BGR.value),
        source=f"the model reads {order.upper()}: {source}",
        advanced=True,
        description="The order of the colours in pose_video: as_given uses it as it is, and warns "
        f"when it looks like the other order; auto looks, and converts it to {order.upper()}; rgb "
        "and bgr say what it is, and convert it where needed.",
    )
    speed = Parameter(
        name="pose_pace",
        kind=Kind.STRING,
        required=False,
        default=pace,
        choices=(REAL_PACE, FIT_PACE),
        source=pace_source,
        description="How the video of the motion is followed: real keeps its pace, leaves out what "
        "is longer and holds the last pose where it is shorter; fit spreads all of it over "
        "num_frames, so that it may be seen faster or slower.",
    )
    return (
        guiding,
        replace(given, description=f"{given.description} {_READS[order]}"),
        colours,
        speed,
    )
