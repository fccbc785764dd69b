"""Wan 2.1 by Alibaba: text, pictures, in-betweens and poses, at 16 frames a second.

Weights were counted from their shapes (bf16, the VAE and the CLIP encoder in fp32). The limits are
the pipelines' own: they refuse sides that are no multiple of 16, and round a frame count that is
not 4k+1 without saying so, which is why the schema is strict.

A revision is a commit that several independent projects pin; where none was found it is None, and
the first one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families import lightx2v
from tiomagic_domain.catalogue.licences import apache_terms
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept, PoseFacts, pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import ExactlyOne, MaxPixels, Schema
from tiomagic_domain.weights.wan_files import (
    I2V_480P_FILES,
    I2V_720P_FILES,
    T2V_14B_FILES,
    VACE_14B_FILES,
)

SOURCE = "the authors' generate.py (github.com/Wan-Video/Wan2.1)"
README = "the authors' README (github.com/Wan-Video/Wan2.1)"
PIXELS_480P = 832 * 480
PIXELS_720P = 1280 * 720
FPS = 16

NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，"
    "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)
"""The negative prompt of the authors' scripts for every model (wan/configs/shared_config.py). The
text encoder reads Chinese and English; ENGLISH_NEGATIVE_PROMPT is the translation."""
CAMERA_SHAKE, CUT = "镜头晃动，", "镜头切换，"
"""Their prefixes to it: the first for pictures, both between two (cut, camera shake)."""
NEGATIVE_SOURCE = "Wan 2.1, wan/configs/shared_config.py"
NEGATIVE_PREFIXES = MappingProxyType(
    {
        Feature.IMAGE_TO_VIDEO: (CAMERA_SHAKE, "Wan 2.1, wan/configs/wan_i2v_14B.py"),
        Feature.INTERPOLATE: (CUT + CAMERA_SHAKE, "Wan 2.1, wan/configs/__init__.py"),
    }
)
"""Of the models that have a task of their own for it. VACE uses the plain text for everything."""

ENGLISH_NEGATIVE_PROMPT = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, "
    "images, static, overall gray, worst quality, low quality, JPEG compression residue, ugly, "
    "incomplete, extra fingers, poorly drawn hands, poorly drawn faces, deformed, disfigured, "
    "misshapen limbs, fused fingers, still picture, messy background, three legs, many people in "
    "the background, walking backwards"
)
"""The same in English, as the documentation of diffusers, SkyReels-V2 and Pusa have it."""

CONDITIONING_SCALE = Parameter(
    name="conditioning_scale",
    kind=Kind.NUMBER,
    required=False,
    default=1.0,
    minimum=0.0,
    maximum=2.0,
    source="diffusers 0.42.1, WanVACEPipeline",
    advanced=True,
    description="How strongly pictures and skeletons bind the video.",
)

VACE_MOMENTS = KeyframeMoments(step=4)
"""Of the four frames that its autoencoder packs into one, the last one is the clearest."""
VACE_FRAMES = "github.com/ali-vilab/VACE, vace/annotators/frameref.py"
"""Where the authors place pictures: first, last, both, or at random."""

VACE_FACTS = PoseFacts(
    takes=MappingProxyType(
        {
            Guide.SKELETONS: "`pose_video`",
            Guide.PLAIN_VIDEO: "`guiding_video`, skeletons are found in it",
            # Its authors trained it on many kinds of drawings; a given video is used as it is.
            Guide.DEPTH: "as `pose_video`",
        }
    ),
    keeps=MappingProxyType({Kept.IDENTITY: "of the picture"}),
)
VACE_POSES = pose_parameters(
    ColourOrder.BGR,
    source="github.com/ali-vilab/VACE, vace/annotators/pose.py",
    pace_source="github.com/ali-vilab/VACE, vace/models/wan/wan_vace.py, keep_last",
)


def wan_schema(
    feature: Feature,
    *,
    size: tuple[int, int],
    flow_shift: float,
    guidance_scale: float = 5.0,
    steps: int = 50,
    source: str = SOURCE,
    negative: tuple[str, str] = (NEGATIVE_PROMPT, NEGATIVE_SOURCE),
    extra: tuple[Parameter, ...] = (),
) -> Schema:
    """Return the parameters of one feature of a Wan model.

    Args:
        feature: Decides the inputs, and whether the size has a default or follows the picture.
        size: Width and height in pixels that the model was trained on.
        flow_shift: Default shift of the noise schedule.
        guidance_scale: Default strength of guidance.
        steps: Default number of denoising steps.
        source: Source of the shift and the guidance.
        negative: Default negative prompt, and its source.
        extra: Parameters of this model alone.
    """
    width, height = size if feature is Feature.TEXT_TO_VIDEO else (None, None)
    # Only VACE does poses; its annotator swaps red and blue at the end.
    poses = VACE_POSES if feature is Feature.POSE_GUIDANCE else ()
    shared = (
        settings.negative_prompt(default=negative[0], source=negative[1]),
        settings.side("width", default=width, multiple_of=16, low=16, high=1280),
        settings.side("height", default=height, multiple_of=16, low=16, high=1280),
        # Up to twice the length of the training, for which the authors give no guarantee; the
        # parameter's description says so.
        settings.num_frames(default=81, low=5, high=161, multiple_of=4, offset=1, source=SOURCE),
        settings.num_inference_steps(default=steps, source=SOURCE),
        settings.guidance_scale(default=guidance_scale, source=source),
        settings.flow_shift(default=flow_shift, source=source),
        settings.SEED,
        settings.fps(default=FPS),
        *settings.MEMORY_SETTINGS,
        settings.ACCELERATION,
        settings.LORAS,
    )
    one_pose = (ExactlyOne(tuple(p.name for p in POSE_SOURCES)),) if poses else ()
    return Schema(
        parameters=(*INPUTS[feature], *poses, *shared, *extra),
        # Every model of the family accepts 720p; the default is the size of its training.
        rules=(*one_pose, MaxPixels(PIXELS_720P)),
        objects=settings.OBJECT_ARGUMENTS,
    )


def negative_prompt_for(feature: Feature) -> tuple[str, str]:
    """Return the negative prompt of a model for one feature, with the authors' prefix for it."""
    prefix, source = NEGATIVE_PREFIXES.get(feature, ("", NEGATIVE_SOURCE))
    return prefix + NEGATIVE_PROMPT, source


def wan_vace_features(
    size: tuple[int, int], flow_shift: float
) -> MappingProxyType[Feature, Schema]:
    """Return the parameters of all four features of a VACE model."""
    bound = (CONDITIONING_SCALE,)
    schemas = {
        feature: wan_schema(
            feature,
            size=size,
            flow_shift=flow_shift,
            # Without a picture there is nothing to condition on.
            extra=() if feature is Feature.TEXT_TO_VIDEO else bound,
        )
        for feature in Feature
    }
    between = schemas[Feature.INTERPOLATE].with_keyframes(
        VACE_MOMENTS, source=VACE_FRAMES, free_ends=True
    )
    return MappingProxyType({**schemas, Feature.INTERPOLATE: between})


T2V_14B = ModelCard(
    name="wan2.1-t2v-14b",
    title="Wan 2.1 text to video 14B",
    family="wan2.1",
    description="The large text model: the best motion of the family from words alone.",
    homepage="https://github.com/Wan-Video/Wan2.1",
    licence="Apache-2.0",
    terms=apache_terms("github.com/Wan-Video/Wan2.1, LICENSE.txt"),
    engine="wan_t2v",
    repository="Wan-AI/Wan2.1-T2V-14B-Diffusers",
    revision="38ec498cb3208fb688890f8cc7e94ede2cbd7f68",
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: wan_schema(Feature.TEXT_TO_VIDEO, size=(832, 480), flow_shift=5.0)}
    ),
    fps=FPS,
    pixels=PIXELS_480P,
    weights_gib=37.7,
    largest_gib=26.7,
    gpu_memory_gib=16,
    prompt_tokens=512,
)

T2V_1_3B = replace(
    T2V_14B,
    name="wan2.1-t2v-1.3b",
    title="Wan 2.1 text to video 1.3B",
    # From the authors' README; their script refuses 720p for it, here you may try it.
    description="The small text model: runs on a gaming GPU at 480p; 720p is less stable.",
    repository="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    revision="0fad780a534b6463e45facd96134c9f345acfa5b",
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: wan_schema(
                Feature.TEXT_TO_VIDEO,
                size=(832, 480),
                flow_shift=8.0,
                guidance_scale=6.0,
                source=README,
            )
        }
    ),
    weights_gib=13.7,
    largest_gib=10.6,
    gpu_memory_gib=8,
)

I2V_720P = replace(
    T2V_14B,
    name="wan2.1-i2v-14b-720p",
    title="Wan 2.1 image to video 14B, 720p",
    description="Brings one picture to life at 720p.",
    engine="wan_i2v",
    repository="Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
    revision=None,
    features=MappingProxyType(
        {
            Feature.IMAGE_TO_VIDEO: wan_schema(
                Feature.IMAGE_TO_VIDEO,
                size=(1280, 720),
                flow_shift=5.0,
                steps=40,
                negative=negative_prompt_for(Feature.IMAGE_TO_VIDEO),
            )
        }
    ),
    pixels=PIXELS_720P,
    weights_gib=44.0,
    largest_gib=30.6,
)

I2V_480P = replace(
    I2V_720P,
    name="wan2.1-i2v-14b-480p",
    title="Wan 2.1 image to video 14B, 480p",
    description="Brings one picture to life at 480p, in less than half the time of 720p.",
    repository="Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
    revision="b184e23a8a16b20f108f727c902e769e873ffc73",
    features=MappingProxyType(
        {
            Feature.IMAGE_TO_VIDEO: wan_schema(
                Feature.IMAGE_TO_VIDEO,
                size=(832, 480),
                flow_shift=3.0,
                steps=40,
                negative=negative_prompt_for(Feature.IMAGE_TO_VIDEO),
            )
        }
    ),
    pixels=PIXELS_480P,
)

FLF2V_720P = replace(
    I2V_720P,
    name="wan2.1-flf2v-14b-720p",
    title="Wan 2.1 first and last frame to video 14B, 720p",
    description="Draws the frames between two pictures; its authors advise Chinese prompts, which "
    "it was trained on.",
    repository="Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers",
    revision="17c30769b1e0b5dcaa1799b117bf20a9c31f59d7",
    features=MappingProxyType(
        {
            Feature.INTERPOLATE: wan_schema(
                Feature.INTERPOLATE,
                size=(1280, 720),
                flow_shift=16.0,
                negative=negative_prompt_for(Feature.INTERPOLATE),
            )
        }
    ),
)

VACE_14B = replace(
    T2V_14B,
    name="wan2.1-vace-14b",
    title="Wan 2.1 VACE 14B",
    description="One large model for all four features; the place to start on a big GPU.",
    engine="wan_vace",
    repository="Wan-AI/Wan2.1-VACE-14B-diffusers",
    revision="db79b90c60bbb45ceec9e41b9d5a4df934538ac4",
    features=wan_vace_features(size=(832, 480), flow_shift=16.0),
    # Its mask keeps any frames, and no length of the authors' is known to us: a second of motion,
    # which leaves 64 of 81 frames.
    context_frames=17,
    skeletons=ColourOrder.BGR,
    pose=VACE_FACTS,
    weights_gib=43.4,
    largest_gib=32.4,
)

VACE_1_3B = replace(
    VACE_14B,
    name="wan2.1-vace-1.3b",
    title="Wan 2.1 VACE 1.3B",
    description="One small model for all four features; fits a gaming GPU at 480p, for which it "
    "was trained.",
    repository="Wan-AI/Wan2.1-VACE-1.3B-diffusers",
    revision="ec4d2cb062b548996b179d493fdd05340de702a1",
    weights_gib=15.1,
    largest_gib=10.6,
    gpu_memory_gib=8,
)

MODELS = (
    replace(lightx2v.with_turbo(T2V_14B, lightx2v.T2V_14B), quantized_files=T2V_14B_FILES),
    T2V_1_3B,
    replace(lightx2v.with_turbo(I2V_720P, lightx2v.I2V_720P), quantized_files=I2V_720P_FILES),
    replace(lightx2v.with_turbo(I2V_480P, lightx2v.I2V_480P), quantized_files=I2V_480P_FILES),
    FLF2V_720P,
    replace(lightx2v.with_turbo(VACE_14B, lightx2v.T2V_14B), quantized_files=VACE_14B_FILES),
    VACE_1_3B,
)
