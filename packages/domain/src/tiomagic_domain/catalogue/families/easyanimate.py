"""EasyAnimate V5.1 by Alibaba's PAI: a character's picture and skeletons, at eight frames a second.

The picture is the reference for the first frame: the authors trained it with a frame of the same
video, so it fills the frame here, cropped to the video's shape, and a picture in the pose of the
first skeleton is followed best.

Any length of the form 4k+1 up to 49 frames is made as asked. The language model that reads the
prompt (Qwen2-VL) reads 256 tokens, of which its template takes 19. The pipeline's attention goes
past the kernels that can be chosen, and diffusers has no cache and no loader of LoRAs for it. No
commit of the repository is known to be good: the first one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept, PoseFacts, pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import REAL_PACE, ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.schema import ExactlyOne, MaxPixels, Schema

REPOSITORY = "github.com/aigc-apps/EasyAnimate"
SCRIPT = f"{REPOSITORY}, predict_v2v_control.py"
README = f"{REPOSITORY}, README.md"
DRAWING = "the same authors' github.com/aigc-apps/VideoX-Fun, comfyui/annotator/dwpose_utils"
PIXELS = 384 * 672
"""The size of the authors' script; its shape comes from the picture here."""
LARGEST = 1024
FPS = 8

# Their script's own: a twisted body, missing limbs, subtitles, comics, stillness, ugliness, errors.
NEGATIVE_PROMPT = "扭曲的身体，肢体残缺，文本字幕，漫画，静止，丑陋，错误，乱码。"

_INPUTS = tuple(
    replace(
        parameter,
        description=f"{parameter.description} It fills the frame and is cropped to the video's "
        "shape; best in the pose of the first skeleton.",
    )
    if parameter.name == "image"
    else parameter
    for parameter in INPUTS[Feature.POSE_GUIDANCE]
)

SCHEMA = Schema(
    parameters=(
        *_INPUTS,
        *pose_parameters(ColourOrder.RGB, source=DRAWING, pace=REAL_PACE, pace_source=SCRIPT),
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=SCRIPT),
        settings.side("width", default=None, multiple_of=16, low=16, high=LARGEST),
        settings.side("height", default=None, multiple_of=16, low=16, high=LARGEST),
        settings.num_frames(default=49, low=5, high=49, multiple_of=4, offset=1, source=SCRIPT),
        settings.num_inference_steps(default=50, source=SCRIPT),
        settings.guidance_scale(default=6.0, source=SCRIPT),
        settings.SEED,
        settings.fps(default=FPS),
        *settings.MEMORY_SETTINGS,
        settings.EXACT_ACCELERATION,
    ),
    rules=(
        ExactlyOne(tuple(source.name for source in POSE_SOURCES)),
        MaxPixels(LARGEST * LARGEST),
    ),
    objects=(
        *(name for name in settings.OBJECT_ARGUMENTS if name != "attention_kwargs"),
        *settings.MASK_ARGUMENTS,
    ),
)

CONTROL_12B = ModelCard(
    name="easyanimate-v5.1-12b-control",
    title="EasyAnimate V5.1 12B Control",
    family="easyanimate",
    description="A pictured character follows skeletons for six seconds; reads English and "
    "Chinese.",
    homepage="https://github.com/aigc-apps/EasyAnimate",
    licence="Apache-2.0",
    terms=apache_terms(f"{README}; the weights' page on the hub says the same"),
    engine="easyanimate_control",
    repository="alibaba-pai/EasyAnimateV5.1-12b-zh-Control-diffusers",
    features=MappingProxyType({Feature.POSE_GUIDANCE: SCHEMA}),
    skeletons=ColourOrder.RGB,
    pose=PoseFacts(
        takes=MappingProxyType(
            {
                Guide.SKELETONS: "`pose_video`",
                Guide.PLAIN_VIDEO: "`guiding_video`, skeletons are found in it",
            }
        ),
        keeps=MappingProxyType(
            {Kept.IDENTITY: "of the picture", Kept.BACKGROUND: "of the picture"}
        ),
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=38.0,
    largest_gib=22.0,
    gpu_memory_gib=8,
    prompt_tokens=237,
)

MODELS = (CONTROL_12B,)
