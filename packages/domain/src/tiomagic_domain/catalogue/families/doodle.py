"""Doodle: the tiny model that comes with tiomagic, trained from scratch on drawn animation.

It has the architecture of Wan VACE and is run by the same engine, on a CPU, in seconds. It knows
one plain world of coloured shapes and stick figures, and the few words for it that are listed here.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families.wan import CONDITIONING_SCALE
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.catalogue.pose_parameters import Guide, Kept, PoseFacts, pose_parameters
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import INPUTS, POSE_SOURCES, Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import ExactlyOne, MaxPixels, Schema

SOURCE = "docs/doodle.md, measured"
SIDE = 64
FRAMES = 17
FPS = 16
PROMPT_TOKENS = 32
GUIDANCE = {Feature.IMAGE_TO_VIDEO: 1.5}
"""With given pictures, less guidance preserves them better."""

VOCABULARY = frozenset(
    """
    a an and animation background ball bigger black blue bounces bouncing box brown cartoon circle
    cyan dances dancing does down falls figure gets gray green grey growing grows hand in is jumping
    jumps left mint move moves moving night not of on orange person pink purple red right rises
    rotates shrinking shrinks simple sky slides smaller spinning spins square star stays stick still
    the to triangle turquoise up video violet walking walks waves waving white with yellow
    """.split()  # noqa: SIM905 - a text is easier to read than a list
)
"""Every word that the model was trained on."""

_OBJECTS = "ball|box|circle|figure|person|square|star|triangle"
_COLOURS = "black|blue|brown|cyan|green|orange|pink|purple|red|turquoise|violet|yellow"
_GROUNDS = "gray|grey|mint|night|sky|white"
UNKNOWN_PHRASES = (
    rf"\b(?:(?:{_COLOURS}) background|on (?:{_COLOURS})\b|(?:{_GROUNDS}) (?:{_OBJECTS})\b)"
)
"""Objects and backgrounds have separate sets of colours. With a colour of the other set, as in *a
yellow background*, the object may be missing."""


def _sizes(side: int | None) -> tuple[Parameter, ...]:
    return (
        settings.side("width", default=side, multiple_of=16, low=SIDE, high=SIDE),
        settings.side("height", default=side, multiple_of=16, low=SIDE, high=SIDE),
        settings.num_frames(
            default=FRAMES, low=FRAMES, high=FRAMES, multiple_of=4, offset=1, source=SOURCE
        ),
    )


def _only(parameter: Parameter) -> Parameter:
    """Explain why there is only one legal value, although the pipeline takes others."""
    why = f"Only {parameter.minimum}: at other values the picture falls apart."
    return replace(parameter, description=f"{parameter.description} {why}")


POSES = pose_parameters(
    ColourOrder.RGB, source="its training, training/world/figures.py", pace_source=SOURCE
)


MOMENTS = KeyframeMoments(step=4)
"""At the last of the four frames that its autoencoder packs into one: at the others the object is
not where the picture has it."""


def _schema(feature: Feature) -> Schema:
    size = SIDE if feature is Feature.TEXT_TO_VIDEO else None
    poses = POSES if feature is Feature.POSE_GUIDANCE else ()
    bound = () if feature is Feature.TEXT_TO_VIDEO else (CONDITIONING_SCALE,)
    shared = (
        settings.negative_prompt(default="", source=SOURCE),
        *map(_only, _sizes(size)),
        settings.num_inference_steps(default=12, source=SOURCE),
        settings.guidance_scale(default=GUIDANCE.get(feature, 2.5), source=SOURCE),
        settings.flow_shift(default=3.0, source=SOURCE),
        settings.SEED,
        settings.fps(default=FPS),
        *settings.MEMORY_SETTINGS,
        settings.ACCELERATION,
        settings.LORAS,
    )
    one_pose = (ExactlyOne(tuple(p.name for p in POSE_SOURCES)),) if poses else ()
    schema = Schema(
        parameters=(*INPUTS[feature], *poses, *shared, *bound),
        rules=(*one_pose, MaxPixels(SIDE * SIDE)),
        objects=settings.OBJECT_ARGUMENTS,
    )
    if feature is Feature.INTERPOLATE:
        return schema.with_keyframes(MOMENTS, source=SOURCE, free_ends=True)
    return schema


DOODLE = ModelCard(
    name="doodle",
    title="Doodle",
    family="doodle",
    description="Comes with tiomagic: shapes and stick figures, on any machine in seconds.",
    homepage="docs/doodle.md",
    licence="MIT",
    terms=LicenceTerms(
        use=LicenceUse.FREE,
        publishing="Any use, also commercial; it was trained on drawings of its own.",
        source="LICENSE",
    ),
    engine="wan_vace",
    repository=None,
    features=MappingProxyType({feature: _schema(feature) for feature in Feature}),
    skeletons=ColourOrder.RGB,
    pose=PoseFacts(
        takes=MappingProxyType(
            {
                Guide.SKELETONS: "`pose_video`",
                Guide.PLAIN_VIDEO: "`guiding_video`, skeletons are found in it",
            }
        ),
        keeps=MappingProxyType({Kept.IDENTITY: "the colour of the figure"}),
    ),
    fps=FPS,
    pixels=SIDE * SIDE,
    weights_gib=0.035,
    largest_gib=0.03,
    gpu_memory_gib=0,
    prompt_tokens=PROMPT_TOKENS,
    # A small model: it depends on differences of positions that bf16 would round away.
    options=MappingProxyType({"dtype": "float32"}),
    vocabulary=VOCABULARY,
    unknown_phrases=UNKNOWN_PHRASES,
    knows="shapes and stick figures",
    example_prompt="a red circle moves right",
    wider_models=MappingProxyType(
        dict.fromkeys(Feature, "wan2.1-vace-1.3b") | {Feature.TEXT_TO_VIDEO: "wan2.1-t2v-1.3b"}
    ),
)

MODELS = (DOODLE,)
