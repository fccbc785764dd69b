"""Pose guidance: its parameters, and what a model of it takes and keeps.

A model that follows other control videos too has a LoRA for each kind of them. A call names the
kind, ``control``, and its LoRA is applied for that call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.skeleton_colours import (
    COLOURS_AS_GIVEN,
    DETECT_COLOURS,
    FIT_PACE,
    REAL_PACE,
    ColourOrder,
)
from tiomagic_domain.errors import Problem
from tiomagic_domain.features import MOTION_SOURCES, POSE_SOURCES
from tiomagic_domain.schema.parameter import Kind, Parameter


class Guide(StrEnum):
    """What can say how the character moves, and where it stands."""

    SKELETONS = "skeletons"
    PLAIN_VIDEO = "plain video"
    DEPTH = "depth"
    MASK = "masks"
    OTHER = "other"


class Kept(StrEnum):
    """What a video may have of its inputs."""

    IDENTITY = "identity"
    BACKGROUND = "background"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseFacts:
    """What pose guidance with a model takes and keeps, each in a few words of Markdown."""

    takes: Mapping[Guide, str]
    """How each is given, such as an argument's name; what is not in it is not taken."""
    keeps: Mapping[Kept, str]
    """Of which input each is; what is not in it is left to the prompt and the model."""


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
    speed = pace_parameter(pace, source=pace_source)
    return (
        guiding,
        replace(given, description=f"{given.description} {_READS[order]}"),
        colours,
        speed,
    )


def pace_parameter(pace: str, *, source: str) -> Parameter:
    """Return the parameter ``pose_pace``.

    Args:
        pace: How a video is followed by default, ``real`` or ``fit``.
        source: Where that is documented.
    """
    return Parameter(
        name="pose_pace",
        kind=Kind.STRING,
        required=False,
        default=pace,
        choices=(REAL_PACE, FIT_PACE),
        source=source,
        description="The pace of the guiding video: real keeps it, cuts what is longer and holds "
        "the last pose where it is shorter; fit spreads the whole video over "
        "num_frames, so it may play faster or slower.",
    )


CONTROL_ARGUMENT = "control"
FINDS_POSES = "finds_poses"
"""The setting by which a preflight knows that skeletons are to be found in a plain video."""


class ControlKind(StrEnum):
    """What a control video shows."""

    POSE = "pose"
    DEPTH = "depth"
    EDGES = "edges"
    MOTION = "motion"


MEANINGS: Mapping[str, str] = {
    ControlKind.POSE: "a person's skeleton (pose)",
    ControlKind.DEPTH: "grey depth maps (depth)",
    ControlKind.EDGES: "outlines, white on black (edges)",
    ControlKind.MOTION: "tracks of moving points, coloured dots with tails on black (motion)",
}
"""Each kind, as part of a list."""

SOURCES: Mapping[str, tuple[str, ...]] = {
    ControlKind.POSE: ("guiding_video", "pose_video", "control_video"),
    ControlKind.DEPTH: ("control_video",),
    ControlKind.EDGES: ("guiding_video", "control_video"),
    ControlKind.MOTION: ("control_video",),
}
"""The inputs that each kind can be made of: skeletons and edges are found in a plain video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlWeights:
    """The LoRA of a model for one or several kinds of control."""

    lora: Lora
    """Applied for one call, before the LoRAs of the call itself."""
    downscale: int
    """How many times smaller than the video its control video is, for the memory plan; in a run the
    file itself says so."""
    source: str
    """Where it is published."""


@dataclass(frozen=True, slots=True)
class ControlSource:
    """The control video must be one that the kind of control can be made of."""

    kind: str = CONTROL_ARGUMENT

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when the given video cannot become that control."""
        kind = values.get(self.kind)
        if not isinstance(kind, str) or kind not in SOURCES:
            return []
        allowed = SOURCES[kind]
        given = [p.name for p in MOTION_SOURCES if p.name in values]
        # None or several of them is the problem of another rule.
        if len(given) != 1 or given[0] in allowed:
            return []
        fitting = [other for other, names in SOURCES.items() if given[0] in names]
        others = " or ".join(f"{self.kind}={str(other)!r}" for other in fitting)
        message = f"of no use for {self.kind}={kind!r}; give {' or '.join(allowed)}, or {others}"
        return [Problem(field=given[0], message=message, given=given[0])]

    def to_json_schema(self) -> dict[str, object]:
        """Return a condition for each kind."""
        names = [p.name for p in MOTION_SOURCES]
        return {
            "allOf": [
                {
                    "if": {
                        "properties": {self.kind: {"const": str(kind)}},
                        "required": [self.kind],
                    },
                    "then": {
                        "not": {"anyOf": [{"required": [n]} for n in names if n not in allowed]}
                    },
                }
                for kind, allowed in SOURCES.items()
                if len(allowed) < len(names)
            ]
        }


def control_parameter(kinds: Iterable[str], *, source: str) -> Parameter:
    """Return the parameter ``control``.

    Args:
        kinds: Those that the model has a LoRA for; the first is the default.
        source: Where the LoRAs are published.
    """
    known = tuple(str(kind) for kind in kinds)
    said = ", ".join(MEANINGS[kind] for kind in known)
    return Parameter(
        name=CONTROL_ARGUMENT,
        kind=Kind.STRING,
        required=False,
        default=known[0],
        choices=known,
        source=source,
        description=f"What the video is controlled by: {said}. Skeletons and edges are found in "
        "guiding_video; a ready control video of any kind is control_video.",
    )
