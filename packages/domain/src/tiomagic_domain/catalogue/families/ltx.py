"""LTX-Video by Lightricks: fast, with the frame rate as an input of the model.

Weights were counted from their shapes (bf16). The limits are the pipelines' own: they refuse sides
that are no multiple of 32, and cut a frame count that is not 8k+1 without saying so, which is why
the schema is strict. The frame rate is an input of the model, so that ``conditioning_fps`` is more
than a number in the file.

The authors' scripts do two things more. They extend prompts of under 120 words with a language
model; here, describe at length what you want to see; and 0.9.8 makes two thirds of the size first
and then a second pass over an enlarged one, with weights of its own (an upscaler) that the pipeline
has no place for. One pass at full size is what diffusers' own example does.

A revision is a commit that several independent projects pin.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

PIPELINE = "diffusers 0.42.1, LTXPipeline"
CONFIG = "github.com/Lightricks/LTX-Video, configs/ltxv-2b-0.9.yaml"
AUTHORS = "github.com/Lightricks/LTX-Video, inference.py"
README = "github.com/Lightricks/LTX-Video, README.md"

MAX_PIXELS = 1280 * 704
"""The authors' inference.py stops at 1280x720, of which 720 is no multiple of 32."""
MAX_FRAMES = 257
"""Of the authors' inference.py."""

FIRST_FPS = 25
FIRST_SIZE = (704, 512)
DISTILLED_FPS = 30
DISTILLED_SIZE = (1216, 704)

# The negative prompt of the authors' inference.py.
NEGATIVE_PROMPT = "worst quality, inconsistent motion, blurry, jittery, distorted"

DISTILLED_CONFIG = "github.com/Lightricks/LTX-Video, configs/ltxv-13b-0.9.8-distilled.yaml"
TIMESTEPS = (1000.0, 993.7, 987.5, 981.2, 975.0, 909.4, 725.0)
"""The time steps that the model was distilled for: first_pass of DISTILLED_CONFIG."""


def number(
    name: str, *, default: float, high: float, source: str, description: str, low: float = 0.0
) -> Parameter:
    """Return an expert number, which most users leave alone."""
    return Parameter(
        name=name,
        kind=Kind.NUMBER,
        required=False,
        default=default,
        minimum=low,
        maximum=high,
        source=source,
        advanced=True,
        description=description,
    )


def conditioning_fps(*, default: int, source: str) -> Parameter:
    """Return the frame rate, which is an input of the model."""
    return replace(
        settings.fps(default=default),
        source=source,
        description="Frames a second, an input of the model: at another rate the motion is made "
        "for "
        "that rate, and a video of as many frames is longer or shorter.",
    )


def sides(size: tuple[int, int], feature: Feature) -> tuple[Parameter, ...]:
    """Return the sides of the video; from a picture where there is one."""
    words = feature is Feature.TEXT_TO_VIDEO
    return tuple(
        settings.side(name, default=side if words else None, multiple_of=32, low=32, high=1280)
        for name, side in zip(("width", "height"), size, strict=True)
    )


def steps(*, default: int, source: str) -> Parameter:
    """Return the number of steps of a schedule that ends at a set level of noise.

    A single step cannot have a set end: its time step would be NaN.
    """
    return replace(settings.num_inference_steps(default=default, source=source), minimum=2)


# The configuration that steps and guidance are from has 0.7 together with spatio-temporal guidance
# (STG, another pass of the transformer). LTXPipeline has no STG, and 0.7 without it takes back
# contrast that nothing has added: 0, the pipeline's own.
GUIDANCE_RESCALE = number(
    "guidance_rescale",
    default=0.0,
    high=1.0,
    source=PIPELINE,
    description="How much of the contrast that guidance adds is taken back.",
)

TIMESTEP_AWARE = (
    number(
        "decode_timestep",
        default=0.05,
        high=1.0,
        source=DISTILLED_CONFIG,
        description="The time step for the VAE, which does the last step.",
    ),
    number(
        "decode_noise_scale",
        default=0.025,
        high=1.0,
        source=DISTILLED_CONFIG,
        description="Noise that is added for the VAE to remove.",
    ),
)

IMAGE_NOISE = number(
    "image_cond_noise_scale",
    default=0.15,
    high=1.0,
    source="github.com/Lightricks/LTX-Video, ltx_video/inference.py",
    description="Noise on the given pictures in each step: more lets them move more.",
)


def _first(feature: Feature) -> Schema:
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(default=NEGATIVE_PROMPT, source=AUTHORS),
            *sides(FIRST_SIZE, feature),
            settings.num_frames(
                default=161, low=9, high=MAX_FRAMES, multiple_of=8, offset=1, source=PIPELINE
            ),
            steps(default=40, source=CONFIG),
            settings.guidance_scale(default=3.0, source=CONFIG),
            GUIDANCE_RESCALE,
            settings.SEED,
            conditioning_fps(default=FIRST_FPS, source=PIPELINE),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(MAX_PIXELS, multiple_of=32),),
        objects=(*settings.OBJECT_ARGUMENTS, *settings.MASK_ARGUMENTS),
    )


MOMENTS = KeyframeMoments(step=8)
"""As the authors' README advises: the target frame number should be a multiple of 8."""


def _distilled(feature: Feature) -> Schema:
    pictures = () if feature is Feature.TEXT_TO_VIDEO else (IMAGE_NOISE,)
    few = settings.num_inference_steps(default=len(TIMESTEPS), source=DISTILLED_CONFIG)
    schema = Schema(
        parameters=(
            *INPUTS[feature],
            *sides(DISTILLED_SIZE, feature),
            settings.num_frames(
                default=121, low=9, high=MAX_FRAMES, multiple_of=8, offset=1, source=AUTHORS
            ),
            replace(
                few,
                minimum=1,
                maximum=len(TIMESTEPS),
                description=f"Denoising steps of the {len(TIMESTEPS)} that the model was distilled "
                "for; fewer are picked evenly from them and are faster and coarser.",
            ),
            *TIMESTEP_AWARE,
            *pictures,
            settings.SEED,
            conditioning_fps(default=DISTILLED_FPS, source=AUTHORS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(MAX_PIXELS, multiple_of=32),),
        objects=(*settings.OBJECT_ARGUMENTS, *settings.MASK_ARGUMENTS),
    )
    if feature is Feature.INTERPOLATE:
        return schema.with_keyframes(MOMENTS, source=README, free_ends=True)
    return schema


FIRST = ModelCard(
    name="ltx-video",
    title="LTX-Video 0.9, 2B",
    family="ltx-video",
    description="Small and very fast: more than six seconds from words or a picture.",
    homepage="https://huggingface.co/Lightricks/LTX-Video",
    licence="LTX-Video 2B v0.9, OpenRAIL-M (research and academic use only)",
    terms=LicenceTerms(
        use=LicenceUse.RESEARCH,
        publishing="For research and academic use only, not for commercial use; the versions from "
        "0.9.5 on have another licence.",
        source="github.com/Lightricks/LTX-Video, README.md and issue 44",
    ),
    engine="ltx",
    repository="Lightricks/LTX-Video",
    revision="8984fa25007f376c1a299016d0957a37a2f797bb",
    features=MappingProxyType(
        {feature: _first(feature) for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)}
    ),
    fps=FIRST_FPS,
    pixels=FIRST_SIZE[0] * FIRST_SIZE[1],
    weights_gib=13.2,
    largest_gib=8.9,
    gpu_memory_gib=10,
    # The pipelines' own default is 128; the model was trained on 256.
    prompt_tokens=256,
)

DISTILLED = replace(
    FIRST,
    name="ltx-video-0.9.8-distilled",
    title="LTX-Video 0.9.8, 13B distilled",
    description="Seven steps without guidance: words, a picture, or the way between two pictures.",
    homepage="https://huggingface.co/Lightricks/LTX-Video-0.9.8-13B-distilled",
    licence="LTX-Video Open Weights License 0.X",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Commercial use is free for a company with less than $10 million of revenue a "
        "year; a larger one needs a paid licence of Lightricks.",
        source="the licence in the model's repository",
    ),
    engine="ltx_condition",
    # The pipeline takes a clip of 8k+1 frames as a condition; more than half a second of motion.
    context_frames=17,
    repository="Lightricks/LTX-Video-0.9.8-13B-distilled",
    revision="7c64400e1861cc0d7b98d570a1926d5408ec60cd",
    features=MappingProxyType(
        {
            feature: _distilled(feature)
            for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
        }
    ),
    fps=DISTILLED_FPS,
    pixels=DISTILLED_SIZE[0] * DISTILLED_SIZE[1],
    weights_gib=35.5,
    largest_gib=24.3,
    gpu_memory_gib=16,
    options=MappingProxyType({"timesteps": TIMESTEPS}),
)

MODELS = (FIRST, DISTILLED)
