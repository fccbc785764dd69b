"""Pusa: Wan 2.1 that knows a noise level for each frame of its own.

A LoRA on Wan's text model. Trained so that every frame may be at another moment of its denoising,
it makes a video around a picture that is held at little or no noise while all else is made.

Defaults are those of the authors' scripts; they write 25 frames a second. The weights are a copy
in safetensors: the authors' own file is pickled, and such files are never read.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue.wan import PIXELS_720P, T2V_14B, wan_schema
from tiomagic_domain.features import Feature
from tiomagic_domain.loras import Lora
from tiomagic_domain.parameters import Kind, Parameter
from tiomagic_domain.schema import Schema

SOURCE = "the authors' scripts (github.com/Yaofang-Liu/Pusa-VidGen, PusaV1)"
FPS = 25
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

DEFAULTS = {"num_inference_steps": 30, "guidance_scale": 3.0, "flow_shift": 5.0, "fps": FPS}


def _schema(feature: Feature, *extra: Parameter) -> Schema:
    base = wan_schema(feature, size=(1280, 720), flow_shift=5.0, extra=extra)
    parameters = tuple(
        replace(p, default=DEFAULTS[p.name], source=SOURCE) if p.name in DEFAULTS else p
        for p in base.parameters
    )
    # Around a picture the latents are the engine's own business.
    taken = {"latents"} if extra else set()
    objects = tuple(name for name in base.objects if name not in taken)
    return replace(base, parameters=parameters, objects=objects)


PUSA = replace(
    T2V_14B,
    name="pusa-v1",
    title="Pusa V1 on Wan 2.1 14B",
    family="pusa",
    description="Video from words, or from a picture that stays as it is or moves along.",
    homepage="https://github.com/Yaofang-Liu/Pusa-VidGen",
    engine="pusa",
    loras=(
        Lora(
            source="Kijai/WanVideo_comfy",
            weight_name="Pusa/Wan21_PusaV1_LoRA_14B_rank512_bf16.safetensors",
            scale=1.4,
        ),
    ),
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _schema(Feature.TEXT_TO_VIDEO),
            Feature.IMAGE_TO_VIDEO: _schema(Feature.IMAGE_TO_VIDEO, NOISE_MULTIPLIER),
        }
    ),
    fps=FPS,
    pixels=PIXELS_720P,
    weights_gib=T2V_14B.weights_gib + LORA_GIB,
    largest_gib=T2V_14B.largest_gib + LORA_GIB,
    gpu_memory_gib=24,
)

MODELS = (PUSA,)
