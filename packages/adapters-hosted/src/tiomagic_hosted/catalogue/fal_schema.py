"""What an endpoint of fal takes, read from the OpenAPI document that fal serves for it.

Only what can refuse a value for certain is read: the arguments' names, their choices, and the
limits of numbers and texts. Any other part of a schema refuses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEPTH: Final = 8
"""A schema may refer to itself; real ones nest two or three levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointInputs:
    """The arguments of one endpoint."""

    properties: Mapping[str, Any]
    """The schema of each, by fal's names."""
    components: Mapping[str, Any]
    """Schemas that others refer to, by their names."""

    def find_refusal(self, name: str, value: object) -> str | None:
        """Return what an argument takes, if that is not the value; None if the value may do.

        Args:
            name: One of the arguments.
            value: As it would be sent.
        """
        return self._refuse(self.properties[name], value, _DEPTH)

    def _refuse(self, schema: object, value: object, depth: int) -> str | None:
        if not isinstance(schema, dict) or depth == 0:
            return None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            named = self.components.get(reference.rpartition("/")[2])
            return self._refuse(named, value, depth - 1)
        for part in _list(schema, "allOf"):
            said = self._refuse(part, value, depth - 1)
            if said is not None:
                return said
        either = _list(schema, "anyOf") or _list(schema, "oneOf")
        all_said = [self._refuse(one, value, depth - 1) for one in either if not _is_null(one)]
        if all_said and None not in all_said:
            return " or ".join(one for one in all_said if one is not None)
        return _refuse_plain(schema, value)


def read_inputs(document: object) -> EndpointInputs | None:
    """Return the arguments of an endpoint; None for a document of a form that is not known."""
    if not isinstance(document, dict):
        return None
    try:
        components = document["components"]["schemas"]
        posts = (path["post"] for path in document["paths"].values() if "post" in path)
        schema = next(posts)["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in schema:
            schema = components[schema["$ref"].rpartition("/")[2]]
        properties = schema["properties"]
    except (KeyError, TypeError, AttributeError, StopIteration):
        return None
    if not isinstance(properties, dict) or not properties or not isinstance(components, dict):
        return None
    return EndpointInputs(properties=properties, components=components)


def _refuse_plain(schema: Mapping[str, Any], value: object) -> str | None:
    choices = _list(schema, "enum")
    if choices:
        # Whether "5" may be sent as 5, fal says itself.
        is_one = any(str(choice) == str(value) for choice in choices)
        return None if is_one else ", ".join(str(choice) for choice in choices)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _refuse_number(_number(schema, "minimum"), _number(schema, "maximum"), value)
    longest = _number(schema, "maxLength")
    if isinstance(value, str) and longest is not None and len(value) > longest:
        return f"at most {longest:g} characters"
    return None


def _refuse_number(low: float | None, high: float | None, value: float) -> str | None:
    if (low is None or value >= low) and (high is None or value <= high):
        return None
    if high is None:
        return f"at least {low:g}"
    return f"at most {high:g}" if low is None else f"{low:g} to {high:g}"


def _number(schema: Mapping[str, Any], name: str) -> float | None:
    found = schema.get(name)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _list(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return found if isinstance(found, list) else []


def _is_null(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"
