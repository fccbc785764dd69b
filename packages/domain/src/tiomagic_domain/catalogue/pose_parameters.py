"""The parameters of pose guidance: the guiding video or skeletons, their colours, their pace."""

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
    """Return the parameters for the two sources of a pose, their colours and their pace.

    Args:
        order: Of the colours in the skeletons that the model was trained on.
        source: Where that is documented.
        pace: How a video is followed by default, ``real`` or ``fit``.
        pace_source: Where that is documented.
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
        description="The order of the colours in pose_video: as_given uses it unchanged, and warns "
        f"when it looks like the other order; auto detects it and converts to {order.upper()}; rgb "
        "and bgr state the order, which is converted where needed.",
    )
    speed = Parameter(
        name="pose_pace",
        kind=Kind.STRING,
        required=False,
        default=pace,
        choices=(REAL_PACE, FIT_PACE),
        source=pace_source,
        description="The pace of the guiding video: real keeps it, cuts what is longer and holds "
        "the last pose where it is shorter; fit spreads the whole video over "
        "num_frames, so it may play faster or slower.",
    )
    return (
        guiding,
        replace(given, description=f"{given.description} {_READS[order]}"),
        colours,
        speed,
    )
