"""Pusa: Wan 2.1 with a separate noise level for each frame.

A LoRA on Wan's text model, trained with another time step for every frame. It makes a video around
a picture, or between two, that are kept at little or no noise while the other frames are denoised.

Defaults are those of the authors' scripts; they write 25 frames a second. A picture stands at a
latent frame, of which each but the first is four frames of the video. The weights are a copy
in safetensors: the authors' own file is pickled, and such files are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.catalogue.families.wan import (
    ENGLISH_NEGATIVE_PROMPT,
    PIXELS_720P,
    T2V_14B,
    wan_schema,
)
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import Problem
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema, WithinVideo

SOURCE = "the authors' scripts (github.com/Yaofang-Liu/Pusa-VidGen, PusaV1)"
FPS = 25
ALPHA = 1.4
LORA_GIB = 4.6
"""Rank 512 on ten layers of each of the 40 blocks, in bf16: a file of 4.9 GB."""

NOISE_MULTIPLIER = Parameter(
    name="noise_multiplier",
    kind=Kind.NUMBER,
    required=False,
    default=0.2,
    minimum=0.0,
    maximum=1.0,
    source=SOURCE,
    description="How noisy the picture is compared with the rest while the video is made: 0 keeps "
    "it as it is, more lets it move, 1 forgets it.",
)

LAST_NOISE_MULTIPLIER = replace(
    NOISE_MULTIPLIER,
    name="last_noise_multiplier",
    default=0.5,
    source="the authors' README, start and end frames",
    description="The same of the last frame, and of those between.",
)

COND_POSITION = Parameter(
    name="cond_position",
    kind=Kind.INTEGER,
    required=False,
    default=0,
    minimum=0,
    maximum=40,
    unit="latent frames",
    source=SOURCE,
    advanced=True,
    description="Where in the video the picture stands: 0 is the beginning, (num_frames-1)/4 "
    "the end.",
)

LORA_ALPHA = Parameter(
    name="lora_alpha",
    kind=Kind.NUMBER,
    required=False,
    default=ALPHA,
    minimum=0.0,
    maximum=4.0,
    source=SOURCE,
    advanced=True,
    description="How strongly Pusa's LoRA is applied: more keeps closer to the picture and moves "
    "less; the authors advise 1.3 to 1.5.",
)


@dataclass(frozen=True, slots=True)
class BeginsWithContinued:
    """With `continued_video`, `cond_position` is 0: its end is the beginning of what is made."""

    position: str = COND_POSITION.name
    video: str = CONTINUED_VIDEO_ARGUMENT

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when both are given and do not fit."""
        position = values.get(self.position)
        if self.video not in values or not isinstance(position, int) or position == 0:
            return []
        message = f"is 0 with {self.video}, whose end the video begins with; nearest: 0"
        return [Problem(field=self.position, message=message, given=str(position), nearest=0)]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``if`` and ``then``."""
        zero = {"properties": {self.position: {"const": 0}}}
        return {"if": {"required": [self.video]}, "then": zero}


PICTURES = {
    Feature.TEXT_TO_VIDEO: (),
    Feature.IMAGE_TO_VIDEO: (NOISE_MULTIPLIER, COND_POSITION),
    Feature.INTERPOLATE: (NOISE_MULTIPLIER, LAST_NOISE_MULTIPLIER),
}
"""The parameters of each feature for its pictures."""

MOMENTS = KeyframeMoments(step=4)
"""A picture is a latent frame of its own, which stands for four frames and ends with this one. The
authors' README: cond_position is any of 0 to 20."""

DEFAULTS = {"num_inference_steps": 30, "guidance_scale": 3.0, "flow_shift": 5.0, "fps": FPS}


def _schema(feature: Feature) -> Schema:
    pictures = PICTURES[feature]
    extra = (LORA_ALPHA, *pictures)
    base = wan_schema(
        feature,
        size=(1280, 720),
        flow_shift=5.0,
        # The English text, as the authors' script has it.
        negative=(ENGLISH_NEGATIVE_PROMPT, f"{SOURCE}, wan_14b_text_to_video_pusa.py"),
        extra=extra,
    )
    parameters = tuple(
        replace(p, default=DEFAULTS[p.name], source=SOURCE) if p.name in DEFAULTS else p
        for p in base.parameters
    )
    # With a picture, the engine makes the latents itself.
    taken = {"latents"} if pictures else set()
    objects = tuple(name for name in base.objects if name not in taken)
    placed = COND_POSITION in pictures
    rules = (WithinVideo(COND_POSITION.name), BeginsWithContinued()) if placed else ()
    schema = replace(base, parameters=parameters, objects=objects, rules=(*base.rules, *rules))
    if feature is Feature.INTERPOLATE:
        source = f"{SOURCE}, wan_14b_multi_frames_pusa.py"
        return schema.with_keyframes(MOMENTS, source=source, free_ends=True)
    return schema


PUSA = replace(
    T2V_14B,
    name="pusa-v1",
    title="Pusa V1 on Wan 2.1 14B",
    family="pusa",
    description="Video from words, or from pictures that stay as they are or move along.",
    homepage="https://github.com/Yaofang-Liu/Pusa-VidGen",
    terms=apache_terms("github.com/Yaofang-Liu/Pusa-VidGen, LICENSE"),
    engine="pusa",
    # The authors' README, video extension: 13 frames are the first four latent ones.
    context_frames=13,
    loras=(
        Lora(
            source="Kijai/WanVideo_comfy",
            weight_name="Pusa/Wan21_PusaV1_LoRA_14B_rank512_bf16.safetensors",
            scale=ALPHA,
        ),
    ),
    features=MappingProxyType({feature: _schema(feature) for feature in PICTURES}),
    fps=FPS,
    pixels=PIXELS_720P,
    weights_gib=T2V_14B.weights_gib + LORA_GIB,
    largest_gib=T2V_14B.largest_gib + LORA_GIB,
    # Computed: 23 GiB a step, since each token has a time step of its own.
    gpu_memory_gib=32,
)

MODELS = (PUSA,)
