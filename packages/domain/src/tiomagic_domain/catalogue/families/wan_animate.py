"""Wan 2.2 Animate by Alibaba: a character copies the motion and face of a person in a video.

It reads two things from the guiding video: the skeleton, and the face. Both are found here, by the
same estimator as for VACE (DWPose; the authors use ViTPose-H behind YOLOv10m, with the same 133
points), and then drawn and cut out as the authors do it. Skeletons alone (``pose_video``) show no
face: then the model gets the input for "no face" of its training, and chooses the expression
itself.

With ``background_video`` and ``mask_video`` it replaces a person in a video and keeps the rest, as
the authors' mode ``replace``. They also put a LoRA on it there, which fits the character's light to
the scene; it is a pickle in the repository of the original weights, so that it is not loaded here.

It works in segments of 77 frames, each continued from the last frame of the one before. Other
lengths end within a segment, which costs as much as all of it.

A prompt is required as for every model. The authors advise against your own: they use one sentence
for all videos, PROMPT here, which the parameter's description quotes.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families.wan import NEGATIVE_PROMPT, PIXELS_720P
from tiomagic_domain.catalogue.families.wan22 import NEGATIVE_SOURCE
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept, PoseFacts, pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import REAL_PACE, ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, REPLACEMENT_SOURCES, Feature
from tiomagic_domain.schema.schema import AllOrNone, ExactlyOne, MaxPixels, Schema
from tiomagic_domain.weights.wan_files import ANIMATE_14B_FILES

SOURCE = "diffusers 0.42.1, WanAnimatePipeline"
CONFIGURATION = "Wan 2.2, wan/configs/wan_animate_14B.py"
DRAWING = "Wan 2.2, wan/modules/animate/preprocess/human_visualization.py"
PREPARATION = "Wan 2.2, wan/modules/animate/preprocess/process_pipepline.py"
PROMPT = "视频中的人在做动作"
"""The authors' prompt for every video (CONFIGURATION): the person in the video is moving."""
SEGMENT = 77
FPS = 30

INPUTS_OF_POSES = tuple(
    replace(
        parameter,
        description=f"{parameter.description} The authors advise their own sentence for every "
        f"video: {PROMPT!r} (the person in the video is moving).",
    )
    if parameter.name == "prompt"
    else parameter
    for parameter in INPUTS[Feature.POSE_GUIDANCE]
)

SCHEMA = Schema(
    parameters=(
        *INPUTS_OF_POSES,
        *pose_parameters(ColourOrder.RGB, source=DRAWING, pace=REAL_PACE, pace_source=PREPARATION),
        *REPLACEMENT_SOURCES,
        settings.negative_prompt(default=NEGATIVE_PROMPT, source=NEGATIVE_SOURCE),
        settings.side("width", default=None, multiple_of=16, low=16, high=1280),
        settings.side("height", default=None, multiple_of=16, low=16, high=1280),
        settings.num_frames(
            default=SEGMENT,
            low=5,
            # Four segments; each but the first repeats one frame of the previous one.
            high=4 * (SEGMENT - 1) + 1,
            multiple_of=4,
            offset=1,
            source=SOURCE,
        ),
        settings.num_inference_steps(default=20, source=SOURCE),
        settings.guidance_scale(default=1.0, source=SOURCE),
        settings.flow_shift(default=5.0, source=CONFIGURATION),
        settings.SEED,
        settings.fps(default=FPS),
        settings.LORAS,
        *settings.MEMORY_SETTINGS,
        settings.EXACT_ACCELERATION,
    ),
    rules=(
        ExactlyOne(tuple(p.name for p in POSE_SOURCES)),
        AllOrNone(tuple(p.name for p in REPLACEMENT_SOURCES)),
        MaxPixels(PIXELS_720P),
    ),
    objects=settings.OBJECT_ARGUMENTS,
)

ANIMATE = ModelCard(
    name="wan2.2-animate-14b",
    title="Wan 2.2 Animate 14B",
    family="wan2.2",
    description="A character that copies a person's movements and, from a guiding video, the face; "
    "it can also replace a person in a video.",
    homepage="https://github.com/Wan-Video/Wan2.2",
    licence="Apache-2.0",
    terms=apache_terms("github.com/Wan-Video/Wan2.2, LICENSE.txt"),
    engine="wan_animate",
    repository="Wan-AI/Wan2.2-Animate-14B-Diffusers",
    # No commit is known to be good: the first one that is used stays in use.
    revision=None,
    features=MappingProxyType({Feature.POSE_GUIDANCE: SCHEMA}),
    skeletons=ColourOrder.RGB,
    pose=PoseFacts(
        takes=MappingProxyType(
            {
                Guide.SKELETONS: "`pose_video`",
                Guide.PLAIN_VIDEO: "`guiding_video`, skeletons and the face are found in it",
                Guide.MASK: "`mask_video`, with `background_video`",
            }
        ),
        keeps=MappingProxyType(
            {
                Kept.IDENTITY: "of the picture",
                Kept.BACKGROUND: "of the picture, or of `background_video`",
                Kept.CAMERA: "of `background_video`",
            }
        ),
    ),
    fps=FPS,
    pixels=PIXELS_720P,
    weights_gib=45.6,
    largest_gib=32.2,
    gpu_memory_gib=24,
    prompt_tokens=512,
)

MODELS = (replace(ANIMATE, quantized_files=ANIMATE_14B_FILES),)
