"""Expert arguments: Python objects of the caller's process, such as tensors and functions.

A pipeline's own expert arguments cannot be stored. They reach an engine in the same process, and
the record has a description of them: type, shape, number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tiomagic_domain.errors import Problem
from tiomagic_domain.suggestions import shorten_repr

TYPE = "python"
"""Key of the type in a description."""


def describe_object(value: object) -> dict[str, Any]:
    """Return the description of an object for the record: its type and size."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if library == "builtins" else f"{library}.{kind.__qualname__}"
    description: dict[str, Any] = {TYPE: name}
    shape = getattr(value, "shape", None)
    if shape is not None:
        description["shape"] = [int(size) for size in shape]
        description["dtype"] = str(getattr(value, "dtype", ""))
    elif isinstance(value, Mapping):
        description["keys"] = sorted(str(key) for key in value)
    elif isinstance(value, Collection):
        description["length"] = len(value)
    return description


def explain_unsupported_object(name: str, value: object) -> Problem | None:
    """Return why a value cannot be such an argument, or None."""
    if isinstance(value, Mapping) and isinstance(value.get(TYPE), str):
        message = (
            f"was an object of type {value[TYPE]} in another process, which a record does not "
            "hold: give it again, to a run in this process"
        )
    elif value is None or isinstance(value, str | bytes | bool | int | float):
        message = f"must be a Python object such as a tensor, not {type(value).__name__}"
    else:
        return None
    return Problem(field=name, message=message, given=shorten_repr(value))
