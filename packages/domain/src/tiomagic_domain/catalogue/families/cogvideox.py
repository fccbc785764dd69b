"""CogVideoX by Zhipu AI: the first version at 8 frames a second, version 1.5 at 16.

Weights were counted from their shapes (bf16). The schemas refuse what the pipelines accept or
change silently:

- They check the size for multiples of 8; sizes that are not multiples of 16 then fail in the
transformer. The picture model of the first version has learned positions: only 720x480 runs.
- The VAE decodes latent frames in pairs, the odd one first: 48 frames of the first version stay 48
  of a clip that was trained on 49, and 6 become 8. Lengths of the form 8k+1 come out as asked.
- Version 1.5 has two latent frames in one patch, pads an odd number and cuts the padding off
  again; the authors ask for 16k+1 frames.

A revision is a commit that several independent projects pin.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse, apache_terms
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import MaxPixels, Rule, Schema, ShorterSide

AUTHORS = "github.com/THUDM/CogVideo, inference/cli_demo.py"
PIPELINE = "diffusers 0.42.1, CogVideoXPipeline"
MODEL_CARD = "the authors' table of models, github.com/THUDM/CogVideo"

FIRST_FPS = 8
SECOND_FPS = 16
FIRST_SIZE = (720, 480)
SECOND_SIZE = (1360, 768)
SHORTER = 768
"""Of the picture model of version 1.5: the authors' table has min(W, H) = 768."""

FIRST_FRAMES = settings.num_frames(
    default=49, low=9, high=49, multiple_of=8, offset=1, source=AUTHORS
)
LEARNED_FRAMES = replace(
    FIRST_FRAMES,
    description=f"{FIRST_FRAMES.description} Its learned positions are for them; for a shorter "
    "video the pipeline computes others, and the quality is less.",
)
SECOND_FRAMES = settings.num_frames(
    default=81, low=17, high=161, multiple_of=16, offset=1, source=MODEL_CARD
)


def _sides(size: tuple[int, int], *, given: bool, upright: bool) -> tuple[Parameter, ...]:
    """Return the sides of the video.

    Args:
        size: Width and height that the model was trained on.
        given: True when they are the default; False when the picture decides.
        upright: True when the video may stand as well as lie.
    """
    width, height = size
    tallest = width if upright else height
    return (
        settings.side(
            "width", default=width if given else None, multiple_of=16, low=16, high=width
        ),
        settings.side(
            "height", default=height if given else None, multiple_of=16, low=16, high=tallest
        ),
    )


def _around(shorter: int, longer: int) -> tuple[Parameter, ...]:
    """Return the sides of a model whose shorter side is fixed, while the picture decides both."""
    sides = (
        settings.side(name, default=None, multiple_of=16, low=shorter, high=longer)
        for name in ("width", "height")
    )
    why = f"The shorter side is {shorter}, as in the authors' table."
    return tuple(replace(side, description=f"{side.description} {why}") for side in sides)


def _learned(name: str, side: int) -> Parameter:
    """Return a side of a model that makes one size alone."""
    parameter = settings.side(name, default=side, multiple_of=16, low=side, high=side)
    why = f"Only {side}: the model has learned positions for it."
    return replace(parameter, description=f"{parameter.description} {why}")


def _dynamic_cfg(*, default: bool) -> Parameter:
    return Parameter(
        name="use_dynamic_cfg",
        kind=Kind.BOOLEAN,
        required=False,
        default=default,
        source=AUTHORS,
        advanced=True,
        description="Let the guidance follow the steps, up to guidance_scale. Made for the DPM "
        "scheduler.",
    )


def _schema(
    feature: Feature,
    sides: tuple[Parameter, ...],
    num_frames: Parameter,
    *,
    pixels: int,
    fps: int,
    dynamic_cfg: bool = True,
    rule: Rule | None = None,
) -> Schema:
    return Schema(
        parameters=(
            *INPUTS[feature],
            settings.negative_prompt(default="", source=PIPELINE),
            *sides,
            num_frames,
            settings.num_inference_steps(default=50, source=AUTHORS),
            settings.guidance_scale(default=6.0, source=AUTHORS),
            _dynamic_cfg(default=dynamic_cfg),
            settings.SEED,
            settings.fps(default=fps),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(rule or MaxPixels(pixels),),
        objects=settings.OBJECT_ARGUMENTS,
    )


FIRST_PIXELS = FIRST_SIZE[0] * FIRST_SIZE[1]
SECOND_PIXELS = SECOND_SIZE[0] * SECOND_SIZE[1]

T2V_5B = ModelCard(
    name="cogvideox-5b",
    title="CogVideoX 5B text to video",
    family="cogvideox",
    description="Six seconds from words at 720x480, eight frames a second.",
    homepage="https://huggingface.co/zai-org/CogVideoX-5b",
    licence="CogVideoX License (research free; commercial use by registration)",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Free for research. For commercial use register first (free, at "
        "open.bigmodel.cn/mla/form); with more than a million visits a month ask the authors.",
        source="github.com/zai-org/CogVideo, MODEL_LICENSE",
    ),
    engine="cogvideox_t2v",
    repository="zai-org/CogVideoX-5b",
    revision="8d6ea3f817438460b25595a120f109b88d5fdfad",
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _schema(
                Feature.TEXT_TO_VIDEO,
                _sides(FIRST_SIZE, given=True, upright=True),
                FIRST_FRAMES,
                pixels=FIRST_PIXELS,
                fps=FIRST_FPS,
            )
        }
    ),
    fps=FIRST_FPS,
    pixels=FIRST_PIXELS,
    weights_gib=19.7,
    largest_gib=10.4,
    # The authors measured 5 GB with offload in layers and a tiled VAE, on an A100.
    gpu_memory_gib=8,
    prompt_tokens=226,
    options=MappingProxyType({"scheduler": "CogVideoXDPMScheduler"}),
)

T2V_2B = replace(
    T2V_5B,
    name="cogvideox-2b",
    title="CogVideoX 2B text to video",
    description="The small one: six seconds from words on a laptop's GPU, free for any use.",
    homepage="https://huggingface.co/zai-org/CogVideoX-2b",
    licence="Apache-2.0",
    terms=apache_terms("github.com/zai-org/CogVideo, README.md"),
    repository="zai-org/CogVideoX-2b",
    revision="1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _schema(
                Feature.TEXT_TO_VIDEO,
                _sides(FIRST_SIZE, given=True, upright=True),
                FIRST_FRAMES,
                pixels=FIRST_PIXELS,
                fps=FIRST_FPS,
                dynamic_cfg=False,
            )
        }
    ),
    # The text encoder is 10.7: its library keeps a third of it in fp32 where the rest is in fp16.
    weights_gib=14.6,
    largest_gib=10.7,
    # The authors measured 4 GB in the same way.
    gpu_memory_gib=6,
    # The authors: DDIM for 2B, DPM for 5B.
    # It was trained in fp16, and the authors advise the type of the training.
    options=MappingProxyType({"scheduler": "CogVideoXDDIMScheduler", "gpu_dtype": "float16"}),
)

I2V_5B = replace(
    T2V_5B,
    name="cogvideox-5b-image-to-video",
    title="CogVideoX 5B image to video",
    description="Six seconds from a picture, at 720x480 only.",
    homepage="https://huggingface.co/zai-org/CogVideoX-5b-I2V",
    engine="cogvideox_i2v",
    repository="zai-org/CogVideoX-5b-I2V",
    revision="a6f0f4858a8395e7429d82493864ce92bf73af11",
    features=MappingProxyType(
        {
            Feature.IMAGE_TO_VIDEO: _schema(
                Feature.IMAGE_TO_VIDEO,
                (_learned("width", 720), _learned("height", 480)),
                LEARNED_FRAMES,
                pixels=FIRST_PIXELS,
                fps=FIRST_FPS,
            )
        }
    ),
)

T2V_1_5 = replace(
    T2V_5B,
    name="cogvideox1.5-5b",
    title="CogVideoX 1.5 5B text to video",
    description="Five or ten seconds from words at 1360x768, sixteen frames a second.",
    homepage="https://huggingface.co/zai-org/CogVideoX1.5-5B",
    repository="zai-org/CogVideoX1.5-5B",
    revision="fdc5267c90b5c06492985b966e43aae984e189e0",
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _schema(
                Feature.TEXT_TO_VIDEO,
                # The table of positions may end at the training size for a landscape video.
                _sides(SECOND_SIZE, given=True, upright=False),
                SECOND_FRAMES,
                pixels=SECOND_PIXELS,
                fps=SECOND_FPS,
            )
        }
    ),
    fps=SECOND_FPS,
    pixels=SECOND_PIXELS,
    # The authors measured 9 GB with offload in layers and a tiled VAE, on an A100.
    gpu_memory_gib=12,
    # The authors' table; the pipeline's own default is 226 for both versions.
    prompt_tokens=224,
)

I2V_1_5 = replace(
    T2V_1_5,
    name="cogvideox1.5-5b-image-to-video",
    title="CogVideoX 1.5 5B image to video",
    description="Five or ten seconds from a picture, sixteen frames a second.",
    homepage="https://huggingface.co/zai-org/CogVideoX1.5-5B-I2V",
    engine="cogvideox_i2v",
    repository="zai-org/CogVideoX1.5-5B-I2V",
    revision="46c90528707aebbe69066390b4fe7e7d24c9c2a4",
    features=MappingProxyType(
        {
            Feature.IMAGE_TO_VIDEO: _schema(
                Feature.IMAGE_TO_VIDEO,
                _around(SHORTER, SECOND_SIZE[0]),
                SECOND_FRAMES,
                pixels=SECOND_PIXELS,
                fps=SECOND_FPS,
                rule=ShorterSide(SHORTER),
            )
        }
    ),
)

MODELS = (T2V_2B, T2V_5B, I2V_5B, T2V_1_5, I2V_1_5)
