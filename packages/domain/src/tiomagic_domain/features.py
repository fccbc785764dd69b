"""The four features and the inputs that each requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from tiomagic_domain.media import Media
from tiomagic_domain.schema.parameter import Kind, Parameter


class Feature(StrEnum):
    """The feature of a call."""

    TEXT_TO_VIDEO = "text_to_video"
    IMAGE_TO_VIDEO = "image_to_video"
    INTERPOLATE = "interpolate"
    POSE_GUIDANCE = "pose_guidance"

    @property
    def label(self) -> str:
        """The feature's name for people."""
        return self.value.replace("_", " ")


SHORT_NAMES: Mapping[str, Feature] = MappingProxyType(
    {
        "t2v": Feature.TEXT_TO_VIDEO,
        "i2v": Feature.IMAGE_TO_VIDEO,
        "flf2v": Feature.INTERPOLATE,
        "pose": Feature.POSE_GUIDANCE,
    }
)
"""What models call the features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToVideoInputs:
    """The inputs of text to video."""

    feature: ClassVar[Feature] = Feature.TEXT_TO_VIDEO
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageToVideoInputs:
    """The inputs of image to video; the image becomes frame 0."""

    feature: ClassVar[Feature] = Feature.IMAGE_TO_VIDEO
    prompt: str
    image: Media
    context: Media | None = None
    """The first frames of the result, as a video: the end of what is continued, ``image`` first.
    None for the image alone. Only for a model whose card has ``context_frames``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """A picture and the frame of the video that shows it."""

    frame: int
    """Counted from 0."""
    image: Media


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolateInputs:
    """The inputs of interpolation; all pictures are frames of the result.

    Either end is None only for a model whose schema says that it may be left out; there is always a
    picture after the first.
    """

    feature: ClassVar[Feature] = Feature.INTERPOLATE
    prompt: str
    first_frame: Media | None = None
    last_frame: Media | None = None
    keyframes: tuple[Keyframe, ...] = ()
    """Pictures between the two, for a model that takes some; each at a frame of its own."""

    def frames(self, count: int) -> dict[int, Media]:
        """Return every picture by its frame, in the order of time.

        Args:
            count: Frames of the video.
        """
        between = {keyframe.frame: keyframe.image for keyframe in self.keyframes}
        ends = {0: self.first_frame, count - 1: self.last_frame}
        placed = {frame: image for frame, image in ends.items() if image is not None} | between
        return dict(sorted(placed.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionInputs:
    """The inputs of pose guidance without a picture: a motion (one of the two videos) and words.

    Only a model whose card leaves the picture out gets them.
    """

    feature: ClassVar[Feature] = Feature.POSE_GUIDANCE
    prompt: str
    guiding_video: Media | None = None
    """A video of a moving person; the poses are estimated from it."""
    pose_video: Media | None = None
    """A video of skeletons in OpenPose colours on black; used as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseGuidanceInputs(MotionInputs):
    """The inputs of pose guidance: a character (image), and its motion (one of the two videos)."""

    image: Media
    control_video: Media | None = None
    """A ready control video of the kind that the call names; used as it is."""
    last_frame: Media | None = None
    """The picture that the video ends with; None to leave the end to the model."""
    background_video: Media | None = None
    """A video that is kept, and whose person the character replaces; None to make all of it."""
    mask_video: Media | None = None
    """Where the background is replaced: white there, else black; given with the background."""


Inputs: TypeAlias = TextToVideoInputs | ImageToVideoInputs | InterpolateInputs | MotionInputs
"""The inputs of any feature."""

# Python and ECMA differ in what `\s` is, and neither counts the marks that have no width.
VISIBLE = r"[^\s\x1c-\x1f\x85\u200b-\u200f\u2028\u2029\u2060\ufeff]"
"""A regular expression for one character that can be seen."""

PROMPT = Parameter(
    name="prompt",
    kind=Kind.STRING,
    description="What the video shows, in words.",
    pattern=VISIBLE,
    pattern_hint="must say something: it is empty or blank",
)
IMAGE = Parameter(
    name="image",
    kind=Kind.IMAGE,
    description="The picture to start from.",
)

INPUTS: Mapping[Feature, tuple[Parameter, ...]] = MappingProxyType(
    {
        Feature.TEXT_TO_VIDEO: (PROMPT,),
        Feature.IMAGE_TO_VIDEO: (PROMPT, IMAGE),
        Feature.INTERPOLATE: (
            PROMPT,
            Parameter(
                name="first_frame",
                kind=Kind.IMAGE,
                description="The picture that the video begins with.",
            ),
            Parameter(
                name="last_frame",
                kind=Kind.IMAGE,
                description="The picture that the video ends with.",
            ),
        ),
        Feature.POSE_GUIDANCE: (
            PROMPT,
            Parameter(name="image", kind=Kind.IMAGE, description="The character that moves."),
        ),
    }
)
"""Required parameters of each feature, the same for every model; one that reads no skeletons also
wants the guiding video."""

POSE_SOURCES = (
    Parameter(
        name="guiding_video",
        kind=Kind.VIDEO,
        required=False,
        description="A video of a moving person, whose poses are followed. "
        "Give this or pose_video, not both.",
    ),
    Parameter(
        name="pose_video",
        kind=Kind.VIDEO,
        required=False,
        description="A video of skeletons in OpenPose colours on black, used as it is. "
        "Give this or guiding_video, not both.",
    ),
)
"""The two ways to say how the character moves; exactly one must be given. A model that reads no
skeletons has the first alone."""

CONTROL_VIDEO = Parameter(
    name="control_video",
    kind=Kind.VIDEO,
    required=False,
    description="A ready control video of the kind that control names, used as it is: depth maps, "
    "outlines, motion tracks or skeletons.",
)
CONTROLLED_LAST_FRAME = Parameter(
    name="last_frame",
    kind=Kind.IMAGE,
    required=False,
    description="The picture that the video ends with; if left out, the model chooses the end.",
)
CONTROL_INPUTS = (CONTROLLED_LAST_FRAME, CONTROL_VIDEO)
"""Further inputs of a model that follows other control videos than skeletons."""
MOTION_SOURCES = (*POSE_SOURCES, CONTROL_VIDEO)
"""All ways to say how a video moves; exactly one must be given, of those that the model takes."""

REPLACEMENT_SOURCES = (
    Parameter(
        name="background_video",
        kind=Kind.VIDEO,
        required=False,
        description="A video that is kept but for its person. Give mask_video with it.",
    ),
    Parameter(
        name="mask_video",
        kind=Kind.VIDEO,
        required=False,
        still=True,
        description="White where background_video is replaced, black where it is kept: a video, a "
        "folder of pictures or one picture.",
    ),
)
"""Inputs of a model that can put the character into a video; both or neither are given."""
