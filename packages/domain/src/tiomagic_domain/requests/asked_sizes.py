"""Resolves a length and a size in the user's terms: ``seconds``, ``aspect``, ``resolution``.

The nearest value that the model makes is taken: 3 s of a model with 16 frames a second and lengths
of 4k+1 frames are 49. What the user gets may be up to a quarter off: then a note says so. Beyond
that it is a problem, with the nearest value: whoever asks for 10 s does not expect 5, nor a square
for 16:9. Within a model's lengths the next legal one is always taken.

A resolution is a budget of pixels, as video models are trained: 720p has as many as 1280x720 in any
shape. A size that the model was trained on is preferred to a slightly nearer one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, wants_loop
from tiomagic_domain.errors import Problem
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.defaults import size_source
from tiomagic_domain.requests.sizing import closest_size, other_side
from tiomagic_domain.schema.parameter import UNSET, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.schema.sizes import ASPECT, EXCLUSIVE_SIZES, RESOLUTION, RESOLUTIONS, SECONDS
from tiomagic_domain.suggestions import shorten_repr

FAR: Final = 1.25
"""From this ratio of what is asked and what is made it is another thing."""
NEAR: Final = 1.05
"""Up to this ratio nobody needs a note."""
UNSEEN_S: Final = 0.1
"""Up to so many seconds more or less nobody sees."""
TRAINED_SHAPE: Final = 1.04
"""Up to this ratio of shapes, and of sides, a size that the model was trained on is preferred:
832x480 is Wan's 16:9."""
WIDE: Final = 16 / 9
SIDES: Final = ("width", "height")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSizes:
    """The arguments of a call with its length and size in frames and pixels."""

    arguments: Mapping[str, object]
    """Without the user's terms, but for those that are illegal by themselves."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The user's terms, for the record."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    """Where what is made is not quite what was asked for, in words."""
    pixels: int | None = None
    """The budget of a size whose shape is the picture's; None for the model's own."""


def resolve_asked_sizes(
    card: ModelCard,
    feature: Feature,
    arguments: Mapping[str, object],
    *,
    overlap: int | None = None,
) -> AskedSizes:
    """Return a call with frames and pixels instead of the user's terms.

    Args:
        card: The model.
        feature: Of the call.
        arguments: Of the caller, not checked yet.
        overlap: Frames that the model begins with and a continued video has already: ``seconds``
            count from there. None for as many as the model takes, if a video is continued.
    """
    schema, resolution = card.schema(feature), arguments.get(RESOLUTION)
    if isinstance(resolution, int) and not isinstance(resolution, bool):
        arguments = {**arguments, RESOLUTION: f"{resolution}p"}  # 720 can mean nothing else.
    asked = {
        term.name: term.check(arguments[term.name])
        for term in schema.sizes
        if term.name in arguments and term.problem(arguments[term.name]) is None
    }
    left = {name: value for name, value in arguments.items() if name not in asked}
    if not asked:
        return AskedSizes(arguments=left)
    problems = list(_find_conflicts(asked, left))
    if problems:
        return AskedSizes(arguments=left, asked=asked, problems=tuple(problems))
    if overlap is None:
        overlap = card.context_frames if CONTINUED_VIDEO_ARGUMENT in arguments else 0
    resolver = _Resolver(card, feature, left, overlap=overlap)
    if SECONDS in asked:
        resolver.set_length(float(asked[SECONDS]))  # type: ignore[arg-type]  # It is checked.
    resolver.set_size(asked.get(ASPECT), asked.get(RESOLUTION))
    return AskedSizes(
        arguments=left | resolver.found,
        asked=asked,
        problems=tuple(resolver.problems),
        notes=tuple(resolver.notes),
        pixels=resolver.pixels,
    )


def _find_conflicts(asked: Mapping[str, Any], left: Mapping[str, object]) -> Iterator[Problem]:
    given = {**left, **asked}
    groups = [group for group in EXCLUSIVE_SIZES if all(name in given for name in group)]
    if "x" in str(asked.get(RESOLUTION, "")) and ASPECT in asked:
        groups.append((RESOLUTION, ASPECT))
    for group in groups:
        yield Problem(
            field=", ".join(group),
            message="say the same thing twice; leave one out",
            given=", ".join(shorten_repr(given[name], 40) for name in group),
        )


class _Resolver:
    """Resolves the terms of one call."""

    def __init__(
        self,
        card: ModelCard,
        feature: Feature,
        left: Mapping[str, object],
        *,
        overlap: int = 0,
    ) -> None:
        self._card = card
        self._overlap = overlap
        self._hidden = overlap + (1 if hides_last_frame(card, left) else 0)
        self._feature = feature
        self._schema: Schema = card.schema(feature)
        self._has_picture = size_source(feature, left) is not None
        self._left = left
        self.found: dict[str, object] = {}
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.pixels: int | None = None

    def set_length(self, seconds: float) -> None:
        """Find the frames of a length."""
        frames, fps = self._schema["num_frames"], self.fps()
        least = least_frames(frames, self._overlap)
        number = max(int(frames.nearest(seconds * fps + self._hidden)), least)
        made = (number - self._hidden) / fps
        self.found["num_frames"] = number
        low, high = ((limit - self._hidden) / fps for limit in (least, frames.maximum or number))
        if _ratio(made, seconds) > FAR and not low <= seconds <= high:
            span = f"about {low:.2f}" if low == high else f"between {low:.2f} and {high:.2f}"
            near = round(made, 2)
            more = ""
            if self._overlap and seconds > high:
                more = ". For more, continue the result again"
            self.problems.append(
                Problem(
                    field=SECONDS,
                    message=f"must be {span} at {fps:g} frames a second, not {seconds:g}; "
                    f"nearest: {near}{more}",
                    given=shorten_repr(seconds),
                    nearest=near,
                )
            )
        elif _ratio(made, seconds) > NEAR and abs(made - seconds) > UNSEEN_S:
            shown = number - self._hidden
            self.notes.append(f"{SECONDS}: {shown} frames, {made:.2f} s, are the nearest length")

    def set_size(self, aspect: object, resolution: object) -> None:
        """Find width and height of a shape and a number of pixels; None for the model's own."""
        shape = None if aspect is None else _parse_aspect(str(aspect))
        if shape is None and resolution is None:
            return
        if shape is None or not self._set_beside(shape):
            self._set_both(shape, None if resolution is None else str(resolution).lower())
        if shape is not None:
            self._check_shape(str(aspect), shape)

    def _set_beside(self, shape: float) -> bool:
        """Find the side that belongs to a given one; return whether one is given."""
        for name, other, ratio in (("width", "height", 1 / shape), ("height", "width", shape)):
            if name not in self._left:
                continue
            side = self._left[name]
            if isinstance(side, int) and self._schema[name].problem(side) is None:
                limit = self._schema.max_pixels
                self.found[other] = other_side(side, ratio, self._schema[other], pixels=limit)
            return True
        return False

    def _set_both(self, shape: float | None, resolution: str | None) -> None:
        own = self._own_size()
        if resolution is not None and "x" in resolution:
            wide, tall = map(int, resolution.split("x"))
            size = closest_size(self._schema, wide, tall)
            self._check_pixels(resolution, wide * tall, size, f"{size[0]}x{size[1]}")
            self._check_shape(resolution, wide / tall, size, name=RESOLUTION)
        else:
            lines = None if resolution is None else int(resolution.removesuffix("p"))
            pixels = self._card.pixels if lines is None else round(lines * lines * WIDE)
            size = self._find_size(shape, pixels, own)
            if shape is None and own is not None and min(own) == lines:
                size = own  # 720x480 is CogVideoX's 480p, though 854x480 has more pixels.
            if resolution is not None and min(size) != lines:
                nearest = round(math.sqrt(math.prod(size) / WIDE))
                self._check_pixels(resolution, pixels, size, f"{nearest}p")
            if shape is None and self._has_picture:
                self.pixels = pixels
                return
        self.found |= dict(zip(SIDES, size, strict=True))

    def _find_size(
        self, shape: float | None, pixels: int, own: tuple[int, int] | None
    ) -> tuple[int, int]:
        """Return the size of a shape: one that the model was trained on where that is near.

        Without a shape it is that of the trained size, if this has about so many pixels, else 16:9.
        """
        for wide, tall in [] if own is None else [own, own[::-1]]:
            near = shape is None or _ratio(wide / tall, shape) <= TRAINED_SHAPE
            near = near and _ratio(wide * tall, pixels) <= TRAINED_SHAPE**2
            if near and self._is_legal(wide, tall):
                return wide, tall
        ratio = WIDE if shape is None else shape
        return closest_size(self._schema, math.sqrt(pixels * ratio), math.sqrt(pixels / ratio))

    def _check_pixels(self, given: str, pixels: int, size: tuple[int, int], nearest: str) -> None:
        wide, tall = size
        off = _ratio(wide * tall, pixels)
        if off > FAR**2:
            self._too_far(RESOLUTION, given, size, _name_resolution(size) or nearest)
        elif off > NEAR**2:
            self.notes.append(f"{RESOLUTION}: {wide}x{tall} is the nearest to {given}")

    def _check_shape(
        self,
        given: str,
        shape: float,
        size: tuple[int, int] | None = None,
        *,
        name: str = ASPECT,
    ) -> None:
        wide, tall = size or (self.found.get(side, self._left.get(side)) for side in SIDES)
        if not isinstance(wide, int) or not isinstance(tall, int):
            return
        off, part = _ratio(wide / tall, shape), math.gcd(wide, tall)
        if off > FAR:
            nearest = f"{wide // part}:{tall // part}" if name == ASPECT else f"{wide}x{tall}"
            self._too_far(name, given, (wide, tall), nearest)
        elif off > NEAR:
            self.notes.append(f"{name}: {wide}x{tall} is the nearest to {given}")

    def _own_size(self) -> tuple[int, int] | None:
        """Return the size that the model makes by default; None where a picture decides."""
        width, height = (self._schema[name].default for name in SIDES)
        if isinstance(width, int) and isinstance(height, int):
            return width, height
        return None

    def _is_legal(self, width: int, height: int) -> bool:
        sides = {"width": width, "height": height}
        wrong = [name for name in SIDES if self._schema[name].problem(sides[name]) is not None]
        return not wrong and not any(rule.problems(sides) for rule in self._schema.rules)

    def fps(self) -> float:
        """Return the frames a second of the call: chosen, or the model's own."""
        return rate_of(self._card, self._feature, self._left)

    def _too_far(self, name: str, given: str, size: tuple[int, int], nearest: str) -> None:
        made = f"{size[0]}x{size[1]}"
        # 64 pixels have no usual name.
        tail = f"; nearest: {nearest}" if name == ASPECT or nearest in RESOLUTIONS else ""
        message = f"is too far from {made}, the nearest size that {self._card.name} makes{tail}"
        known = {(problem.field, problem.message) for problem in self.problems}
        if (name, message) not in known:
            shown = shorten_repr(given)
            self.problems.append(Problem(field=name, message=message, given=shown, nearest=nearest))


def rate_of(card: ModelCard, feature: Feature, arguments: Mapping[str, object]) -> float:
    """Return the frames a second of a call: chosen, or the model's own.

    Args:
        card: The model.
        feature: Of the call.
        arguments: Of the caller; an illegal rate counts as left out.
    """
    schema, given = card.schema(feature), arguments.get("fps", UNSET)
    if "fps" in schema:
        rate = schema["fps"]
        legal = given is not UNSET and rate.problem(given) is None
        found = rate.check(given) if legal else rate.default
        if isinstance(found, int | float):
            return float(found)
    return float(card.fps)


def hides_last_frame(card: ModelCard, arguments: Mapping[str, object]) -> bool:
    """Return whether a call makes a loop whose last frame is the first one again, and not shown."""
    return wants_loop(arguments) and card.shows_last_frame


def least_frames(frames: Parameter, overlap: int) -> int:
    """Return the shortest legal video that has a new frame after those of a continued one.

    Args:
        frames: The parameter with the legal lengths.
        overlap: Frames of the continued video that it begins with.
    """
    return int(frames.nearest(max(overlap + (frames.multiple_of or 1), frames.minimum or 1)))


def _ratio(one: float, other: float) -> float:
    return max(one / other, other / one)


def _parse_aspect(text: str) -> float:
    wide, tall = re.split("[:x/]", text)
    return float(wide) / float(tall)


def _name_resolution(size: tuple[int, int]) -> str | None:
    """Return the usual resolution of a size, or the next smaller one that asks for that size."""
    made = size[0] * size[1]
    known = {text: int(text.removesuffix("p")) ** 2 * WIDE for text in RESOLUTIONS}
    fitting = [text for text, count in known.items() if made / FAR**2 <= count <= made * NEAR]
    return fitting[-1] if fitting else None


def describe_sizes(
    card: ModelCard, feature: Feature, arguments: Mapping[str, object]
) -> str | None:
    """Return what a call makes of the user's terms, such as ``832x480, 49 frames, 3.06 s``.

    Args:
        card: The model.
        feature: Of the call.
        arguments: Of the caller.

    Returns:
        None for a call without such terms, or where only the picture says more.
    """
    sizes = resolve_asked_sizes(card, feature, arguments)
    made, parts = sizes.arguments, []
    if not sizes.asked or sizes.problems:
        return None
    if {RESOLUTION, ASPECT} & sizes.asked.keys() and not {*SIDES} - made.keys():
        parts.append(f"{made['width']}x{made['height']}")
    if SECONDS in sizes.asked:
        overlap = card.context_frames if CONTINUED_VIDEO_ARGUMENT in arguments else 0
        hidden = overlap + (1 if hides_last_frame(card, arguments) else 0)
        frames = int(str(made["num_frames"])) - hidden
        parts.append(f"{frames} frames, {frames / rate_of(card, feature, made):.2f} s")
    return ", ".join(parts) or None


def _is_made(sizes: AskedSizes) -> bool:
    return not sizes.problems and not sizes.notes


def offer_sizes(card: ModelCard, feature: Feature) -> dict[str, list[str]]:
    """Return the usual shapes and resolutions that a model makes, for a form or a completion.

    Args:
        card: The model.
        feature: Of the call.
    """
    return {
        term.name: [
            str(value)
            for value in term.examples
            if _is_made(resolve_asked_sizes(card, feature, {term.name: value}))
        ]
        for term in card.schema(feature).sizes
        if term.examples
    }
