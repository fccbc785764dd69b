"""Fills in defaults of a call: the seed, a size that fits the picture, few-step settings."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.acceleration import wants_few_steps
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT, FewStepWeights
from tiomagic_domain.features import Feature
from tiomagic_domain.media import Media
from tiomagic_domain.requests.sizing import other_side, size_within
from tiomagic_domain.schema.keyframes import FIRST, KEYFRAMES, LAST
from tiomagic_domain.schema.nested_media import argument_of
from tiomagic_domain.schema.schema import MaxPixels, Schema, ShorterSide

CROPPED_INPUTS: Final[Mapping[Feature, tuple[str, ...]]] = MappingProxyType(
    {
        Feature.IMAGE_TO_VIDEO: ("image",),
        Feature.INTERPOLATE: (FIRST, LAST, KEYFRAMES),
    }
)
"""The pictures that become frames of the video."""
UNSEEN_CUT: Final = 0.05
"""Up to this part of a side nobody misses: sizes are multiples of 8 to 64 pixels."""
SIZE_SOURCE_INPUTS: Mapping[Feature, tuple[str, ...]] = {
    Feature.IMAGE_TO_VIDEO: ("image",),
    Feature.INTERPOLATE: (FIRST, LAST, f"{KEYFRAMES}[0].image"),
    # A video that is kept gives its own size; the motion does where no picture is given.
    Feature.POSE_GUIDANCE: ("background_video", "image", "guiding_video", "pose_video"),
}
"""Which input decides the size of the video when none is given: the first of these that is."""


def size_source(feature: Feature, given: Container[str]) -> str | None:
    """Return the input that decides the size of a video when none is given; None for none.

    Args:
        feature: Of the call.
        given: The names of the inputs that the call has.
    """
    return next((name for name in SIZE_SOURCE_INPUTS.get(feature, ()) if name in given), None)


LEAST_PART_OF_PIXELS = 4
"""A video of less than this part of the pixels that a model was trained on is scaled up: the model
would make next to nothing of it."""
SIZE_RULES = (MaxPixels, ShorterSide)
"""Rules between width and height."""


def draw_seed_and_size(
    card: ModelCard,
    feature: Feature,
    values: Mapping[str, Any],
    media: Mapping[str, Media],
    draw_seed: Callable[[], int],
    *,
    pixels: int | None = None,
) -> dict[str, Any]:
    """Return the missing arguments of a call: a seed and, if the model has them, width and height.

    Args:
        card: The model.
        feature: Of the call.
        values: Validated values with the defaults.
        media: The inputs, by parameter name.
        draw_seed: Gives a seed between 0 and 2**32 - 1.
        pixels: The budget of a size that the picture decides; None for the model's own.
    """
    schema = card.schema(feature)
    drawn: dict[str, Any] = {}
    if "seed" in schema and "seed" not in values:
        drawn["seed"] = draw_seed()
    source = size_source(feature, media)
    continued = media.get(CONTINUED_VIDEO_ARGUMENT)
    if continued is not None and pixels is None and not {"width", "height"} & values.keys():
        drawn |= _own_size(card, schema, continued)
    if source is not None and "width" not in drawn:
        picture = media[source]
        aspect = picture.width / picture.height
        drawn |= size_from_picture(card, feature, values, aspect, pixels=pixels)
    return drawn


def _own_size(card: ModelCard, schema: Schema, video: Media) -> dict[str, int]:
    """Return the size of a continued video if the model makes it; its parts then fit as they are.

    Empty where it does not, or was trained on pictures of more than four times as many pixels.
    """
    own = {"width": video.width, "height": video.height}
    if video.width * video.height * LEAST_PART_OF_PIXELS < card.pixels:
        return {}
    wrong = [name for name in own if name not in schema or schema[name].problem(own[name])]
    if wrong or any(rule.problems(own) for rule in schema.rules if isinstance(rule, SIZE_RULES)):
        return {}
    return own


def describe_crops(
    feature: Feature, values: Mapping[str, Any], media: Mapping[str, Media]
) -> list[str]:
    """Return what a video's size cuts off its pictures, a line for each that loses a part.

    A picture that becomes a frame is cut to the shape of the video, never stretched. One that only
    shows the character is shown whole.

    Args:
        feature: Of the call.
        values: With the size of the video.
        media: The inputs, by parameter name.
    """
    width, height = values.get("width"), values.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return []
    lines = []
    cropped = CROPPED_INPUTS.get(feature, ())
    for name, picture in media.items():
        if argument_of(name) not in cropped:
            continue
        part, side = cut_of((picture.width, picture.height), (width, height))
        if part > UNSEEN_CUT:
            lines.append(
                f"{name}: {100 * part:.0f} % of its {side} is cut off, for it is "
                f"{picture.width}x{picture.height} and the video {width}x{height}"
            )
    return lines


def cut_of(picture: tuple[int, int], frame: tuple[int, int]) -> tuple[float, str]:
    """Return which part of which side a picture loses when it is cut to a frame's shape.

    Args:
        picture: Width and height.
        frame: Width and height.
    """
    # More than 1 where the picture is too wide.
    ratio = picture[0] * frame[1] / (picture[1] * frame[0])
    return (1 - 1 / ratio, "width") if ratio > 1 else (1 - ratio, "height")


def size_from_picture(
    card: ModelCard,
    feature: Feature,
    values: Mapping[str, Any],
    aspect: float,
    *,
    pixels: int | None = None,
) -> dict[str, int]:
    """Return the sides that a call leaves to its picture; empty when it gives both.

    Args:
        card: The model.
        feature: Of the call.
        values: Validated values, with the sides that are given.
        aspect: Width over height of the picture, more than 0.
        pixels: The largest width times height; None for the model's own budget.
    """
    schema = card.schema(feature)
    width, height = values.get("width"), values.get("height")
    lacks_sides = "width" not in schema or "height" not in schema
    if lacks_sides or (width is not None and height is not None):
        return {}
    if width is not None:
        return {"height": _beside(width, 1 / aspect, schema, "height")}
    if height is not None:
        return {"width": _beside(height, aspect, schema, "width")}
    wide, tall = size_within(schema, aspect, card.pixels if pixels is None else pixels)
    return {"width": wide, "height": tall}


def _beside(given: int, aspect: float, schema: Schema, name: str) -> int:
    """Return the side that belongs to a given one, ``aspect`` times as long."""
    if schema.shorter_side not in {None, given}:
        return int(schema.shorter_side or 0)
    # With a chosen side, the other may exceed the model's usual budget of pixels.
    return other_side(given, aspect, schema[name], pixels=schema.max_pixels)


def apply_few_step_settings(
    turbo: FewStepWeights | None, arguments: Mapping[str, object]
) -> Mapping[str, object]:
    """Return the arguments of a call, with the settings of few-step weights if it requests them.

    Args:
        turbo: The model's few-step weights; None without them.
        arguments: Of the caller, which take precedence.
    """
    if turbo is None or not wants_few_steps(arguments.get(ACCELERATION_ARGUMENT)):
        return arguments
    return {**turbo.settings, **arguments}
