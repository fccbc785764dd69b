"""LTX-2, 2.3 and 2.5 by Lightricks: one transformer makes the picture and its sound.

Weights were counted from their shapes (bf16), the text encoder from the published configuration of
Gemma 3 12B. The limits are the pipeline's own: sides that are no multiple of 32 are refused, a
frame count that is not 8k+1 is cut silently, a side of 32 fails in the decoder, and a schedule of
one step is NaN.

The authors advise two stages for production (half the size, then an upscaler and a few steps more)
and also have a pipeline of one stage, which is used here: the second stage needs a LoRA, an
upscaler and another pipeline.

2.3 has a larger transformer, another decoder and sound at 48 kHz. Its distilled weights know eight
levels of noise, which the authors' pipelines use as they are, without guidance.

2.5 reads prompts with a Gemma 4 of its own. Its weights are distilled by default, and behind a gate
of the hub. The authors' pipeline adds fresh noise only in the rounds that double the frame rate,
which are not run here (dfr_pipeline.py; diffusers' LTX2DFRPipeline says the same). What else the
repository has (undistilled weights, upscalers, a second decoder, a model that rewrites prompts) is
not downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families import ltx
from tiomagic_domain.catalogue.families.ltx2_control import (
    CONTROLS,
    CONTROLS_2_3,
    FACTS,
    FACTS_2_3,
    RULES,
    SIDE_MULTIPLE,
    control_inputs,
)
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.catalogue.pose_parameters import ControlWeights
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

PIPELINE = "diffusers 0.42.1, LTX2ConditionPipeline"
AUTHORS = "github.com/Lightricks/LTX-2, ltx-pipelines"

FPS = 24
SIZE = (768, 512)
MAX_SIZE = (1536, 1024)
"""The final size of the authors' pipeline of two stages."""

CONSTANTS = f"{AUTHORS}, ltx_pipelines/utils/constants.py"

NEGATIVE_PROMPT = (
    "has_subtitles, has_blurbox, transition from black, transition to black, speech_ending_short, "
    "blurry, out of focus, overexposed, underexposed, low contrast, washed out colors, excessive "
    "noise, grainy texture, poor lighting, flickering, motion blur, distorted proportions, "
    "unnatural skin tones, deformed facial features, asymmetrical face, missing facial features, "
    "extra limbs, disfigured hands, wrong hand count, artifacts around text, inconsistent "
    "perspective, camera shake, incorrect depth of field, background too sharp, background "
    "clutter, distracting reflections, harsh shadows, inconsistent lighting direction, color "
    "banding, cartoonish rendering, 3D CGI look, unrealistic materials, uncanny valley effect, "
    "incorrect ethnicity, wrong gender, exaggerated expressions, wrong gaze direction, mismatched "
    "lip sync, silent or muted audio, distorted voice, robotic voice, echo, background noise, "
    "off-sync audio, incorrect dialogue, added dialogue, repetitive speech, jittery movement, "
    "awkward pauses, incorrect timing, unnatural transitions, inconsistent framing, tilted camera, "
    "flat lighting, inconsistent tone, cinematic oversaturation, stylized filters, or AI artifacts."
)
"""The authors' DEFAULT_NEGATIVE_PROMPT, for the picture and the sound. It asks for photographs: for
animation give another one, without *cartoonish rendering, 3D CGI look* and *stylized filters*."""

GUIDANCE = (
    replace(
        settings.guidance_scale(default=3.0, source=PIPELINE),
        description="How closely the picture follows the prompt; with audio_guidance_scale at 1 "
        "too, 1 turns guidance off and saves a quarter of the time.",
    ),
    ltx.number(
        "audio_guidance_scale",
        default=7.0,
        low=1.0,
        high=20.0,
        source=PIPELINE,
        description="How closely the sound follows the prompt.",
    ),
    ltx.number(
        "modality_scale",
        default=3.0,
        low=1.0,
        high=20.0,
        source=PIPELINE,
        description="How closely picture and sound belong together; 1 turns it off and saves a "
        "quarter of the time.",
    ),
    ltx.number(
        "stg_scale",
        default=1.0,
        high=4.0,
        source=CONSTANTS,
        description="How far picture and sound are pushed away from a pass without the attention "
        "of one block (spatio-temporal guidance), which keeps shapes together; 0 turns it off and "
        "saves a quarter of the time.",
    ),
    replace(ltx.GUIDANCE_RESCALE, default=0.7, source=CONSTANTS),
)

DISTILLED_SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875)
"""The levels of noise that the distilled weights were made for: DISTILLED_SIGMA_VALUES of
CONSTANTS, without the last one, which is 0."""


def _guided(steps: int) -> tuple[Parameter, ...]:
    """Return the parameters of steps with guidance."""
    return (
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=CONSTANTS),
        ltx.steps(default=steps, source=CONSTANTS),
        *GUIDANCE,
    )


DISTILLED_STEPS = replace(
    settings.num_inference_steps(default=len(DISTILLED_SIGMAS), source=CONSTANTS),
    maximum=len(DISTILLED_SIGMAS),
    description=f"Denoising steps of the {len(DISTILLED_SIGMAS)} that the model was distilled for; "
    "fewer are picked evenly from them and are faster and coarser.",
)


Controls = Mapping[str, ControlWeights]

RATE = ltx.conditioning_fps(default=FPS, source=PIPELINE)
LATER_RATE = replace(
    RATE,
    minimum=12,
    description=f"{RATE.description} Fewer than 12 would want sound far longer than it was trained "
    "on.",
)
"""Of 2.3 and later: their vocoder takes gigabytes for minutes of sound."""


def _sides(feature: Feature, *, multiple_of: int) -> tuple[Parameter, ...]:
    words = feature is Feature.TEXT_TO_VIDEO
    return tuple(
        settings.side(
            name,
            default=side if words else None,
            multiple_of=multiple_of,
            low=64,
            high=MAX_SIZE[0],
        )
        for name, side in zip(("width", "height"), SIZE, strict=True)
    )


def _schema(
    feature: Feature, denoising: tuple[Parameter, ...], controls: Controls, rate: Parameter
) -> Schema:
    """Return the parameters of a feature.

    Args:
        feature: What is made.
        denoising: The parameters of the steps and of what guides them.
        controls: The kinds of control video that the model has a LoRA for.
        rate: The parameter ``fps``.
    """
    controlled = feature is Feature.POSE_GUIDANCE
    multiple = SIDE_MULTIPLE if controlled else 32
    frames = settings.num_frames(
        default=121, low=9, high=481, multiple_of=8, offset=1, source=PIPELINE
    )
    return Schema(
        parameters=(
            *(control_inputs(controls) if controlled else INPUTS[feature]),
            *_sides(feature, multiple_of=multiple),
            replace(
                frames,
                description=f"{frames.description} The model is not trained beyond 20 seconds.",
            ),
            *denoising,
            settings.SEED,
            rate,
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(
            *(RULES if controlled else ()),
            MaxPixels(MAX_SIZE[0] * MAX_SIZE[1], multiple_of=multiple),
        ),
        objects=(*settings.OBJECT_ARGUMENTS, *settings.MASK_ARGUMENTS),
    )


def _features(
    denoising: tuple[Parameter, ...], controls: Controls, rate: Parameter = LATER_RATE
) -> MappingProxyType[Feature, Schema]:
    able = [one for one in Feature if controls or one is not Feature.POSE_GUIDANCE]
    return MappingProxyType({one: _schema(one, denoising, controls, rate) for one in able})


# The authors call their scheduler without a size, so it uses the shift for 4096 tokens, whatever
# the video's size: LTX2Scheduler, ltx_core.
SCHEDULE = {"shift": math.exp(2.05), "shift_terminal": 0.1}

IN_TWO_STAGES = (
    "The authors' pipeline for production makes the video at half the size, doubles it with an "
    "upscaler and refines it in three more steps with a distilled LoRA (ti2vid_two_stages.py). "
    "Here it is made in one stage at its full size, as their ti2vid_one_stage.py does."
)
DISTILLED_IN_TWO_STAGES = (
    "The authors' pipeline makes the video at half the size, doubles it with an upscaler and "
    "refines it in three more steps (distilled.py). Here the eight steps run at the full size, "
    "and nothing is refined."
)
LTX_2_5_IN_STAGES = (
    "The authors' pipeline (dfr_pipeline.py) makes the video at half the size, with more frames as "
    "keyframes, doubles it with an upscaler and refines it in three more steps with a detailing "
    "LoRA. Here the eight steps run at the full size, and nothing is refined. Its rounds that "
    "double the frame rate are not run; they alone add fresh noise in each step. Latents are "
    "decoded by the VAE, not by the diffusion decoder, which is the default of diffusers' modular "
    "blocks for it. The length is yours, not predicted, and prompts are not rewritten."
)

LTX_2 = ModelCard(
    name="ltx-2",
    unlike_authors=IN_TWO_STAGES,
    title="LTX-2, 19B",
    family="ltx-2",
    description="Video with sound: from words, from a picture, between two, or by a control video.",
    homepage="https://huggingface.co/Lightricks/LTX-2",
    licence="LTX-2 Community License Agreement (paid from $10M of revenue a year)",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Commercial use is free for a company with less than $10 million of revenue a "
        "year; a larger one needs a paid licence of Lightricks for any use. The text encoder is "
        "Google's Gemma 3, whose terms of use forbid some purposes.",
        source="github.com/Lightricks/LTX-2, LICENSE of 5 January 2026, section 2",
    ),
    engine="ltx2",
    repository="Lightricks/LTX-2",
    revision="47da56e2ad66ce4125a9922b4a8826bf407f9d0a",
    features=_features(_guided(40), CONTROLS, RATE),
    controls=MappingProxyType(CONTROLS),
    skeletons=ColourOrder.RGB,
    pose=FACTS,
    fps=FPS,
    pixels=SIZE[0] * SIZE[1],
    weights_gib=63.0,
    largest_gib=35.2,
    gpu_memory_gib=24,
    prompt_tokens=1024,
    options=MappingProxyType(
        {
            # Later versions use the other modality's time, which 2.0 was not trained on.
            "use_cross_timestep": False,
            **SCHEDULE,
            # LTX_2_PARAMS, CONSTANTS.
            "stg_blocks": (29,),
        }
    ),
)

LTX_2_3 = replace(
    LTX_2,
    pose=FACTS_2_3,
    name="ltx-2.3",
    title="LTX-2.3, 22B",
    description="The successor of LTX-2: finer pictures, and sound at 48 kHz.",
    homepage="https://huggingface.co/Lightricks/LTX-2.3",
    repository="diffusers/LTX-2.3-Diffusers",
    # For a rewriting of prompts, which is not done here.
    unused=("processor",),
    # The commit that several independent projects pin.
    revision="8eee8edcf067e838b843f926ec4d4cc9b2be1aaf",
    features=_features(_guided(30), CONTROLS_2_3),
    controls=MappingProxyType(CONTROLS_2_3),
    weights_gib=65.7,
    largest_gib=35.4,
    options=MappingProxyType(
        # LTX_2_3_PARAMS, CONSTANTS.
        {"use_cross_timestep": True, **SCHEDULE, "stg_blocks": (28,)}
    ),
)

LTX_2_3_DISTILLED = replace(
    LTX_2_3,
    name="ltx-2.3-distilled",
    unlike_authors=DISTILLED_IN_TWO_STAGES,
    title="LTX-2.3, 22B distilled",
    description="LTX-2.3 in eight steps without guidance: about fifteen times faster.",
    engine="ltx2_distilled",
    repository="diffusers/LTX-2.3-Distilled-Diffusers",
    # No commit is known to be good: the first one that is used stays in use.
    revision=None,
    features=_features((DISTILLED_STEPS,), CONTROLS_2_3),
    options=MappingProxyType({"use_cross_timestep": True, "sigmas": DISTILLED_SIGMAS}),
)

LTX_2_5 = replace(
    LTX_2_3_DISTILLED,
    name="ltx-2.5",
    unlike_authors=LTX_2_5_IN_STAGES,
    title="LTX-2.5, 22B distilled",
    description="The newest LTX in eight steps, with sound; its licence is to be accepted first.",
    homepage="https://huggingface.co/Lightricks/LTX-2.5",
    licence="LTX-2.x Community License Agreement (paid from $10M of revenue a year)",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Commercial use is free for a company with less than $10 million of revenue a "
        "year; a larger one needs a paid licence of Lightricks, and may evaluate the model "
        "without. Lightricks' acceptable use policy is part of the licence and may change. The "
        "weights are behind a gate of the hub, where you share your contact data. The text encoder "
        "is made from Google's Gemma 4, whose own terms were not looked up.",
        source="github.com/Lightricks/LTX-2, LICENSE.md of 11 August 2026, section 2",
    ),
    gated=True,
    repository="Lightricks/LTX-2.5-Diffusers",
    revision="426936f8b22dc28e4def61e515478b0b7e4a53cc",
    unused=(
        *("processor", "prompt_enhancer", "duration_head", "diffusion_decoder"),
        *("transformer_full", "latent_upsampler", "temporal_latent_upsampler"),
        # The same weights a second time, in other files than those that the index names.
        "transformer/*-of-00008.safetensors",
        "connectors/diffusion_pytorch_model.safetensors",
    ),
    features=_features((DISTILLED_STEPS,), {}),
    controls=MappingProxyType({}),
    skeletons=None,
    pose=None,
    weights_gib=65.2,
)

KEYFRAMES = f"{AUTHORS}, ltx_pipelines/utils/args.py, an image with FRAME_IDX"


def with_keyframes(card: ModelCard) -> ModelCard:
    """Return a model that takes pictures at any frame between the two."""
    between = card.schema(Feature.INTERPOLATE).with_keyframes(
        KeyframeMoments(), source=KEYFRAMES, free_ends=True
    )
    return replace(card, features=MappingProxyType({**card.features, Feature.INTERPOLATE: between}))


MODELS = tuple(map(with_keyframes, (LTX_2, LTX_2_3, LTX_2_3_DISTILLED, LTX_2_5)))
