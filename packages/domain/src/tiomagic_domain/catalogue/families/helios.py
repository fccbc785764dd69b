"""Helios by Peking University and ByteDance: videos of up to a minute, made 33 frames at a time.

Each piece is made from a compressed memory of all that came before, so that nothing has to be
chained by hand. Base is the best of the three and the slowest; Mid, a step on the way to Distilled,
works at three sizes one after the other; Distilled needs two steps at each of them and no guidance.

Three things of the pipelines decide what is legal here:

- They make whole pieces and cut the end to 4k+1 frames. Any such length is legal; what is made
beyond it is cut off, so a length of 33, 65, 97, 129, 165, … frames wastes nothing.
- Mid and Distilled begin at a quarter of the size, whose latents have to come in pairs: sides are
multiples of 64 with them, of 16 with Base.
- The picture is the memory that the first piece goes on from: the video does not repeat it.

The repositories are named in the authors' README; no commit of them is known to be good: the first
one that is used stays in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.features import IMAGE, INPUTS, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

REPOSITORY = "github.com/PKU-YuanGroup/Helios"
SCRIPT = f"{REPOSITORY}, infer_helios.py"
MID_SCRIPT = f"{REPOSITORY}, scripts/inference/helios-mid_t2v.sh"
DISTILLED_SCRIPT = f"{REPOSITORY}, scripts/inference/helios-distilled_t2v.sh"
PIPELINE = "diffusers 0.42.1, HeliosPipeline"
SIZE = (640, 384)
PIXELS = SIZE[0] * SIZE[1]
FPS = 24
MULTIPLE_OF_SIZES = 64
"""Of the sides, for a model that begins at a quarter of the size."""
LONGEST = 1449
"""Frames of 44 pieces: a minute, the longest of the authors' table."""

# Their script's own.
NEGATIVE_PROMPT = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, "
    "images, static, overall gray, worst quality, low quality, JPEG compression residue, ugly, "
    "incomplete, extra fingers, poorly drawn hands, poorly drawn faces, deformed, disfigured, "
    "misshapen limbs, fused fingers, still picture, messy background, three legs, many people in "
    "the background, walking backwards"
)

_PICTURE = replace(
    IMAGE,
    description="The picture that the video goes on from. The authors say that words alone do "
    "better: the models were trained on them.",
)


def _stage_steps(*, default: int, source: str) -> Parameter:
    steps = settings.num_inference_steps(default=default, source=source)
    return replace(
        steps,
        maximum=30,
        description=f"{steps.description} They are taken at each of the three sizes, so there are "
        "three times as many.",
    )


def _frames(*, default: int, source: str) -> Parameter:
    length = settings.num_frames(
        default=default, low=5, high=LONGEST, multiple_of=4, offset=1, source=source
    )
    return replace(
        length,
        description="Length of the video. It is made 33 frames at a time, and what is beyond the "
        "length is cut off: 33, 65, 97, 129, 165 and so on waste nothing.",
    )


def _schema(feature: Feature, *steering: Parameter, frames: Parameter, multiple_of: int) -> Schema:
    """Return the parameters for words or for a picture.

    Args:
        feature: Which of the two.
        steering: Steps and, where it has any, guidance.
        frames: The length.
        multiple_of: Of the sides.
    """
    given = feature is Feature.TEXT_TO_VIDEO
    # At a quarter of the size one patch is too few: the pipeline then fails.
    lowest = 128 if multiple_of == MULTIPLE_OF_SIZES else 64
    sides = (
        settings.side(
            name, default=side if given else None, multiple_of=multiple_of, low=lowest, high=SIZE[0]
        )
        for name, side in zip(("width", "height"), SIZE, strict=True)
    )
    return Schema(
        parameters=(
            *(_PICTURE if p.name == "image" else p for p in INPUTS[feature]),
            *sides,
            frames,
            *steering,
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.EXACT_ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS, multiple_of=multiple_of),),
        objects=settings.OBJECT_ARGUMENTS,
    )


def _features(
    *steering: Parameter, frames: Parameter, multiple_of: int
) -> Mapping[Feature, Schema]:
    both = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)
    return MappingProxyType(
        {
            feature: _schema(feature, *steering, frames=frames, multiple_of=multiple_of)
            for feature in both
        }
    )


GUIDED = (
    settings.negative_prompt(default=NEGATIVE_PROMPT, source=SCRIPT),
    settings.guidance_scale(default=5.0, source=SCRIPT),
)

BASE = ModelCard(
    name="helios-base",
    title="Helios Base",
    family="helios",
    description="Videos of up to a minute from words or a picture, in pieces that remember.",
    homepage="https://github.com/PKU-YuanGroup/Helios",
    licence="Apache-2.0",
    terms=apache_terms(f"{REPOSITORY}, LICENSE.txt"),
    engine="helios",
    repository="BestWishYsh/Helios-Base",
    features=_features(
        settings.num_inference_steps(default=50, source=SCRIPT),
        *GUIDED,
        frames=_frames(default=97, source=f"{SCRIPT}: 99, of which {PIPELINE} keeps 97"),
        multiple_of=16,
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=37.8,
    largest_gib=26.7,
    gpu_memory_gib=8,
    prompt_tokens=512,
)

MID = replace(
    BASE,
    name="helios-mid",
    title="Helios Mid",
    description="Helios at three sizes one after the other; a step towards Distilled, and the "
    "authors promise no quality.",
    engine="helios_pyramid",
    repository="BestWishYsh/Helios-Mid",
    features=_features(
        _stage_steps(default=20, source=MID_SCRIPT),
        *GUIDED,
        frames=_frames(default=97, source=f"{MID_SCRIPT}: 99, of which the pipeline keeps 97"),
        multiple_of=MULTIPLE_OF_SIZES,
    ),
)

DISTILLED = replace(
    BASE,
    name="helios-distilled",
    title="Helios Distilled",
    description="The fast one for long videos: two steps at each of three sizes, no guidance.",
    engine="helios_pyramid",
    repository="BestWishYsh/Helios-Distilled",
    features=_features(
        _stage_steps(default=2, source=DISTILLED_SCRIPT),
        frames=_frames(
            default=261, source=f"{DISTILLED_SCRIPT}: 240, made as 264, of which 261 are kept"
        ),
        multiple_of=MULTIPLE_OF_SIZES,
    ),
    options=MappingProxyType({"distilled": True}),
)

MODELS = (BASE, MID, DISTILLED)
