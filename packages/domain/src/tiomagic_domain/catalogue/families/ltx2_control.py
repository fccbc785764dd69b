"""The IC-LoRAs of LTX-2 and 2.3: each reads a control video that lies beside the one being made.

The picture of the call is the first frame, and another one may be the last; the control video says
what happens between them. The authors' own pipeline for these LoRAs runs distilled weights without
guidance; that of diffusers also runs the base model with guidance, as in its example.

Which LoRA reads what is said in the authors' workflows (github.com/Lightricks/ComfyUI-LTXVideo,
example_workflows): skeletons as DWPose draws them, with hands and faces; grey depth maps; the lines
of Canny's method; tracks as dots with coloured tails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.pose_parameters import (
    ControlKind,
    ControlSource,
    ControlWeights,
    Guide,
    Kept,
    PoseFacts,
    control_parameter,
    pose_parameters,
)
from tiomagic_domain.catalogue.skeleton_colours import REAL_PACE, ColourOrder
from tiomagic_domain.features import CONTROL_INPUTS, INPUTS, MOTION_SOURCES, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import ExactlyOne, Rule

WORKFLOWS = "github.com/Lightricks/ComfyUI-LTXVideo, example_workflows"
PIPELINE = "github.com/Lightricks/LTX-2, ltx-pipelines, ic_lora.py"

SIDE_MULTIPLE = 64
"""Sides are a multiple of this, so that a control video of half the size has whole latents."""

RULES: tuple[Rule, ...] = (
    ExactlyOne(tuple(p.name for p in MOTION_SOURCES)),
    ControlSource(),
)

FACTS = PoseFacts(
    takes=MappingProxyType(
        {
            Guide.SKELETONS: "`pose_video`",
            Guide.PLAIN_VIDEO: "`guiding_video`, skeletons or edges are drawn of it",
            Guide.DEPTH: "`control_video`",
            Guide.OTHER: "edges as `control_video`",
        }
    ),
    keeps=MappingProxyType(
        {
            Kept.IDENTITY: "of the picture, the first frame",
            Kept.BACKGROUND: "of the picture, and of `last_frame`",
        }
    ),
)
FACTS_2_3 = replace(
    FACTS,
    takes=MappingProxyType(
        {**FACTS.takes, Guide.OTHER: "edges and motion tracks as `control_video`"}
    ),
)


def _weights(repository: str, file: str, *, downscale: int) -> ControlWeights:
    return ControlWeights(
        lora=Lora(source=f"Lightricks/{repository}", weight_name=f"{file}.safetensors"),
        downscale=downscale,
        source=f"huggingface.co/Lightricks/{repository}",
    )


_POSE = _weights("LTX-2-19b-IC-LoRA-Pose-Control", "ltx-2-19b-ic-lora-pose-control", downscale=1)
_UNION = _weights(
    "LTX-2-19b-IC-LoRA-Union-Control", "ltx-2-19b-ic-lora-union-control-ref0.5", downscale=2
)
_UNION_2_3 = _weights(
    "LTX-2.3-22b-IC-LoRA-Union-Control", "ltx-2.3-22b-ic-lora-union-control-ref0.5", downscale=2
)
_MOTION_2_3 = _weights(
    "LTX-2.3-22b-IC-LoRA-Motion-Track-Control",
    "ltx-2.3-22b-ic-lora-motion-track-control-ref0.5",
    downscale=2,
)

CONTROLS: Mapping[str, ControlWeights] = {
    ControlKind.POSE: _POSE,
    ControlKind.DEPTH: _UNION,
    ControlKind.EDGES: _UNION,
}
"""Of LTX-2."""
CONTROLS_2_3: Mapping[str, ControlWeights] = {
    ControlKind.POSE: _UNION_2_3,
    ControlKind.DEPTH: _UNION_2_3,
    ControlKind.EDGES: _UNION_2_3,
    ControlKind.MOTION: _MOTION_2_3,
}
"""Of LTX-2.3, base and distilled."""


def control_inputs(kinds: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the inputs of pose guidance and the parameters for its control video.

    Args:
        kinds: Those that the model has a LoRA for; the first is the default.
    """
    prompt, image = INPUTS[Feature.POSE_GUIDANCE]
    guiding, given, colours, pace = pose_parameters(
        ColourOrder.RGB, source=f"{WORKFLOWS}: DWPose", pace=REAL_PACE, pace_source=PIPELINE
    )
    return (
        prompt,
        replace(image, description="The picture that the video begins with."),
        replace(
            guiding,
            description="A plain video: with control='pose' its person's movements are followed, "
            "with control='edges' its outlines. Give this, pose_video or control_video.",
        ),
        given,
        *CONTROL_INPUTS,
        control_parameter(kinds, source=WORKFLOWS),
        colours,
        pace,
    )
