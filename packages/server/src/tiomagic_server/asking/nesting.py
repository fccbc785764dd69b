"""Names with brackets, as forms have them: ``a[b]``, ``l[][p]``.

Clients flatten what is nested: ``{"a": {"b": 1}, "l": [{"p": 2}, {"p": 3}]}`` becomes the fields
``a[b]``, ``l[][p]`` and ``l[][p]``. The second entry of a list begins where the first one has that
field already. A number in brackets is a place in a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.suggestions import shorten_repr

MAX_DEPTH: Final = 6
"""Most brackets of a name; ``frame_images[][image_url][url]`` has three."""
MAX_PLACE_DIGITS: Final = 6
"""Most digits of a place in a list; Python refuses to read some thousand."""
_STEP: Final = re.compile(r"\[([^\[\]]*)\]")


def nest(fields: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Return fields as the nested data that they were made of.

    Args:
        fields: Names and values in the order of the form. A plain name that comes twice is a list.

    Raises:
        ValidationError: when a name cannot be read, or contradicts another.
    """
    found: dict[str, Any] = {}
    for name, value in fields:
        try:
            _put(found, _split(name), value)
        except _UnreadableName as error:
            problem = Problem(field=name, message=str(error), given=shorten_repr(value))
            raise ValidationError.of([problem], subject="the form") from error
    return found


class _UnreadableName(Exception):  # noqa: N818 - becomes a problem at once
    """A name that has no place."""


def _split(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not head:
        return [name]
    steps = _STEP.findall(bracket + rest)
    if "".join(f"[{step}]" for step in steps) != bracket + rest:
        raise _UnreadableName("is no name of a field: its brackets do not match")
    if len(steps) > MAX_DEPTH:
        raise _UnreadableName(f"has more than {MAX_DEPTH} brackets")
    if any(step.isdecimal() and len(step) > MAX_PLACE_DIGITS for step in steps):
        raise _UnreadableName(f"has a place of more than {MAX_PLACE_DIGITS} digits")
    return [head, *steps]


def _put(node: Any, steps: list[str], value: object) -> None:
    step, *rest = steps
    if isinstance(node, list):
        _put_in_list(node, step, rest, value)
    elif not isinstance(node, dict):
        raise _UnreadableName("is given as a value and with fields of its own; give it once")
    elif rest:
        _put(node.setdefault(step, _container(rest)), rest, value)
    elif step not in node:
        node[step] = value
    elif isinstance(node[step], list):
        node[step].append(value)
    elif isinstance(node[step], dict):
        raise _UnreadableName("is given as a value and with fields of its own; give it once")
    else:
        node[step] = [node[step], value]


def _put_in_list(node: list[Any], step: str, rest: list[str], value: object) -> None:
    if step and not step.isdecimal():
        raise _UnreadableName("is given as a list and with fields of its own; give it once")
    place = int(step) if step else None
    if place is not None and place > len(node):
        raise _UnreadableName("leaves out places of its list; count from 0")
    if not rest:
        node.append(value)
        return
    is_new = place == len(node) or not node or (place is None and _has(node[-1], rest))
    if is_new:
        node.append(_container(rest))
        place = None
    _put(node[-1 if place is None else place], rest, value)


def _container(rest: list[str]) -> Any:
    return [] if not rest[0] or rest[0].isdecimal() else {}


def _has(entry: Any, steps: list[str]) -> bool:
    """Return whether an entry has a value at some steps already."""
    for step in steps:
        if isinstance(entry, list):
            return False  # One more of a list within it.
        if not isinstance(entry, dict) or step not in entry:
            return False
        entry = entry[step]
    return True
