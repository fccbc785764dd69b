"""Rules between several parameters of a call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tiomagic_domain.errors import Problem, ProblemKind
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_domain.suggestions import list_names, shorten_repr


class Rule(Protocol):
    """A rule between several parameters."""

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return what is wrong with the values together.

        Args:
            values: Given values and defaults; UNSET stands for a value that is illegal by itself,
                so that no problem is reported twice.
        """
        ...

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as JSON Schema; empty when it cannot be expressed."""
        ...


@dataclass(frozen=True, slots=True)
class ExactlyOne:
    """Exactly one of these parameters must be given."""

    names: tuple[str, ...]

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when none or several are given."""
        # By name, not by value: one that is illegal was given all the same.
        given = [name for name in self.names if name in values]
        if len(given) == 1:
            return []
        state = "neither was given" if not given else f"{' and '.join(given)} were given"
        message = f"give exactly one of them: {state}"
        return [
            Problem(
                field=", ".join(self.names),
                message=message,
                given=shorten_repr(given),
                kind=ProblemKind.ONE_OF,
            )
        ]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``oneOf``."""
        return {"oneOf": [{"required": [name]} for name in self.names]}


@dataclass(frozen=True, slots=True)
class AllOrNone:
    """These parameters are given together or not at all."""

    names: tuple[str, ...]

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem for each that is missing beside the others."""
        given = [name for name in self.names if name in values]
        missing = [name for name in self.names if name not in values]
        if not given or not missing:
            return []
        return [
            Problem(field=name, message=f"is needed with {list_names(given)}", given="nothing")
            for name in missing
        ]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``dependentRequired``."""
        others = {name: [other for other in self.names if other != name] for name in self.names}
        return {"dependentRequired": others}


@dataclass(frozen=True, slots=True)
class MaxPixels:
    """Width times height may not exceed the pixels that the model was made for."""

    pixels: int
    width: str = "width"
    height: str = "height"
    multiple_of: int = 16
    """Step of the legal sides, for the proposed size."""

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when both are given and too large together."""
        width, height = values.get(self.width), values.get(self.height)
        if not isinstance(width, int) or not isinstance(height, int):
            return []
        if width * height <= self.pixels:
            return []
        # The same shape within the allowed pixels, rounded down to legal sides.
        wide, tall = self._scaled(width, height), self._scaled(height, width)
        message = (
            f"{width}x{height} is {width * height:,} pixels, more than the {self.pixels:,} "
            f"that the model was made for; {wide}x{tall} fits"
        )
        field, nearest = f"{self.width}, {self.height}", {self.width: wide, self.height: tall}
        return [Problem(field=field, message=message, given=f"{width}x{height}", nearest=nearest)]

    def _scaled(self, side: int, other: int) -> int:
        """Return a side of the size of the same shape that fits."""
        # In whole numbers: a float could round a product up to one that is a step too large.
        return math.isqrt(self.pixels * side // other) // self.multiple_of * self.multiple_of

    def to_json_schema(self) -> dict[str, object]:
        """Return nothing: JSON Schema has no products."""
        return {}


@dataclass(frozen=True, slots=True)
class ShorterSide:
    """The shorter of width and height must be exactly the one that the model was trained on."""

    pixels: int
    width: str = "width"
    height: str = "height"

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when both are given and neither is that side."""
        width, height = values.get(self.width), values.get(self.height)
        if not isinstance(width, int) or not isinstance(height, int):
            return []
        if min(width, height) == self.pixels:
            return []
        # The problem stands at the shorter side: changing the other one would not solve it.
        field = self.height if width >= height else self.width
        message = f"the shorter side of {width}x{height} has to be {self.pixels}"
        given = str(min(width, height))
        return [Problem(field=field, message=message, given=given, nearest=self.pixels)]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``anyOf``; the smallest legal side is this one."""
        names = (self.width, self.height)
        return {"anyOf": [{"properties": {name: {"const": self.pixels}}} for name in names]}


@dataclass(frozen=True, slots=True)
class OffTogether:
    """If the first guidance is 1, which turns guidance off, the second must be 1 too."""

    switch: str
    follower: str

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when the second would be ignored silently."""
        if values.get(self.switch) != 1 or values.get(self.follower) in {1, None, UNSET}:
            return []
        message = (
            f"{self.switch}=1 turns guidance off in all steps, and {self.follower} with it; give "
            f"{self.follower}=1 as well, or a {self.switch} a little above 1, such as 1.01"
        )
        given = shorten_repr(values[self.follower])
        return [Problem(field=self.follower, message=message, given=given, nearest=1.0)]

    def to_json_schema(self) -> dict[str, object]:
        """Return the rule as ``if`` and ``then``; the second's default is more than 1."""
        off = {"const": 1}
        return {
            "if": {"properties": {self.switch: off}, "required": [self.switch]},
            "then": {"properties": {self.follower: off}, "required": [self.follower]},
        }


@dataclass(frozen=True, slots=True)
class WithinVideo:
    """The number of a latent frame must be within the video."""

    position: str
    frames: str = "num_frames"
    ratio: int = 4
    """Frames in one latent frame, after the first one."""

    def last(self, frames: int) -> int:
        """Return the number of the last latent frame, counted from 0."""
        return (frames - 1) // self.ratio

    def problems(self, values: Mapping[str, object]) -> list[Problem]:
        """Return a problem when the video ends before the frame."""
        position, frames = values.get(self.position), values.get(self.frames)
        if not isinstance(position, int) or not isinstance(frames, int):
            return []
        last = self.last(frames)
        if position <= last:
            return []
        message = f"the latent frames of a video of {frames} frames are 0 to {last}"
        given = str(position)
        return [Problem(field=self.position, message=message, given=given, nearest=last)]

    def to_json_schema(self) -> dict[str, object]:
        """Return nothing: JSON Schema does not compare two values."""
        return {}
