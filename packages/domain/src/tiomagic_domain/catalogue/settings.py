"""Builders of the parameters that many models share, so that a name has one meaning everywhere."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import acceleration
from tiomagic_domain.features import VISIBLE
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.weights import formats as weight_formats
from tiomagic_domain.weights.given import WEIGHTS

SEED = Parameter(
    name="seed",
    kind=Kind.INTEGER,
    required=False,
    minimum=0,
    maximum=2**32 - 1,
    description="The same seed and settings give the same video; if left out, one is drawn and "
    "recorded.",
)

MEMORY = Parameter(
    name="memory",
    kind=Kind.STRING,
    required=False,
    default="auto",
    choices=("auto", "resident", "model_offload", "group_offload", "disk_offload"),
    advanced=True,
    description="What is on the device during the run: all weights, one component at a time, or "
    "a few layers, which wait in main memory or stay in their files; auto takes the fastest that "
    "fits the device and the main memory.",
)

QUANTIZATION = Parameter(
    name="quantization",
    kind=Kind.STRING,
    required=False,
    default=weight_formats.NONE,
    choices=(weight_formats.NONE, *weight_formats.FORMATS),
    fields=tuple(
        Parameter(
            name=group,
            kind=Kind.STRING,
            required=False,
            default=weight_formats.NONE,
            choices=(weight_formats.NONE, *weight_formats.FORMATS),
            description=f"The format of the weights of the {group.replace('_', ' ')}.",
        )
        for group in weight_formats.GROUPS
    ),
    advanced=True,
    description="Keeps the weights in fewer bits, which changes the video: 8 bits take half the "
    "memory, nf4 a quarter, the others lie between. Names in capitals are files that are "
    "downloaded. An object sets each option.",
)

QUALITY = Parameter(
    name="quality",
    kind=Kind.STRING,
    required=False,
    default="exact",
    choices=tuple(weight_formats.QUALITIES),
    advanced=True,
    description="What memory auto may lose where the full weights do not fit the device: nothing, "
    "a little (int8 weights), or more (four bits at the least).",
)

MEMORY_SETTINGS = (MEMORY, QUALITY, QUANTIZATION, WEIGHTS)
"""What decides about the memory of a run: the plan, and which weights."""

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
            description="The kernel that computes attention. auto takes the fastest exact one that "
            "works on the device; sage and sage_blackwell are not exact.",
        ),
        Parameter(
            name="compile",
            kind=Kind.STRING,
            required=False,
            default="auto",
            choices=acceleration.COMPILE_CHOICES,
            description="Whether the transformer's blocks are compiled; auto compiles for long "
            "runs on a GPU.",
        ),
        Parameter(
            name="batch_guidance",
            kind=Kind.STRING,
            required=False,
            default="auto",
            choices=acceleration.BATCH_GUIDANCE_CHOICES,
            description="CFG batching: whether the passes with the prompt and with the negative "
            "prompt run as one batch; auto does so for small videos on a CPU. Not with a cache.",
        ),
        Parameter(
            name="cache",
            kind=Kind.STRING,
            required=False,
            default=acceleration.NO_CACHE,
            choices=acceleration.CACHE_CHOICES,
            description="The step cache, which skips blocks in steps where little changes; not "
            "exact. best takes the one with the best measured loss that the model can use.",
        ),
        Parameter(
            name="cache_threshold",
            kind=Kind.NUMBER,
            required=False,
            default=0.0,
            minimum=0.0,
            maximum=1.0,
            description="The change below which the step cache skips blocks: more is faster and "
            "less exact; 0 for the cache's own. Without a cache it turns first_block on.",
        ),
        Parameter(
            name="cache_interval",
            kind=Kind.INTEGER,
            required=False,
            default=0,
            minimum=0,
            maximum=20,
            description="For the cache taylor: one step in so many runs all blocks; 0 for its own.",
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
            description="Whether the transformer's blocks multiply in 8 bits (fp8); not exact, "
            "and only for GPUs with fp8 in hardware.",
        ),
        Parameter(
            name="few_steps",
            kind=Kind.BOOLEAN,
            required=False,
            default=False,
            description="Whether the model's few-step LoRA is applied.",
        ),
    ),
    advanced=True,
    description="exact changes nothing beyond rounding; fast skips work that changes little "
    "between two steps, which gives a different video of the same kind; turbo applies a "
    "few-step LoRA, which changes the video and the defaults of the settings. An object sets "
    "each option.",
)
"""For a model that has few-step weights."""


def _explain_no_few_steps() -> str:
    # The catalogue is made of the cards that are made of these parameters.
    from tiomagic_domain.catalogue import models  # noqa: PLC0415

    names = [card.name for card in models().values() if card.turbo is not None]
    return (
        "turbo needs few-step weights, and this model has none. "
        f"These have: {', '.join(names)}. Models that are called distilled or fusionx need few "
        "steps as they are"
    )


ACCELERATION = replace(
    TURBO_ACCELERATION,
    choices=(acceleration.EXACT, acceleration.FAST),
    fields=tuple(field for field in TURBO_ACCELERATION.fields if field.name != "few_steps"),
    elsewhere=MappingProxyType({acceleration.TURBO: _explain_no_few_steps}),
    description="exact changes nothing beyond rounding; fast skips work that changes little "
    "between two steps, which gives a different video of the same kind. An object sets "
    "each option.",
)

EXACT_ACCELERATION = replace(
    ACCELERATION,
    choices=(acceleration.EXACT,),
    fields=tuple(field for field in ACCELERATION.fields if not field.name.startswith("cache")),
    description="exact changes nothing beyond rounding. An object sets each option.",
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
            description="The file in the repository; not needed if it has only one such file.",
        ),
        Parameter(
            name="scale",
            kind=Kind.NUMBER,
            required=False,
            default=1.0,
            minimum=-4.0,
            maximum=4.0,
            description="Its strength; 1 is as trained.",
        ),
        Parameter(
            name="component",
            kind=Kind.STRING,
            required=False,
            default="transformer",
            choices=("transformer", "transformer_2"),
            description="The component that it changes; transformer_2 is the second expert of a "
            "model with two.",
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
            description="The required digest of the file; a recipe has it.",
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
"""Arguments of most diffusers pipelines that exist only as Python objects."""
MASK_ARGUMENTS = ("prompt_attention_mask", "negative_prompt_attention_mask")
"""Arguments that go with a prompt's embeddings where the transformer needs their length."""


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
    """Return the parameter ``negative_prompt``."""
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
        description="How many steps go to the coarse structure; larger sizes need a larger shift.",
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
