"""FramePack by Lvmin Zhang: long videos from one picture, or between two.

It predicts a video in sections of 36 frames, the last one first, so that the memory does not grow
with the length. A video is therefore 36k+1 frames long: the schema offers these lengths alone,
because the pipeline rounds any other up, and cutting would lose the end of the video, which is
where an interpolation has to arrive. The last picture itself is what would come next: the model
draws up to it.

Only the transformer is FramePack's own. It is used in HunyuanVideo's pipeline with an image encoder
from a third repository. The transformer that HunyuanVideo brings (24 GiB) is not fetched. A
revision is a commit that several independent projects pin.
"""

from __future__ import annotations

from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard, Part
from tiomagic_domain.catalogue.licences import tencent_terms
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

SOURCE = "diffusers 0.42.1, HunyuanVideoFramepackPipeline"
DEMO = "the authors' demo_gradio.py (github.com/lllyasviel/FramePack)"
EXAMPLES = "diffusers 0.42.1, examples of HunyuanVideoFramepackPipeline"
SECTION = 36
"""Frames in a section: nine latent frames of four frames each."""
DEFAULT_SECTIONS = 4
FPS = 30
VISION_REVISION = "45b801affc54ff2af4e5daf1b282e0921901db87"

EMBEDDED_GUIDANCE = Parameter(
    name="guidance_scale",
    kind=Kind.NUMBER,
    required=False,
    default=10.0,
    minimum=1.0,
    maximum=20.0,
    source=DEMO,
    description="How closely the video follows the prompt. It is an input of the model and costs "
    "no time.",
)

TRUE_CFG_SCALE = Parameter(
    name="true_cfg_scale",
    kind=Kind.NUMBER,
    required=False,
    default=1.0,
    minimum=1.0,
    maximum=20.0,
    source=SOURCE,
    advanced=True,
    description="Guidance against negative_prompt; 1 turns it off, more doubles the time.",
)

NEGATIVE_PROMPT = Parameter(
    name="negative_prompt",
    kind=Kind.STRING,
    required=False,
    default="",
    source=SOURCE,
    description="What the video must not show; without effect unless true_cfg_scale is above 1.",
)


def _schema(feature: Feature) -> Schema:
    return Schema(
        parameters=(
            *INPUTS[feature],
            NEGATIVE_PROMPT,
            # The authors' demo has a list of sizes in multiples of 32 (bucket_tools.py), the
            # pipeline takes 16, and 1280x720, the documented default of tiomagic 1.0.0, is one.
            settings.side("width", default=None, multiple_of=16, low=16, high=1280),
            settings.side("height", default=None, multiple_of=16, low=16, high=1280),
            Parameter(
                name="num_frames",
                kind=Kind.INTEGER,
                required=False,
                # The pipeline's 129 is rounded up to four sections.
                default=DEFAULT_SECTIONS * SECTION + 1,
                minimum=SECTION + 1,
                maximum=25 * SECTION + 1,
                multiple_of=SECTION,
                offset=1,
                unit="frames",
                source=SOURCE,
                description=f"Length of the video, in sections of {SECTION} frames and one more; "
                "the time grows with it, the memory does not.",
            ),
            # For each section. The authors' 25 are steps of another sampler.
            settings.num_inference_steps(default=30, source=EXAMPLES),
            EMBEDDED_GUIDANCE,
            TRUE_CFG_SCALE,
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.EXACT_ACCELERATION,
        ),
        rules=(MaxPixels(1280 * 720),),
        # Each section starts from noise of its own, so there are no latents to give.
        objects=(
            *(name for name in settings.OBJECT_ARGUMENTS if name != "latents"),
            *settings.MASK_ARGUMENTS,
            "pooled_prompt_embeds",
            "negative_pooled_prompt_embeds",
        ),
    )


FRAMEPACK = ModelCard(
    name="framepack-i2v-hy",
    title="FramePack image to video",
    family="framepack",
    description="Long videos from one picture or between two, with the memory of a short one.",
    homepage="https://github.com/lllyasviel/FramePack",
    licence="Tencent Hunyuan Community (not for use in the EU, the UK and South Korea)",
    terms=tencent_terms(
        "github.com/Tencent-Hunyuan/HunyuanVideo, LICENSE",
        " The image encoder is a copy from FLUX.1 Redux, whose own licence is for non-commercial "
        "use; whether it holds for this encoder, which is Google's SigLIP, is not said.",
    ),
    engine="framepack",
    repository="hunyuanvideo-community/HunyuanVideo",
    revision="e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
    parts=(
        Part(
            name="transformer",
            library="diffusers",
            kind="HunyuanVideoFramepackTransformer3DModel",
            repository="lllyasviel/FramePackI2V_HY",
            revision="86cef4396041b6002c957852daac4c91aaa47c79",
        ),
        Part(
            name="image_encoder",
            library="transformers",
            kind="SiglipVisionModel",
            repository="lllyasviel/flux_redux_bfl",
            revision=VISION_REVISION,
            folder="image_encoder",
        ),
        Part(
            name="feature_extractor",
            library="transformers",
            kind="SiglipImageProcessor",
            repository="lllyasviel/flux_redux_bfl",
            revision=VISION_REVISION,
            folder="feature_extractor",
        ),
    ),
    features=MappingProxyType(
        {feature: _schema(feature) for feature in (Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)}
    ),
    fps=FPS,
    # The authors' demo scales pictures to about 640x640.
    pixels=640 * 640,
    weights_gib=39.9,
    largest_gib=24.0,
    gpu_memory_gib=12,
    prompt_tokens=256,
)

MODELS = (FRAMEPACK,)
