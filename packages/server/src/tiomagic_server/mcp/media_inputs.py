"""Which pictures and videos an agent may name.

An agent writes what it was told by whatever it read. One on this machine may name files, as its
user could; one that comes over the network may name addresses and data, or it would read our files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr

REMOTE = ("http://", "https://", "data:")
"""How a picture or a video begins that is no file of this machine."""
OF_FILES = frozenset({"model_path", "weights", "loras"})
"""Arguments that name files or repositories with weights."""


def check_remote_arguments(schema: Schema, arguments: Mapping[str, Any]) -> None:
    """Check that a call from elsewhere names no file of this machine.

    Args:
        schema: Of the model and its feature.
        arguments: Of the call, not checked otherwise yet.

    Raises:
        ValidationError: with every argument that does.
    """
    problems = [
        Problem(
            field=name,
            message="must be an address (https://) or data (data:), not a file of the server",
            given=shorten_repr(value, 60),
        )
        for name, value in _list_media(schema, arguments)
        if not (isinstance(value, str) and value.strip().lower().startswith(REMOTE))
    ]
    problems += [
        Problem(
            field=name,
            message="names weights, which only the server's own user may",
            given=shorten_repr(arguments[name], 60),
        )
        for name in sorted(OF_FILES & arguments.keys())
    ]
    if problems:
        raise ValidationError.of(problems, subject="the call")


def _list_media(schema: Schema, arguments: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield each picture and video of a call with the name of its argument."""
    for name, value in arguments.items():
        if name not in schema:
            continue  # The call itself says that there is no such argument.
        parameter = schema[name]
        if parameter.kind.is_media:
            yield name, value
        elif parameter.holds_media and isinstance(value, list):
            fields = {field.name for field in parameter.fields if field.kind.is_media}
            for entry in value:
                given = entry if isinstance(entry, Mapping) else {}
                yield from ((name, given[field]) for field in fields & given.keys())
