"""Texts of a form as numbers, switches, lists and objects, by a model's schema.

What cannot be read stays a text: the schema then says what it must be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.files.json_documents import read_json
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_server.asking.bodies import MAX_JSON_PARTS

SWITCHES: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_NUMBER: Final = re.compile(
    r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})([eE][+-]?[0-9]{1,3})?", re.ASCII
)


def read_texts(schema: Schema, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments whose texts have the kinds that a schema wants.

    Args:
        schema: Of the model's feature.
        arguments: As a form has them, nested or as JSON in a text.
    """
    known = {parameter.name: parameter for parameter in (*schema.parameters, *schema.sizes)}
    return {
        name: _read(known[name], value) if name in known else value
        for name, value in arguments.items()
    }


def _read(parameter: Parameter, value: Any) -> Any:
    if parameter.kind.is_media:
        return value
    if isinstance(value, str):
        value = read_text(parameter.kind, value, words=parameter.has_words)
    fields = {field.name: field for field in parameter.fields}
    if isinstance(value, dict) and fields:
        return {k: _read(fields[k], v) if k in fields else v for k, v in value.items()}
    if isinstance(value, list) and fields:
        return [
            {k: _read(fields[k], v) if k in fields else v for k, v in entry.items()}
            if isinstance(entry, dict)
            else entry
            for entry in value
        ]
    if isinstance(value, list) and parameter.items is not None:
        items = parameter.items
        return [read_text(items, one) if isinstance(one, str) else one for one in value]
    return value


def read_text(kind: Kind, text: str, *, words: bool = False) -> Any:
    """Return a text as a value of a kind; as it is where it is none.

    Args:
        kind: What is wanted.
        text: As it came.
        words: True where an object may stand in place of a word.
    """
    given = text.strip()
    match kind:
        case Kind.INTEGER if _INTEGER.fullmatch(given):
            return int(given)
        case Kind.INTEGER | Kind.NUMBER if _NUMBER.fullmatch(given):
            return float(given)
        case Kind.BOOLEAN:
            return SWITCHES.get(given.lower(), text)
        case Kind.LIST | Kind.OBJECT:
            return read_nested(text)
        case Kind.STRING if words and given.startswith("{"):
            return read_nested(text)
    return text


def read_nested(text: str) -> Any:
    """Return the list or object that a text in JSON is; the text where it is none."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return read_json(text, "the field", most_parts=MAX_JSON_PARTS)
    except ValidationError:
        return text
