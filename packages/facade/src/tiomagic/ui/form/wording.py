"""The words of a form: the label, the help and the provenance of a parameter."""

from __future__ import annotations

import re
from typing import Final

from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.rewording import reword
from tiomagic_domain.schema.parameter import UNSET, Parameter, describe_range
from tiomagic_domain.suggestions import shorten_repr

_FOR_PROGRAMS: Final = re.compile(
    r", each a dict:.*?(?=\. |\.?$)| \(docs/[^)]*\)|\s*An object sets each option\."
    r"|; a recipe names those that were used"
)
"""What a description says to programs only."""

ADDED_SECONDS: Final = (
    "Seconds to add",
    "Length of the new part. Empty: as long as this model makes without being asked.",
)
"""Label and help of the seconds of a shot that goes on."""


def label_of(parameter: Parameter) -> str:
    """Return the label of a parameter, with its unit."""
    label, unit = PAGE_WORDS.name(parameter.name), parameter.unit
    is_named = not unit or unit.partition("/")[0].casefold() in label.casefold()
    return label if is_named else f"{label} ({unit})"


def help_of(parameter: Parameter, *, slides: bool) -> str:
    """Return what a parameter does, and its limits.

    Args:
        parameter: Which.
        slides: True for a slider, which shows simple limits itself.
    """
    text = reword(_FOR_PROGRAMS.sub("", parameter.description), PAGE_WORDS).strip()
    for choice in parameter.choices:
        text = text.replace(str(choice), choice_label(choice))
    parts = [text if text.endswith((".", "?", "!")) or not text else f"{text}."]
    limits = describe_range(parameter)
    fixed = parameter.minimum is not None and parameter.minimum == parameter.maximum
    if (not slides or parameter.multiple_of is not None) and limits != "a number" and not fixed:
        parts.append(f"{limits[:1].upper()}{limits[1:]}.")
    return " ".join(part for part in parts if part)


def choice_label(choice: object) -> str:
    """Return a choice as people read it."""
    return str(choice).replace("_", " ")


def provenance_of(parameter: Parameter) -> str:
    """Return the default and where it comes from; empty when there is none to tell."""
    if not parameter.source or parameter.default in {UNSET, ""}:
        return ""
    return f"Default {shorten_repr(parameter.default, 30)}: {parameter.source}"
