"""Wan-Animate-2 by Alibaba: a character follows the people of a video, and words move the camera.

It reads the guiding video itself: no skeletons are made of it, so hands, faces, clothes that swing
and bodies of any shape are followed as they are seen. It works in segments of 81 frames, each
continued from the last frame of the one before. Other lengths end within a segment, which costs as
much as all of it.

While a segment is made, each layer keeps the keys and values of the guiding video: 32 GiB at the
usual size, beside the weights. The memory plan says where they wait.

Two weights: one for 40 steps with guidance, one distilled to 10 steps without. The authors' code
itself has not been read for this card: what names one of its files is known from their README and
from projects that quote it.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families.wan import NEGATIVE_PROMPT, PIXELS_720P
from tiomagic_domain.catalogue.kv_cache import KV_CACHE
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept, PoseFacts, pace_parameter
from tiomagic_domain.catalogue.skeleton_colours import REAL_PACE
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

HOMEPAGE = "https://github.com/Wan-Video/Wan-Animate-2"
SOURCE = "diffusers 0.42.1, WanAnimate2Blocks"
DISTILLED_SOURCE = "diffusers 0.42.1, WanAnimate2DistilledBlocks"
CONFIGURATION = "Wan-Animate-2, infer/wan_animate_2.yaml, as other projects quote it"
FORM = "人物外观描述：… 背景描述：…"  # noqa: RUF001 - The authors' own punctuation.
"""The form of the authors' prompts: the looks of the character, then the background."""
SEGMENT = 81
FPS = 24
PIXELS = 640 * 800
"""The area of the library's default size."""

INPUTS_OF_MOTION = tuple(
    replace(
        parameter,
        description=f"{parameter.description} Words also move the camera. The authors describe the "
        f"looks of the character and the background, not the movements, in this form: {FORM!r}.",
    )
    if parameter.name == "prompt"
    else parameter
    for parameter in INPUTS[Feature.POSE_GUIDANCE]
)
GUIDING_VIDEO = replace(
    POSE_SOURCES[0],
    required=True,
    description="A video of somebody who moves, which is followed as it is: no skeletons are made.",
)


def _schema(*own: Parameter, steps: int, source: str) -> Schema:
    return Schema(
        parameters=(
            *INPUTS_OF_MOTION,
            GUIDING_VIDEO,
            pace_parameter(REAL_PACE, source=SOURCE),
            *own,
            settings.side("width", default=None, multiple_of=16, low=16, high=1280),
            settings.side("height", default=None, multiple_of=16, low=16, high=1280),
            settings.num_frames(
                default=SEGMENT,
                low=5,
                # Four segments; each but the first repeats one frame of the previous one.
                high=4 * (SEGMENT - 1) + 1,
                multiple_of=4,
                offset=1,
                source=SOURCE,
            ),
            settings.num_inference_steps(default=steps, source=source),
            settings.flow_shift(default=5.0, source=CONFIGURATION),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            KV_CACHE,
            settings.EXACT_ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS_720P),),
    )


BASE = ModelCard(
    name="wan2.2-animate-2-14b",
    title="Wan-Animate-2 14B",
    family="wan2.2",
    description="A character that follows the people of a plain video, without skeletons; words "
    "move the camera.",
    homepage=HOMEPAGE,
    licence="Apache-2.0",
    terms=apache_terms("github.com/Wan-Video/Wan-Animate-2, LICENSE"),
    engine="wan_animate_2",
    repository="Wan-AI/Wan2.2-Animate-2-14B-Diffusers",
    # No commit is known to be good: the first one that is used stays in use.
    revision=None,
    features=MappingProxyType(
        {
            Feature.POSE_GUIDANCE: _schema(
                settings.negative_prompt(default=NEGATIVE_PROMPT, source=CONFIGURATION),
                settings.guidance_scale(default=3.0, source=SOURCE),
                steps=40,
                source=SOURCE,
            )
        }
    ),
    pose=PoseFacts(
        takes=MappingProxyType({Guide.PLAIN_VIDEO: "`guiding_video`, seen as it is"}),
        keeps=MappingProxyType(
            {Kept.IDENTITY: "of the picture", Kept.BACKGROUND: "of the picture"}
        ),
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=43.1,
    largest_gib=30.9,
    gpu_memory_gib=16,
    kv_cache_gib=32.0,
    prompt_tokens=512,
)

DISTILLED = replace(
    BASE,
    name="wan2.2-animate-2-14b-distilled",
    title="Wan-Animate-2 14B distilled",
    description="Wan-Animate-2 in 10 steps and without guidance: an eighth of the time.",
    engine="wan_animate_2_distilled",
    repository="Wan-AI/Wan2.2-Animate-2-14B-Distilled-Diffusers",
    features=MappingProxyType({Feature.POSE_GUIDANCE: _schema(steps=10, source=DISTILLED_SOURCE)}),
)

MODELS = (BASE, DISTILLED)
