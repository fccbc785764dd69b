"""SkyReels-V2 by Skywork: one set of weights for words, for a picture, and for two, at 24 frames/s.

These are the models of diffusion forcing, which know the noise of each frame by itself: a picture
is a frame without noise, so that the repositories for words or for pictures alone are not needed.
All frames are made together here, within the 97 that the models were trained on. They have the
architecture of Wan 2.1 and its limits. Between two pictures the last one is what would come next:
the model draws up to it, and the video ends before it, as in the authors' own code.

Noise on the given pictures (``addnoise_condition``) would be drawn without the seed, and is off.
No commit of these repositories is known to be good: the first one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.wan import NEGATIVE_PROMPT
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema import MaxPixels, Schema

SCRIPT = "the authors' generate_video_df.py (github.com/SkyworkAI/SkyReels-V2)"
README = "the authors' README (github.com/SkyworkAI/SkyReels-V2)"
PIXELS = 960 * 544
FRAMES = 97
FPS = 24


def _schema(feature: Feature) -> Schema:
    words = feature is Feature.TEXT_TO_VIDEO
    width, height = (960, 544) if words else (None, None)
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(
                default=NEGATIVE_PROMPT,
                source="the examples of Wan 2.1, whose words are theirs too",
            ),
            settings.side("width", default=width, multiple_of=16, low=16, high=1280),
            settings.side("height", default=height, multiple_of=16, low=16, high=1280),
            settings.num_frames(
                default=FRAMES, low=5, high=FRAMES, multiple_of=4, offset=1, source=SCRIPT
            ),
            settings.num_inference_steps(default=30, source=SCRIPT),
            settings.guidance_scale(default=6.0 if words else 5.0, source=README),
            settings.flow_shift(default=8.0 if words else 5.0, source=README),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            settings.MEMORY,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS),),
        objects=settings.OBJECTS,
    )


DF_14B = ModelCard(
    name="skyreels-v2-df-14b-540p",
    title="SkyReels-V2 diffusion forcing 14B, 540p",
    family="skyreels-v2",
    description="Film-like shots at 24 frames a second from words, a picture, or two.",
    homepage="https://github.com/SkyworkAI/SkyReels-V2",
    licence="Skywork Community License",
    engine="skyreels_df",
    repository="Skywork/SkyReels-V2-DF-14B-540P-Diffusers",
    features=MappingProxyType(
        {
            feature: _schema(feature)
            for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
        }
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=39.6,
    largest_gib=26.6,
    gpu_memory_gib=16,
    prompt_tokens=512,
)

DF_1_3B = replace(
    DF_14B,
    name="skyreels-v2-df-1.3b-540p",
    title="SkyReels-V2 diffusion forcing 1.3B, 540p",
    description="The small SkyReels: words, a picture, or two, on a gaming GPU.",
    repository="Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers",
    weights_gib=15.7,
    largest_gib=12.5,
    gpu_memory_gib=8,
)

MODELS = (DF_14B, DF_1_3B)
