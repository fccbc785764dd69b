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
from typing import Final

from tiomagic_domain.errors import Problem, ProblemKind, ValidationError
from tiomagic_domain.schema.expert_arguments import explain_unsupported_object
from tiomagic_domain.schema.keyframes import (
    FIRST,
    LAST,
    KeyframeMoments,
    LaterPicture,
    keyframes_parameter,
)
from tiomagic_domain.schema.nested_media import find_entry_problems
from tiomagic_domain.schema.parameter import UNSET, Parameter, Rejected
from tiomagic_domain.schema.rules import (
    AllOrNone,
    ExactlyOne,
    MaxPixels,
    OffTogether,
    Rule,
    ShorterSide,
    WithinVideo,
)
from tiomagic_domain.schema.sizes import EXCLUSIVE_SIZES, SIZE_NAMES, size_parameters
from tiomagic_domain.suggestions import closest, list_names, shorten_repr

__all__ = [
    "AllOrNone",
    "ExactlyOne",
    "MaxPixels",
    "OffTogether",
    "Rule",
    "Schema",
    "ShorterSide",
    "WithinVideo",
]


MAX_HINTS: Final = 20
"""Most unknown names of a call for which the nearest is looked for; more are no slips."""
FREE_END: Final = {
    FIRST: "; if left out, the model chooses the beginning",
    LAST: "; if left out beside keyframes, the model chooses the end",
}
"""What the description of an end says where it may be left out."""


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

    def with_keyframes(
        self, moments: KeyframeMoments, *, source: str, free_ends: bool = False
    ) -> Schema:
        """Return the schema of a model that also takes pictures at moments between the ends.

        Args:
            moments: Where it takes them.
            source: Where it is said that the model does.
            free_ends: True for a model that needs no first picture, nor a last one beside others.
        """
        schema = self.with_parameter(keyframes_parameter(moments, source=source))
        if not free_ends:
            return replace(schema, rules=(*self.rules, moments))
        parameters = tuple(
            replace(p, required=False, description=f"{p.description[:-1]}{FREE_END[p.name]}.")
            if p.name in FREE_END
            else p
            for p in schema.parameters
        )
        return replace(schema, parameters=parameters, rules=(*self.rules, moments, LaterPicture()))

    def with_free_beginning(self) -> Schema:
        """Return the schema of a model that takes a last picture without a first one."""
        first = self[FIRST]
        free = replace(
            first, required=False, description=f"{first.description[:-1]}{FREE_END[FIRST]}."
        )
        return replace(self, parameters=tuple(free if p is first else p for p in self.parameters))

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
    def has_free_ends(self) -> bool:
        """True for interpolation that needs no first picture, nor a last one beside keyframes."""
        return any(isinstance(rule, LaterPicture) for rule in self.rules)

    @property
    def takes_last_alone(self) -> bool:
        """True for interpolation that needs no first picture."""
        return FIRST in self and not self[FIRST].required

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
        problems: list[Problem] = []
        for name in arguments:
            if name in known:
                continue
            # Objects count among what is near, but are not listed: few calls have one.
            nearest = closest(name, known) if len(problems) < MAX_HINTS else None
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {list_names(named)}"
            message = "there is no such parameter"
            message += f"; {hint}" if len(problems) < MAX_HINTS else ""
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
