"""The parameters of a model: one table for all of its features, and below it what is long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docs.tables import render_table_head, render_table_row

from tiomagic_domain.catalogue.pose_parameters import SOURCES, ControlSource
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter, describe_range
from tiomagic_domain.schema.schema import (
    AllOrNone,
    ExactlyOne,
    MaxPixels,
    OffTogether,
    Rule,
    Schema,
    ShorterSide,
    WithinVideo,
)

LONGEST_DEFAULT = 24
"""Characters of a default in the table; a longer one stands below it."""

Schemas = Mapping[Feature, Schema]


def render_parameters(schemas: Schemas) -> Iterator[str]:
    """Give the lines of the table, the rules, the long defaults and the sources of the defaults."""
    rows = _rows(schemas)
    shared = len(schemas) > 1
    heads = ("parameter", "type", "default", "legal", "what it does")
    yield from render_table_head(*heads[:1], *(["for"] if shared else []), *heads[1:])
    for cells, features in rows.items():
        where = "all" if len(features) == len(schemas) else ", ".join(f.label for f in features)
        yield render_table_row(*cells[:1], *([where] if shared else []), *cells[1:])
    yield from _render_rules(schemas)
    yield from _render_long_defaults(schemas)
    yield from _render_sources(schemas)


def _rows(schemas: Schemas) -> dict[tuple[str, ...], list[Feature]]:
    """Return the cells of each row with the features that it holds for.

    What differs between features has a row for each form, one below the other.
    """
    rows: dict[str, dict[tuple[str, ...], list[Feature]]] = {}
    for feature, schema in schemas.items():
        for parameter in (*schema.required, *schema.optional, *schema.sizes):
            forms = rows.setdefault(parameter.name, {})
            forms.setdefault(_cells(parameter), []).append(feature)
    # What a call must have comes first, and what only calls of some models must.
    needed = {one.name for schema in schemas.values() for one in schema.required}
    needed |= {one.name for feature in schemas for one in INPUTS[feature]}
    order = sorted(rows, key=lambda name: name not in needed)
    return {cells: features for name in order for cells, features in rows[name].items()}


def _cells(parameter: Parameter) -> tuple[str, ...]:
    return (
        f"`{parameter.name}`" + (" (required)" if parameter.required else ""),
        _type(parameter),
        _default(parameter),
        _legal(parameter),
        parameter.description,
    )


def _type(parameter: Parameter) -> str:
    kind = parameter.kind
    return kind.value if kind.is_media else kind.python_type.__name__


def _default(parameter: Parameter) -> str:
    if parameter.default is UNSET:
        return ""
    return "[below](#long-defaults)" if _is_long(parameter) else f"`{parameter.default!r}`"


def _is_long(parameter: Parameter) -> bool:
    return parameter.default is not UNSET and len(repr(parameter.default)) > LONGEST_DEFAULT


def _legal(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice!r}`" for choice in parameter.choices)
    if parameter.examples:
        return f"such as {', '.join(f'`{example}`' for example in parameter.examples[:4])}"
    if parameter.kind not in {Kind.INTEGER, Kind.NUMBER}:
        return ""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.minimum is not None and parameter.minimum == parameter.maximum:
        return f"{parameter.minimum:g}{unit} and nothing else"
    return describe_range(parameter) + unit


def _render_rules(schemas: Schemas) -> Iterator[str]:
    found: dict[str, list[Feature]] = {}
    for feature, schema in schemas.items():
        for rule in schema.rules:
            found.setdefault(_rule(rule), []).append(feature)
        if schema.objects:
            names = ", ".join(f"`{name}`" for name in schema.objects)
            text = f"On `local` you can also pass the pipeline's own Python objects: {names}."
            found.setdefault(text, []).append(feature)
    if found:
        yield ""
    for text, features in found.items():
        only = ", ".join(feature.label for feature in features).capitalize()
        yield f"- {text}" if len(features) == len(schemas) else f"- {only}: {text}"


def _rule(rule: Rule) -> str:  # noqa: PLR0911  # One sentence for each.
    match rule:
        case ExactlyOne(names=names):
            return f"Give exactly one of {' and '.join(f'`{name}`' for name in names)}."
        case ControlSource(kind=kind):
            ways = (
                f"`{kind}={value.value!r}` takes {' or '.join(f'`{name}`' for name in names)}"
                for value, names in SOURCES.items()
            )
            return f"{'; '.join(ways)}."
        case AllOrNone(names=names):
            return f"Give {' and '.join(f'`{name}`' for name in names)} together, or neither."
        case MaxPixels(pixels=pixels):
            return f"`width` times `height` is at most {pixels:,}."
        case ShorterSide(pixels=pixels):
            return f"The shorter of `width` and `height` is {pixels}."
        case OffTogether(switch=switch, follower=follower):
            return f"If `{switch}` is 1, `{follower}` is 1 too: guidance is off then."
        case WithinVideo(position=position, frames=frames, ratio=ratio):
            return f"`{position}` is at most (`{frames}` - 1) / {ratio}."
        case _:
            # A rule of somebody else says in its docstring what holds.
            return (type(rule).__doc__ or type(rule).__name__).splitlines()[0]


def _render_long_defaults(schemas: Schemas) -> Iterator[str]:
    found = {
        (parameter.name, str(parameter.default)): None
        for schema in schemas.values()
        for parameter in schema.parameters
        if _is_long(parameter)
    }
    if found:
        yield from ("", "### Long defaults")
    for name, text in found:
        yield from ("", f"`{name}`:", "", "```text", text, "```")


def _render_sources(schemas: Schemas) -> Iterator[str]:
    found: dict[str, dict[str, None]] = {}
    for schema in schemas.values():
        for parameter in schema.parameters:
            if parameter.source:
                found.setdefault(parameter.source, {})[f"`{parameter.name}`"] = None
    if found:
        yield from ("", "### Where the defaults come from", "")
    for source, names in found.items():
        yield f"- {', '.join(names)}: {source}"
