"""Pictures within a list: an argument such as ``keyframes``, whose entries each have a picture.

A call has media in two places: as an argument of its own, and in the entries of a list. Whoever
reads, stores or sends the media of a call takes both from here, by one name each: ``image``,
``keyframes[1].image``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tiomagic_domain.errors import Problem, ProblemKind
from tiomagic_domain.schema.kinds import Kind, as_list, is_listable, type_name
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.suggestions import did_you_mean, list_names, shorten_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlace:
    """A place of a call that has a picture or a video."""

    name: str
    """``image`` for an argument, ``keyframes[1].image`` for a field of an entry."""
    kind: Kind
    source: object
    """What is given there: a path, an address, bytes, a reference by hash."""
    still: bool = False
    """True for a video in whose place one picture may be given."""

    @property
    def argument(self) -> str:
        """The name of the argument that has it."""
        return argument_of(self.name)


def argument_of(place: str) -> str:
    """Return the argument of a place's name: ``keyframes`` for ``keyframes[1].image``."""
    return place.partition("[")[0]


def find_media(
    parameters: Iterable[Parameter], arguments: Mapping[str, object]
) -> Iterator[MediaPlace]:
    """Yield every place of a call that has a picture or a video, in order.

    Args:
        parameters: Of the model's schema.
        arguments: Of the call, checked or not; what has another form has no media.
    """
    for parameter in parameters:
        if parameter.name not in arguments:
            continue
        value = arguments[parameter.name]
        if parameter.kind.is_media:
            yield MediaPlace(
                name=parameter.name, kind=parameter.kind, source=value, still=parameter.still
            )
        elif parameter.holds_media and isinstance(value, list | tuple):
            yield from _find_in_entries(parameter, value)


def _find_in_entries(parameter: Parameter, entries: Iterable[object]) -> Iterator[MediaPlace]:
    for index, entry in enumerate(entries):
        for field in parameter.fields:
            if field.kind.is_media and isinstance(entry, Mapping) and field.name in entry:
                name = f"{parameter.name}[{index}].{field.name}"
                yield MediaPlace(name=name, kind=field.kind, source=entry[field.name])


def replace_media(arguments: Mapping[str, Any], media: Mapping[str, object]) -> dict[str, Any]:
    """Return the arguments of a call with other values in the places of its media.

    Args:
        arguments: Checked.
        media: The new values by the name of the place.
    """
    replaced = dict(arguments)
    for place, value in media.items():
        name = argument_of(place)
        if name == place:
            replaced[name] = value
            continue
        index, _, field = place.removeprefix(f"{name}[").partition("].")
        entries = list(replaced[name])
        entries[int(index)] = {**entries[int(index)], field: value}
        replaced[name] = entries
    return replaced


def find_entry_problems(parameter: Parameter, value: object) -> list[Problem]:
    """Return everything that is wrong with the entries of such a list, each by its place.

    Args:
        parameter: One that ``holds_media``.
        value: What the caller gave.
    """
    if not is_listable(value):
        message = f"must be a list of dicts, not {type_name(value)}"
        return [Problem(field=parameter.name, message=message, given=shorten_repr(value))]
    problems: list[Problem] = []
    for index, entry in enumerate(as_list(value)):
        problems += _check_entry(parameter, f"{parameter.name}[{index}]", entry)
    return problems


def _check_entry(parameter: Parameter, place: str, entry: object) -> Iterator[Problem]:
    names = [field.name for field in parameter.fields]
    if not isinstance(entry, Mapping):
        message = f"must be a dict with {list_names(names)}, not {type_name(entry)}"
        yield Problem(field=place, message=message, given=shorten_repr(entry))
        return
    for name in entry:
        if name not in names:
            hint = did_you_mean(str(name), names)
            message = f"there is no such field.{hint} Fields: {list_names(names)}"
            given = shorten_repr(entry[name])
            yield Problem(
                field=f"{place}.{name}", message=message, given=given, kind=ProblemKind.UNKNOWN
            )
    for field in parameter.fields:
        if field.name in entry:
            found = field.problem(entry[field.name])
            if found is not None:
                yield Problem(
                    field=f"{place}.{field.name}",
                    message=found.message,
                    given=found.given,
                    nearest=found.nearest,
                )
        elif field.required:
            what = field.description.partition(". ")[0].rstrip(".")
            yield Problem(
                field=f"{place}.{field.name}",
                message=f"is needed: {what[:1].lower()}{what[1:]}",
                given="nothing",
                kind=ProblemKind.MISSING,
                wanted=field.kind.value,
            )
