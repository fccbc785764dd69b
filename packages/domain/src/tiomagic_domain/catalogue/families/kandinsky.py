"""Kandinsky 5.0 by Kandinsky Lab: words in English or Russian, or a picture, at 24 frames/s.

Lite makes a video from words, at three sizes: 512x512 and 768x512 either way round. Its weights are
those that were tuned on chosen videos (sft), and two that were distilled from them: one that needs
no guidance, and one that needs 16 steps besides. Pro is ten times as large and begins with a
picture. All of them make at most five seconds.

The authors' script has a language model write out short prompts before; here the prompt is read as
it is, since that model is another 15 GiB, so describe at length what you want to see.

Two things of the pipelines decide what is legal: outside of 480 to 854 pixels they scale the
positions otherwise, silently; and the one for pictures levels the first four latent frames by those
after them, of which there must be one.

The repositories are named in the documentation of diffusers; licence, sizes and defaults are those
of github.com/kandinskylab/kandinsky-5. No commit of a repository is known to be good: the first
one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import tencent_terms
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

CONFIG = "the authors' configs/k5_lite_t2v_5s_sft_sd.yaml"
NOCFG_CONFIG = "the authors' configs/k5_lite_t2v_5s_nocfg_sd.yaml"
DISTILLED_CONFIG = "the authors' configs/k5_lite_t2v_5s_distil_sd.yaml"
PICTURE_CONFIG = "the authors' configs/k5_pro_i2v_5s_sft_sd.yaml"
PICTURE_SCRIPT = "the authors' kandinsky/i2v_pipeline.py"
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


def _frames(pipeline: str, *, low: int) -> Parameter:
    return settings.num_frames(
        default=121,
        low=low,
        high=121,
        multiple_of=4,
        offset=1,
        source=f"diffusers 0.42.1, {pipeline}: five seconds",
    )


def _words(*, steps: int, guidance: float, source: str) -> Schema:
    """Return the parameters of a Lite model.

    Args:
        steps: Denoising steps.
        guidance: Of the prompt; 1 for a model that was distilled with it.
        source: Of both.
    """
    scale = settings.guidance_scale(default=guidance, source=source)
    if guidance == 1.0:
        why = "The model was distilled with it: the authors run it at 1."
        scale = replace(scale, description=f"{scale.description} {why}")
    return Schema(
        parameters=(
            *INPUTS[Feature.TEXT_TO_VIDEO],
            settings.negative_prompt(default=NEGATIVE_PROMPT, source=SCRIPT),
            # With MaxPixels the authors' three sizes and no other.
            settings.side("width", default=768, multiple_of=256, low=512, high=768),
            settings.side("height", default=512, multiple_of=256, low=512, high=768),
            _frames("Kandinsky5T2VPipeline", low=5),
            settings.num_inference_steps(default=steps, source=source),
            scale,
            settings.flow_shift(default=5.0, source=f"{SCRIPT}, scheduler_scale"),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.EXACT_ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS, multiple_of=256),),
        objects=OBJECT_ARGUMENTS,
    )


PICTURE = Schema(
    parameters=(
        *INPUTS[Feature.IMAGE_TO_VIDEO],
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=PICTURE_SCRIPT),
        settings.side("width", default=None, multiple_of=16, low=512, high=768),
        settings.side("height", default=None, multiple_of=16, low=512, high=768),
        # Five latent frames, of which the first four are levelled by the last.
        _frames("Kandinsky5I2VPipeline", low=17),
        settings.num_inference_steps(default=50, source=PICTURE_CONFIG),
        settings.guidance_scale(default=5.0, source=PICTURE_CONFIG),
        settings.flow_shift(default=10.0, source=f"{PICTURE_CONFIG}, scheduler_scale"),
        settings.SEED,
        settings.fps(default=FPS),
        settings.LORAS,
        *settings.MEMORY_SETTINGS,
        settings.EXACT_ACCELERATION,
    ),
    rules=(MaxPixels(PIXELS, multiple_of=16),),
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
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: _words(steps=50, guidance=5.0, source=CONFIG)}
    ),
    fps=FPS,
    pixels=PIXELS,
    # The transformer 4.3, Qwen2.5-VL 15.4, CLIP 0.2, the VAE in fp32 0.9.
    weights_gib=20.9,
    largest_gib=15.4,
    gpu_memory_gib=12,
    prompt_tokens=256,
)

NOCFG = replace(
    LITE,
    name="kandinsky5-lite-nocfg",
    title="Kandinsky 5.0 Lite without guidance, text to video, 5 s",
    description="Kandinsky 5.0 Lite in half the time: distilled to need no guidance.",
    repository="kandinskylab/Kandinsky-5.0-T2V-Lite-nocfg-5s-Diffusers",
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: _words(steps=50, guidance=1.0, source=NOCFG_CONFIG)}
    ),
)

DISTILLED = replace(
    LITE,
    name="kandinsky5-lite-distilled",
    title="Kandinsky 5.0 Lite distilled, text to video, 5 s",
    description="Kandinsky 5.0 Lite in 16 steps without guidance: a sixth of the time.",
    repository="kandinskylab/Kandinsky-5.0-T2V-Lite-distilled16steps-5s-Diffusers",
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: _words(steps=16, guidance=1.0, source=DISTILLED_CONFIG)}
    ),
)

PRO_I2V = replace(
    LITE,
    name="kandinsky5-pro-image-to-video",
    title="Kandinsky 5.0 Pro, image to video, 5 s",
    description="A large model that begins with a picture and follows long prompts.",
    engine="kandinsky5_i2v",
    repository="kandinskylab/Kandinsky-5.0-I2V-Pro-sft-5s-Diffusers",
    features=MappingProxyType({Feature.IMAGE_TO_VIDEO: PICTURE}),
    # As Lite, with a transformer of 40.4.
    weights_gib=57.0,
    largest_gib=40.4,
)

MODELS = (LITE, NOCFG, DISTILLED, PRO_I2V)
