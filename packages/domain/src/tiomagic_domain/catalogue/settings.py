"""Builders of the settings that many models share, so that one name means one thing everywhere."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import acceleration
from tiomagic_domain.features import VISIBLE
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter

SEED = Parameter(
    name="seed",
    kind=Kind.INTEGER,
    required=False,
    minimum=0,
    maximum=2**32 - 1,
    description="The same seed and settings give the same video; drawn and recorded if left out.",
)

MEMORY = Parameter(
    name="memory",
    kind=Kind.STRING,
    required=False,
    default="auto",
    choices=("auto", "resident", "model_offload", "group_offload"),
    advanced=True,
    description="Where the weights wait: all on the device, one component at a time, or in small "
    "groups; auto takes the fastest that fits.",
)

TURBO_ACCELERATION = Parameter(
    name="acceleration",
    kind=Kind.STRING,
    required=False,
    default=acceleration.EXACT,
    choices=tuple(acceleration.PRESETS),
    fields=(
        Parameter(
            name="attention",
            kind=Kind.STRING,
            required=False,
            default="auto",
            choices=acceleration.ATTENTION_CHOICES,
            description="The attention's kernel, all of them exact; auto takes the best that "
            "works on the device.",
        ),
        Parameter(
            name="compile",
            kind=Kind.STRING,
            required=False,
            default="auto",
            choices=acceleration.COMPILE_CHOICES,
            description="Whether the transformer's blocks are compiled; auto does it for long "
            "runs on a GPU.",
        ),
        Parameter(
            name="batch_guidance",
            kind=Kind.STRING,
            required=False,
            default="auto",
            choices=acceleration.BATCH_GUIDANCE_CHOICES,
            description="Whether the passes of a step, with the prompt and with the negative one, "
            "are made together; auto does it for small videos on a CPU. Not with a cache.",
        ),
        Parameter(
            name="cache_threshold",
            kind=Kind.NUMBER,
            required=False,
            default=0.0,
            minimum=0.0,
            maximum=1.0,
            description="Change of the first block between two steps below which the other "
            "blocks are left out; 0 leaves out nothing.",
        ),
        Parameter(
            name="remember_prompts",
            kind=Kind.BOOLEAN,
            required=False,
            default=True,
            description="Whether an encoded prompt is kept for the next run.",
        ),
        Parameter(
            name="fp8",
            kind=Kind.BOOLEAN,
            required=False,
            default=False,
            description="Whether the transformer's blocks multiply in eight bits; not exact, and "
            "for cards that do it in hardware.",
        ),
        Parameter(
            name="few_steps",
            kind=Kind.BOOLEAN,
            required=False,
            default=False,
            description="Whether a LoRA is put on the model that makes do with a few steps.",
        ),
    ),
    advanced=True,
    description="exact changes nothing beyond rounding; fast leaves out what changes little "
    "between two steps, and gives another video of the same kind; turbo needs a few steps only, by "
    "a LoRA that changes the video and the defaults of the settings. An object sets each means.",
)
"""For a model that has few-step weights."""

FEW_STEP_MODELS = (
    *("wan2.1-t2v-14b", "wan2.1-i2v-14b-480p", "wan2.1-i2v-14b-720p", "wan2.1-vace-14b"),
    *("wan2.2-t2v-a14b", "wan2.2-i2v-a14b"),
)
"""Those that have; said to whoever asks another one."""

ACCELERATION = replace(
    TURBO_ACCELERATION,
    choices=(acceleration.EXACT, acceleration.FAST),
    fields=tuple(field for field in TURBO_ACCELERATION.fields if field.name != "few_steps"),
    elsewhere=MappingProxyType(
        {
            acceleration.TURBO: "turbo needs weights for few steps, and this model has none. "
            f"These have: {', '.join(FEW_STEP_MODELS)}. Models that are called distilled or "
            "fusionx need few steps as they are"
        }
    ),
    description="exact changes nothing beyond rounding; fast leaves out what changes little "
    "between two steps, and gives another video of the same kind. An object sets each means.",
)

EXACT_ACCELERATION = replace(
    ACCELERATION,
    choices=(acceleration.EXACT,),
    fields=tuple(field for field in ACCELERATION.fields if field.name != "cache_threshold"),
    description="exact changes nothing beyond rounding. An object sets each means.",
)
"""For a model whose blocks diffusers cannot cache."""

LORAS = Parameter(
    name="loras",
    kind=Kind.LIST,
    required=False,
    items=Kind.OBJECT,
    fields=(
        Parameter(
            name="source",
            kind=Kind.STRING,
            path=True,
            pattern=VISIBLE,
            pattern_hint="must be a .safetensors file or a repository, not an empty text",
            description="A .safetensors file, or a repository on the Hugging Face hub "
            "(owner/name).",
        ),
        Parameter(
            name="weight_name",
            kind=Kind.STRING,
            required=False,
            pattern=r"\.safetensors(?!\n)$",
            pattern_hint="must be the name of a .safetensors file",
            description="The file in the repository; not needed where it has one such file only.",
        ),
        Parameter(
            name="scale",
            kind=Kind.NUMBER,
            required=False,
            default=1.0,
            minimum=-4.0,
            maximum=4.0,
            description="How strongly it is applied; 1 is as it was trained.",
        ),
        Parameter(
            name="component",
            kind=Kind.STRING,
            required=False,
            default="transformer",
            choices=("transformer", "transformer_2"),
            description="The part of the model that it belongs to; transformer_2 is the second "
            "expert of a model that has two.",
        ),
        Parameter(
            name="revision",
            kind=Kind.STRING,
            required=False,
            description="Commit of the repository; the newest if left out.",
        ),
        Parameter(
            name="sha256",
            kind=Kind.STRING,
            required=False,
            pattern=r"^[0-9a-f]{64}(?!\n)$",
            pattern_hint="must be 64 hexadecimal digits",
            description="Digest that the file has to have; a recipe names it.",
        ),
    ),
    advanced=True,
    description="LoRAs that change the weights for this video alone, each a dict: `source`, and as "
    "needed `weight_name`, `scale`, `component`, `revision`, `sha256` (docs/weights.md).",
)

OBJECT_ARGUMENTS = (
    "latents",
    "prompt_embeds",
    "negative_prompt_embeds",
    "attention_kwargs",
    "callback_on_step_end",
)
"""Arguments of most pipelines of diffusers that exist as Python objects alone."""
MASK_ARGUMENTS = ("prompt_attention_mask", "negative_prompt_attention_mask")
"""What goes with the embeddings of a prompt where the transformer has to know their length."""


def side(name: str, *, default: int | None, multiple_of: int, low: int, high: int) -> Parameter:
    """Return ``width`` or ``height`` in pixels; without a default the picture decides."""
    origin = "" if default else "; if left out, from the picture at the model's pixel budget"
    return Parameter(
        name=name,
        kind=Kind.INTEGER,
        required=False,
        default=default or UNSET,
        minimum=low,
        maximum=high,
        multiple_of=multiple_of,
        unit="px",
        description=f"{name.capitalize()} of the video{origin}.",
    )


def num_frames(
    *, default: int, low: int, high: int, multiple_of: int, offset: int, source: str
) -> Parameter:
    """Return the length of the video in frames."""
    return Parameter(
        name="num_frames",
        kind=Kind.INTEGER,
        required=False,
        default=default,
        minimum=low,
        maximum=high,
        multiple_of=multiple_of,
        offset=offset,
        unit="frames",
        source=source,
        description=f"Length of the video; the model was trained on {default} frames.",
    )


def num_inference_steps(*, default: int, source: str) -> Parameter:
    """Return the number of denoising steps."""
    return Parameter(
        name="num_inference_steps",
        kind=Kind.INTEGER,
        required=False,
        default=default,
        minimum=1,
        maximum=100,
        unit="steps",
        source=source,
        description="Denoising steps; the time grows with them.",
    )


def guidance_scale(*, default: float, source: str) -> Parameter:
    """Return the strength of classifier-free guidance."""
    return Parameter(
        name="guidance_scale",
        kind=Kind.NUMBER,
        required=False,
        default=default,
        minimum=1.0,
        maximum=20.0,
        source=source,
        description="How closely the video follows the prompt; 1 turns guidance off and halves "
        "the time.",
    )


def negative_prompt(*, default: str, source: str) -> Parameter:
    """Return the description of what the video must not show."""
    return Parameter(
        name="negative_prompt",
        kind=Kind.STRING,
        required=False,
        default=default,
        source=source,
        description="What the video must not show; without effect at guidance_scale 1.",
    )


def flow_shift(*, default: float, source: str) -> Parameter:
    """Return the shift of the noise schedule of a flow-matching model."""
    return Parameter(
        name="flow_shift",
        kind=Kind.NUMBER,
        required=False,
        default=default,
        minimum=0.1,
        maximum=30.0,
        source=source,
        advanced=True,
        description="How much of the time goes to the coarse structure; larger sizes want more.",
    )


def fps(*, default: int) -> Parameter:
    """Return the frame rate of the file."""
    return Parameter(
        name="fps",
        kind=Kind.INTEGER,
        required=False,
        default=default,
        minimum=1,
        maximum=60,
        unit="frames/s",
        source="the rate of the model's training videos",
        advanced=True,
        description="Frames a second of the file; another rate plays the motion slower or faster.",
    )
