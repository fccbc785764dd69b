"""CogVideoX-Fun by Alibaba's PAI: CogVideoX tuned to follow skeletons, at eight frames a second.

It reads skeletons and words, and no picture: how the character looks comes from the prompt. A
picture may be given all the same, as with the other models of pose guidance; its shape decides the
size, and a warning says that the rest of it is not read. Without one the motion's shape decides.

The skeletons are those of DWPose in the authors' own nodes: OpenPose's colours, red first. Lengths
are of the form 8k+1 as with CogVideoX, whose VAE decodes latent frames in pairs; the authors' own
VAE takes 4k+1. No commit of the repository is known to be good: the first one that is used stays in
use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.catalogue.pose_parameters import Guide, PoseFacts, pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import REAL_PACE, ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import ExactlyOne, MaxPixels, Schema

REPOSITORY = "github.com/aigc-apps/VideoX-Fun"
SCRIPT = f"{REPOSITORY}, examples/cogvideox_fun/predict_v2v_control.py"
DRAWING = f"{REPOSITORY}, comfyui/annotator/dwpose_utils"
SIZES = f"{REPOSITORY}, reports/cogvideox_fun/report_v1_1.md"
PIXELS = 384 * 672
"""The size of the authors' script; its shape comes from the picture or the motion here."""
LARGEST = 1024
FPS = 8

# Their script's own, the space at its end included.
NEGATIVE_PROMPT = (
    "The video is not of a high quality, it has a low resolution. Watermark present in each "
    "frame. The background is solid. Strange body and strange trajectory. Distortion. "
)

INPUTS_OF_WORDS = tuple(
    replace(
        parameter,
        required=False,
        description="Not read by this model: the character is described in the prompt. Only the "
        "picture's shape is used, for the size of the video.",
    )
    if parameter.name == "image"
    else parameter
    for parameter in INPUTS[Feature.POSE_GUIDANCE]
)


def _side(name: str) -> Parameter:
    side = settings.side(name, default=None, multiple_of=16, low=16, high=LARGEST)
    return replace(
        side,
        description=f"{name.capitalize()} of the video; if left out, from the shape of the picture "
        "or of the motion. The authors trained it at 512x512 to 1024x1024.",
    )


SCHEMA = Schema(
    parameters=(
        *INPUTS_OF_WORDS,
        *pose_parameters(ColourOrder.RGB, source=DRAWING, pace=REAL_PACE, pace_source=SCRIPT),
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=SCRIPT),
        _side("width"),
        _side("height"),
        settings.num_frames(default=49, low=9, high=49, multiple_of=8, offset=1, source=SCRIPT),
        settings.num_inference_steps(default=50, source=SCRIPT),
        settings.guidance_scale(default=6.0, source=SCRIPT),
        settings.SEED,
        settings.fps(default=FPS),
        settings.LORAS,
        *settings.MEMORY_SETTINGS,
        settings.ACCELERATION,
    ),
    rules=(
        ExactlyOne(tuple(source.name for source in POSE_SOURCES)),
        MaxPixels(LARGEST * LARGEST),
    ),
    objects=settings.OBJECT_ARGUMENTS,
)

POSE_5B = ModelCard(
    name="cogvideox-fun-5b-pose",
    title="CogVideoX-Fun V1.1 5B Pose",
    family="cogvideox",
    description="Moves what the prompt describes by a person's poses, on a small GPU; reads no "
    "picture.",
    homepage="https://huggingface.co/alibaba-pai/CogVideoX-Fun-V1.1-5b-Pose",
    licence="CogVideoX License (research free; commercial use by registration)",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Free for research. For commercial use register first (free, at "
        "open.bigmodel.cn/mla/form); with more than a million visits a month ask the authors.",
        source=f"{REPOSITORY}, README.md, which names the licence of CogVideoX-5B for its "
        "transformer; github.com/zai-org/CogVideo, MODEL_LICENSE",
    ),
    engine="cogvideox_fun",
    repository="alibaba-pai/CogVideoX-Fun-V1.1-5b-Pose",
    features=MappingProxyType({Feature.POSE_GUIDANCE: SCHEMA}),
    skeletons=ColourOrder.RGB,
    pose=PoseFacts(
        takes=MappingProxyType(
            {
                Guide.SKELETONS: "`pose_video`",
                Guide.PLAIN_VIDEO: "`guiding_video`, skeletons are found in it",
            }
        ),
        keeps=MappingProxyType({}),
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=19.7,
    largest_gib=10.4,
    gpu_memory_gib=8,
    prompt_tokens=226,
)

MODELS = (POSE_5B,)
