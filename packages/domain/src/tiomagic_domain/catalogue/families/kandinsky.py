"""Kandinsky 5.0 by Kandinsky Lab: a small model for words, English or Russian, at 24 frames/s.

The weights are those of the 5 s variant that was tuned on chosen videos (sft). The authors make
three sizes with it, 512x512 and 768x512 either way round, and at most five seconds. Their script
has a language model write out short prompts before; here the prompt is read as it is, since that
model is another 15 GiB, so describe at length what you want to see.

The repository is named in the documentation of diffusers; licence, sizes and defaults are those of
github.com/kandinskylab/kandinsky-5. No commit of the repository is known to be good: the first
one that is used stays in use.
"""

from __future__ import annotations

from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import tencent_terms
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.schema import MaxPixels, Schema

CONFIG = "the authors' configs/k5_lite_t2v_5s_sft_sd.yaml"
SCRIPT = "the authors' test.py"
PIXELS = 768 * 512
FPS = 24

# Their script's own.
NEGATIVE_PROMPT = (
    "Static, 2D cartoon, cartoon, 2d animation, paintings, images, worst quality, low quality, "
    "ugly, deformed, walking backwards"
)

OBJECT_ARGUMENTS = (
    "latents",
    "callback_on_step_end",
    *(
        f"{sign}prompt_{part}"
        for sign in ("", "negative_")
        for part in ("embeds_qwen", "embeds_clip", "cu_seqlens")
    ),
)
"""Arguments of its pipeline that exist as Python objects alone: two encoders, and lengths."""

SCHEMA = Schema(
    parameters=(
        *INPUTS[Feature.TEXT_TO_VIDEO],
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=SCRIPT),
        # With MaxPixels the authors' three sizes and no other: outside of 480 to 854 pixels the
        # pipeline scales the positions otherwise, silently.
        settings.side("width", default=768, multiple_of=256, low=512, high=768),
        settings.side("height", default=512, multiple_of=256, low=512, high=768),
        settings.num_frames(
            default=121,
            low=5,
            high=121,
            multiple_of=4,
            offset=1,
            source="diffusers 0.42.1, Kandinsky5T2VPipeline: five seconds",
        ),
        settings.num_inference_steps(default=50, source=CONFIG),
        settings.guidance_scale(default=5.0, source=CONFIG),
        settings.flow_shift(default=5.0, source=f"{SCRIPT}, scheduler_scale"),
        settings.SEED,
        settings.fps(default=FPS),
        settings.LORAS,
        settings.MEMORY,
        settings.EXACT_ACCELERATION,
    ),
    rules=(MaxPixels(PIXELS, multiple_of=256),),
    objects=OBJECT_ARGUMENTS,
)

LITE = ModelCard(
    name="kandinsky5-lite",
    title="Kandinsky 5.0 Lite, text to video, 5 s",
    family="kandinsky5",
    description="A small model with a large reader: follows long English and Russian prompts.",
    homepage="https://github.com/kandinskylab/kandinsky-5",
    licence="MIT; the VAE is HunyuanVideo's",
    terms=tencent_terms(
        "github.com/kandinskylab/kandinsky-5, LICENSE and README.md",
        " That is the licence of HunyuanVideo, whose VAE decodes the frames; Kandinsky's own "
        "weights are MIT, and its text encoders are Qwen2.5-VL (Apache-2.0) and CLIP (MIT).",
    ),
    engine="kandinsky5",
    repository="kandinskylab/Kandinsky-5.0-T2V-Lite-sft-5s-Diffusers",
    features=MappingProxyType({Feature.TEXT_TO_VIDEO: SCHEMA}),
    fps=FPS,
    pixels=PIXELS,
    # The transformer 4.3, Qwen2.5-VL 15.4, CLIP 0.2, the VAE in fp32 0.9.
    weights_gib=20.9,
    largest_gib=15.4,
    gpu_memory_gib=12,
    prompt_tokens=256,
)

MODELS = (LITE,)
