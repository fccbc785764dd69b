"""The words of a form: the label, the help and the provenance of a parameter."""

from __future__ import annotations

import re
from typing import Final

from tiomagic_domain.schema.parameter import UNSET, Parameter, describe_range
from tiomagic_domain.suggestions import shorten_repr

_FOR_PROGRAMS: Final = re.compile(
    r": a path, a URL, bytes or a PIL image|, each a dict:.*$| \(docs/[^)]*\)"
    r"|\s*An object sets each option\."
)
"""What a description says to programs only."""


def label_of(parameter: Parameter) -> str:
    """Return the label of a parameter, with its unit."""
    words = parameter.name.removeprefix("num_").replace("_", " ")
    unit = parameter.unit
    tail = f" ({unit})" if unit and unit not in words else ""
    return f"{words[:1].upper()}{words[1:]}{tail}"


def help_of(parameter: Parameter, *, slides: bool) -> str:
    """Return what a parameter does, and its limits.

    Args:
        parameter: Which.
        slides: True for a slider, which shows simple limits itself.
    """
    text = _FOR_PROGRAMS.sub("", parameter.description).strip()
    parts = [text if text.endswith((".", "?", "!")) or not text else f"{text}."]
    limits = describe_range(parameter)
    fixed = parameter.minimum is not None and parameter.minimum == parameter.maximum
    if (not slides or parameter.multiple_of is not None) and limits != "a number" and not fixed:
        parts.append(f"{limits[:1].upper()}{limits[1:]}.")
    return " ".join(part for part in parts if part)


def provenance_of(parameter: Parameter) -> str:
    """Return the default and where it comes from; empty when there is none to tell."""
    if not parameter.source or parameter.default in {UNSET, ""}:
        return ""
    return f"Default {shorten_repr(parameter.default, 30)}: {parameter.source}"
