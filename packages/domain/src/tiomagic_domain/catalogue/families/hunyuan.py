"""HunyuanVideo 1.5 by Tencent: 8.3B for words and for pictures, at 480p and 24 frames a second.

Guidance is not an argument of these pipelines but a part of them, which the engine sets up for each
call. For a picture the pipeline would choose the size by itself, from a list and by the picture's
shape; here it makes the size that it is asked for.

What the authors' script does beside, and is not done here: it rewrites the prompt with a language
model, and they warn of lower quality without, so describe at length what you want to see. Up to
twice the 121 frames of the training are allowed: the parameter says what it was trained on.

A revision is a commit that several independent projects pin.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import tencent_consent, tencent_terms
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.schema import MaxPixels, Schema

SOURCE = "diffusers 0.42.1, HunyuanVideo15Pipeline"
README = "the authors' README (github.com/Tencent-Hunyuan/HunyuanVideo-1.5)"
PIXELS = 640 * 640
"""What the 480p weights were trained on, in any shape."""
FPS = 24

OBJECT_ARGUMENTS = (
    "latents",
    "attention_kwargs",
    *(
        f"{sign}prompt_embeds{part}"
        for sign in ("", "negative_")
        for part in ("", "_mask", "_2", "_mask_2")
    ),
)
"""Arguments of its pipelines that exist as Python objects alone: two encoders, and no callback."""


def _schema(feature: Feature) -> Schema:
    width, height = (848, 480) if feature is Feature.TEXT_TO_VIDEO else (None, None)
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(default="", source=SOURCE),
            settings.side("width", default=width, multiple_of=16, low=32, high=1280),
            settings.side("height", default=height, multiple_of=16, low=32, high=1280),
            settings.num_frames(
                default=121, low=5, high=241, multiple_of=4, offset=1, source=SOURCE
            ),
            settings.num_inference_steps(default=50, source=README),
            settings.guidance_scale(default=6.0, source=README),
            settings.flow_shift(default=5.0, source=README),
            settings.SEED,
            settings.fps(default=FPS),
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS),),
        objects=OBJECT_ARGUMENTS,
    )


TEXT = ModelCard(
    name="hunyuanvideo-1.5",
    title="HunyuanVideo 1.5, text to video, 480p",
    family="hunyuanvideo-1.5",
    description="Video from words at 480p, with writing in it where the prompt quotes it.",
    homepage="https://github.com/Tencent-Hunyuan/HunyuanVideo-1.5",
    licence="Tencent Hunyuan Community (not for use in the EU, the UK and South Korea)",
    terms=tencent_terms("github.com/Tencent-Hunyuan/HunyuanVideo-1.5, LICENSE"),
    must_accept=tencent_consent(
        "https://github.com/Tencent-Hunyuan/HunyuanVideo-1.5/blob/main/LICENSE"
    ),
    engine="hunyuan15_t2v",
    repository="hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v",
    revision="286be7ce72277246578a3e3cc2487e95ddae5bcf",
    features=MappingProxyType({Feature.TEXT_TO_VIDEO: _schema(Feature.TEXT_TO_VIDEO)}),
    fps=FPS,
    pixels=PIXELS,
    # The transformer 15.5, Qwen2.5-VL's language half 13.2, ByT5 0.4, the VAE 2.4.
    weights_gib=31.4,
    largest_gib=15.5,
    # Computed: each step has a mask of each token by each.
    gpu_memory_gib=24,
    prompt_tokens=1000,
)

IMAGE = replace(
    TEXT,
    name="hunyuanvideo-1.5-image-to-video",
    title="HunyuanVideo 1.5, image to video, 480p",
    description="Brings one picture to life at 480p.",
    engine="hunyuan15_i2v",
    repository="hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v",
    revision="5a700ee883ff4c1b3d887ec4188755a7a5e2f698",
    features=MappingProxyType({Feature.IMAGE_TO_VIDEO: _schema(Feature.IMAGE_TO_VIDEO)}),
    weights_gib=32.2,
)

MODELS = (TEXT, IMAGE)
