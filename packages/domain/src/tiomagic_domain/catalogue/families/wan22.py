"""Wan 2.2 by Alibaba: two experts of 14B, one after the other, and a 5B model for gaming GPUs.

The A14B models have a transformer for the noisy part of the denoising and one for the rest, each
with its own guidance. The repository says where the second takes over (``boundary_ratio``).

The 5B model has another VAE, which makes 16 pixels into one in space, so that its sides are
multiples of 32 (the pipeline accepts multiples of 16 and rounds down), and 24 frames a second. It
makes videos from words and from a picture; it would accept a last frame and ignore it. Up to twice
the 121 frames of its training are allowed: the parameter says what it was trained on.

VACE-Fun is the text model with VACE's blocks beside both experts, trained by Alibaba PAI. Its
values are those of the examples in their repository VideoX-Fun, for the sampler UniPC. Their one
example of skeletons is in RGB, unlike those of VACE for Wan 2.1. The weights for diffusers were
converted by an author of the pipeline; that repository names no licence of its own.

A revision is a commit that several independent projects pin.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families import lightx2v
from tiomagic_domain.catalogue.families.wan import (
    CONDITIONING_SCALE,
    NEGATIVE_PROMPT,
    PIXELS_480P,
    PIXELS_720P,
    VACE_FACTS,
    VACE_FRAMES,
    VACE_MOMENTS,
)
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.pose_parameters import pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import ExactlyOne, MaxPixels, OffTogether, Schema
from tiomagic_domain.weights.wan_files import I2V_A14B_FILES, T2V_A14B_FILES, TI2V_5B_FILES

HOMEPAGE = "https://github.com/Wan-Video/Wan2.2"
NEGATIVE_SOURCE = "Wan 2.2, wan/configs/shared_config.py"
VIDEOX_FUN = "github.com/aigc-apps/VideoX-Fun"
FUN_SOURCE = f"{VIDEOX_FUN}, examples/wan2.2_vace_fun"
FUN_POSES = pose_parameters(
    ColourOrder.RGB,
    source=f"{VIDEOX_FUN}, asset/pose.mp4",
    pace_source="as for Wan 2.1 VACE; the authors' example takes the first frames of the video",
)
FPS = 16
FPS_5B = 24
PIXELS_5B = 1280 * 704


def _guidance_scale_2(default: float, source: str) -> Parameter:
    return Parameter(
        name="guidance_scale_2",
        kind=Kind.NUMBER,
        required=False,
        default=default,
        minimum=1.0,
        maximum=20.0,
        source=source,
        description="Guidance of the second expert, which draws the details; guidance_scale is "
        "that of the first. At guidance_scale 1 it has to be 1 as well: guidance is off then.",
    )


def _a14b(
    feature: Feature,
    *,
    flow_shift: float,
    scales: tuple[float, float],
    source: str,
    steps: int = 40,
) -> Schema:
    """Return the parameters of one feature of a model with two experts.

    Args:
        feature: Decides the inputs, and whether the size has a default or follows the picture.
        flow_shift: Default shift of the noise schedule.
        scales: Default guidance of the first expert and of the second.
        source: Source of these values, the steps and the length.
        steps: Default number of denoising steps.
    """
    width, height = (832, 480) if feature is Feature.TEXT_TO_VIDEO else (None, None)
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(default=NEGATIVE_PROMPT, source=NEGATIVE_SOURCE),
            settings.side("width", default=width, multiple_of=16, low=16, high=1280),
            settings.side("height", default=height, multiple_of=16, low=16, high=1280),
            settings.num_frames(
                default=81, low=5, high=161, multiple_of=4, offset=1, source=source
            ),
            settings.num_inference_steps(default=steps, source=source),
            settings.guidance_scale(default=scales[0], source=source),
            _guidance_scale_2(scales[1], source),
            settings.flow_shift(default=flow_shift, source=source),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        # The pipeline checks only the first expert's guidance, and turns both off by it.
        rules=(MaxPixels(PIXELS_720P), OffTogether("guidance_scale", "guidance_scale_2")),
        objects=settings.OBJECT_ARGUMENTS,
    )


def _vace_fun(feature: Feature) -> Schema:
    schema = _a14b(feature, flow_shift=12.0, scales=(5.0, 5.0), source=FUN_SOURCE, steps=50)
    if feature is Feature.TEXT_TO_VIDEO:
        # Without a picture there is nothing to condition on.
        return schema
    poses = FUN_POSES if feature is Feature.POSE_GUIDANCE else ()
    one_pose = (ExactlyOne(tuple(p.name for p in POSE_SOURCES)),) if poses else ()
    inputs = len(INPUTS[feature])
    parameters = (
        *schema.parameters[:inputs],
        *poses,
        *schema.parameters[inputs:],
        CONDITIONING_SCALE,
    )
    whole = replace(schema, parameters=parameters, rules=(*one_pose, *schema.rules))
    if feature is Feature.INTERPOLATE:
        source = f"as for Wan 2.1 VACE: {VACE_FRAMES}"
        return whole.with_keyframes(VACE_MOMENTS, source=source, free_ends=True)
    return whole


def _5b(feature: Feature) -> Schema:
    source = "Wan 2.2, wan/configs/wan_ti2v_5B.py"
    width, height = (1280, 704) if feature is Feature.TEXT_TO_VIDEO else (None, None)
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(default=NEGATIVE_PROMPT, source=NEGATIVE_SOURCE),
            settings.side("width", default=width, multiple_of=32, low=32, high=1280),
            settings.side("height", default=height, multiple_of=32, low=32, high=1280),
            settings.num_frames(
                default=121, low=5, high=241, multiple_of=4, offset=1, source=source
            ),
            settings.num_inference_steps(default=50, source=source),
            settings.guidance_scale(default=5.0, source=source),
            settings.flow_shift(default=5.0, source=source),
            settings.SEED,
            settings.fps(default=FPS_5B),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS_5B, multiple_of=32),),
        objects=settings.OBJECT_ARGUMENTS,
    )


T2V_A14B = ModelCard(
    name="wan2.2-t2v-a14b",
    title="Wan 2.2 text to video A14B",
    family="wan2.2",
    description="Two experts of 14B for video from words: film-like light and motion.",
    homepage=HOMEPAGE,
    licence="Apache-2.0",
    terms=apache_terms("github.com/Wan-Video/Wan2.2, LICENSE.txt"),
    engine="wan_t2v",
    repository="Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    revision="5be7df9619b54f4e2667b2755bc6a756675b5cd7",
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _a14b(
                Feature.TEXT_TO_VIDEO,
                flow_shift=12.0,
                # The authors write the second expert's first: (3.0, 4.0).
                scales=(4.0, 3.0),
                source="Wan 2.2, wan/configs/wan_t2v_A14B.py",
            )
        }
    ),
    fps=FPS,
    pixels=PIXELS_480P,
    weights_gib=64.4,
    largest_gib=26.7,
    gpu_memory_gib=16,
    prompt_tokens=512,
)

I2V_A14B = replace(
    T2V_A14B,
    name="wan2.2-i2v-a14b",
    title="Wan 2.2 image to video A14B",
    description="Two experts of 14B that bring a picture to life, or draw what lies between two.",
    engine="wan_i2v",
    repository="Wan-AI/Wan2.2-I2V-A14B-Diffusers",
    revision="596658fd9ca6b7b71d5057529bbf319ecbc61d74",
    features=MappingProxyType(
        {
            feature: _a14b(
                feature,
                flow_shift=5.0,
                scales=(3.5, 3.5),
                source="Wan 2.2, wan/configs/wan_i2v_A14B.py",
            )
            for feature in (Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
        }
    ),
)

VACE_FUN_A14B = replace(
    T2V_A14B,
    name="wan2.2-vace-fun-a14b",
    title="Wan 2.2 VACE-Fun A14B",
    description="Two experts of 14B for all four features, with the motion and light of Wan 2.2.",
    homepage=f"https://{VIDEOX_FUN}",
    terms=apache_terms(
        f"{VIDEOX_FUN}, LICENSE, and Wan 2.2's; the repository of the weights names no licence"
    ),
    engine="wan_vace",
    repository="linoyts/Wan2.2-VACE-Fun-14B-diffusers",
    # No commit is known to be good: the first one that is used stays in use.
    revision=None,
    features=MappingProxyType({feature: _vace_fun(feature) for feature in Feature}),
    # As VACE of Wan 2.1, whose mask it has.
    context_frames=17,
    skeletons=ColourOrder.RGB,
    pose=VACE_FACTS,
    weights_gib=75.8,
    largest_gib=32.4,
)

TI2V_5B = replace(
    T2V_A14B,
    name="wan2.2-ti2v-5b",
    title="Wan 2.2 text and image to video 5B",
    description="720p at 24 frames a second from words or a picture, on a gaming GPU.",
    engine="wan_ti2v",
    repository="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    revision="b8fff7315c768468a5333511427288870b2e9635",
    features=MappingProxyType(
        {feature: _5b(feature) for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)}
    ),
    fps=FPS_5B,
    pixels=PIXELS_5B,
    weights_gib=22.5,
    largest_gib=10.6,
    gpu_memory_gib=16,
)

MODELS = (
    replace(lightx2v.with_turbo(T2V_A14B, lightx2v.T2V_A14B), quantized_files=T2V_A14B_FILES),
    replace(lightx2v.with_turbo(I2V_A14B, lightx2v.I2V_A14B), quantized_files=I2V_A14B_FILES),
    lightx2v.with_turbo(VACE_FUN_A14B, lightx2v.T2V_A14B),
    replace(TI2V_5B, quantized_files=TI2V_5B_FILES),
)
