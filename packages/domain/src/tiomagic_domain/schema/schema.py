"""The schema of a model's feature: all parameters, the rules between them, the check of a call.

:meth:`Schema.validate` also checks what JSON Schema cannot express:

- NaN and infinities (JSON has no such numbers, yet Python's ``json`` reads them);
- :class:`MaxPixels`, a limit on a product of two parameters;
- :class:`WithinVideo`, a limit that depends on another parameter;
- the moments of keyframes, which depend on the length and the rate;
- that a media input is a readable picture or video (the media reader looks);
- Python-only sources of media (bytes, file objects, PIL images), which JSON has no form for;
- arguments that are Python objects (:attr:`Schema.objects`), which JSON has no form for;
- references to media by hash (dicts that a recipe holds), which only a rerun has a use for;
- Python-only forms of plain values (a tuple for a list).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tiomagic_domain.errors import Problem, ProblemKind, ValidationError
from tiomagic_domain.schema.expert_arguments import explain_unsupported_object
from tiomagic_domain.schema.keyframes import KeyframeMoments, keyframes_parameter
from tiomagic_domain.schema.nested_media import find_entry_problems
from tiomagic_domain.schema.parameter import UNSET, Parameter, Rejected
from tiomagic_domain.schema.sizes import EXCLUSIVE_SIZES, SIZE_NAMES, size_parameters
from tiomagic_domain.suggestions import closest, list_names, shorten_repr


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The parameters of a call, and the rules between them."""

    parameters: tuple[Parameter, ...]
    rules: tuple[Rule, ...] = ()
    objects: tuple[str, ...] = ()
    """Arguments of the pipeline itself, passed on unchanged as Python objects."""

    def __post_init__(self) -> None:
        names = [*(parameter.name for parameter in self.parameters), *self.objects]
        if len(set(names)) != len(names):
            raise ValueError(f"a parameter is named twice: {names}")

    def __contains__(self, name: object) -> bool:
        return any(parameter.name == name for parameter in self._named(name))

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self._named(name):
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def _named(self, name: object) -> tuple[Parameter, ...]:
        return (*self.parameters, *self.sizes) if name in SIZE_NAMES else self.parameters

    @property
    def sizes(self) -> tuple[Parameter, ...]:
        """Length and size in the user's terms, which stand for frames and pixels.

        They are in no request: ``requests.asked_sizes`` resolves them.
        """
        return size_parameters(self.parameters)

    def with_parameter(self, parameter: Parameter) -> Schema:
        """Return the schema with a parameter added, which replaces one of the same name."""
        others = (known for known in self.parameters if known.name != parameter.name)
        return replace(self, parameters=(*others, parameter))

    def with_keyframes(self, moments: KeyframeMoments, *, source: str) -> Schema:
        """Return the schema of a model that also takes pictures at moments between the ends.

        Args:
            moments: Where it takes them.
            source: Where it is said that the model does.
        """
        schema = self.with_parameter(keyframes_parameter(moments, source=source))
        return replace(schema, rules=(*self.rules, moments))

    @property
    def required(self) -> tuple[Parameter, ...]:
        """The required parameters."""
        return tuple(parameter for parameter in self.parameters if parameter.required)

    @property
    def optional(self) -> tuple[Parameter, ...]:
        """The optional parameters."""
        return tuple(parameter for parameter in self.parameters if not parameter.required)

    @property
    def media(self) -> tuple[Parameter, ...]:
        """Parameters that are pictures or videos, or lists with some."""
        return tuple(p for p in self.parameters if p.kind.is_media or p.holds_media)

    @property
    def keyframes(self) -> KeyframeMoments | None:
        """Where pictures may be between the ends; None for a model that takes none there."""
        return next((rule for rule in self.rules if isinstance(rule, KeyframeMoments)), None)

    @property
    def max_pixels(self) -> float:
        """The largest width times height that the rules allow; infinity without such a rule."""
        limits = [rule.pixels for rule in self.rules if isinstance(rule, MaxPixels)]
        return min(limits, default=math.inf)

    @property
    def shorter_side(self) -> int | None:
        """The shorter side in pixels if it is fixed, else None."""
        fixed = (rule.pixels for rule in self.rules if isinstance(rule, ShorterSide))
        return next(fixed, None)

    def validate(
        self,
        arguments: Mapping[str, object],
        *,
        subject: str = "the arguments",
        found: Sequence[Problem] = (),
    ) -> dict[str, object]:
        """Check a whole call and return its values with the defaults filled in.

        Args:
            arguments: What the caller gave, by name.
            subject: What is being checked, for the error's text.
            found: Problems that are known already, to be reported with all others.

        Returns:
            Plain values by name. A parameter without a default that was left out is absent.

        Raises:
            ValidationError: with every problem at once.
        """
        values: dict[str, object] = {}
        problems = [*found, *self._unknown(arguments)]
        for parameter in (*self.parameters, *self.sizes):
            if parameter.name not in arguments:
                if parameter.required:
                    problems.append(_missing(parameter))
                elif parameter.default is not UNSET:
                    values[parameter.name] = parameter.default
                continue
            given = arguments[parameter.name]
            try:
                values[parameter.name] = parameter.check(given)
            except Rejected as rejected:
                problems += _rejections(parameter, given, rejected)
        for name in self.objects:
            if name in arguments:
                values[name] = arguments[name]
                problem = explain_unsupported_object(name, arguments[name])
                problems += [] if problem is None else [problem]
        # UNSET for illegal values, so that no rule reports them again.
        present = {name: values.get(name, UNSET) for name in (*values, *arguments)}
        for rule in self.rules:
            problems.extend(rule.problems(present))
        if problems:
            raise ValidationError.of(problems, subject=subject)
        return values

    def _unknown(self, arguments: Mapping[str, object]) -> list[Problem]:
        named = [parameter.name for parameter in (*self.parameters, *self.sizes)]
        known = [*named, *self.objects]
        problems = []
        for name in arguments:
            if name in known:
                continue
            nearest = closest(name, known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {list_names(named)}"
            message = f"there is no such parameter; {hint}"
            given = shorten_repr(arguments[name])
            problems.append(
                Problem(
                    field=str(name),
                    message=message,
                    given=given,
                    nearest=nearest,
                    kind=ProblemKind.UNKNOWN,
                )
            )
        return problems

    def to_json_schema(self, *, title: str | None = None) -> dict[str, object]:
        """Return the schema for machines (JSON Schema, draft 2020-12)."""
        schema: dict[str, object] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {p.name: p.to_json_schema() for p in (*self.parameters, *self.sizes)},
            "required": [p.name for p in self.required],
            "additionalProperties": False,
        }
        if title:
            schema["title"] = title
        said = [part for part in (rule.to_json_schema() for rule in self.rules) if part]
        names = {parameter.name for parameter in self.sizes}
        said += [
            {"not": {"required": list(group)}} for group in EXCLUSIVE_SIZES if group[0] in names
        ]
        if said:
            schema["allOf"] = said
        return schema

    def to_dict(self) -> dict[str, dict[str, dict[str, object]]]:
        """Return the documented shape: ``{"required": {…}, "optional": {…}}``."""
        return {
            "required": {p.name: p.to_dict() for p in self.required},
            "optional": {p.name: p.to_dict() for p in (*self.optional, *self.sizes)},
        }


def _missing(parameter: Parameter) -> Problem:
    what = parameter.description.partition(". ")[0].rstrip(".")
    return Problem(
        field=parameter.name,
        message=f"is needed: {what[:1].lower()}{what[1:]}",
        given="nothing",
        kind=ProblemKind.MISSING,
        wanted=parameter.kind.value,
    )


def _rejections(parameter: Parameter, given: object, rejected: Rejected) -> list[Problem]:
    # A list of pictures is long: each entry says for itself what is wrong with it.
    if parameter.holds_media:
        return find_entry_problems(parameter, given)
    return [
        Problem(
            field=parameter.name,
            message=rejected.message,
            given=shorten_repr(given),
            nearest=rejected.nearest,
        )
    ]
