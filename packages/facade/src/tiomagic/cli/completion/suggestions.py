"""Suggestions for a command or an option that does not exist. Loaded only when one is missed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

ALMOST: Final = 0.6
"""Likeness from which a command may be meant: ``tv2`` is a slip of ``t2v``. There are few of them,
so little is far-fetched."""


def add_command(error: Exception, known: Iterable[str]) -> None:
    """Add the command that is meant to click's error about a missing one.

    Args:
        error: Of click; its message ends with the name.
        known: All names of commands.
    """
    from tiomagic_domain.suggestions import closest  # noqa: PLC0415  # Heavy.

    message = str(getattr(error, "message", ""))
    found, given = list(known), message.split("'")[1] if message.count("'") > 1 else ""
    near = closest(given, found) or next(iter(get_close_matches(given, found, 1, ALMOST)), None)
    if near is not None:
        # In place of click's, which are several.
        first = message.partition(" Did you mean")[0]
        error.message = f"{first} Did you mean {near!r}?"  # type: ignore[attr-defined]


def add_option(error: Exception, parameters: Iterable[Any]) -> None:
    """Add the option that is meant to click's error about a missing one.

    A parameter of models that has no option of its own is set with ``--set``.

    Args:
        error: Of click, whose own suggestions are far-fetched.
        parameters: Of the command.
    """
    from tiomagic_domain.suggestions import closest  # noqa: PLC0415  # Heavy.

    given = _form(str(getattr(error, "option_name", "")))
    if not given:
        return
    options: dict[str, str] = {}
    for parameter in parameters:
        flags = [opt for opt in parameter.opts if opt.startswith("--")]
        options |= {_form(name): flags[0] for name in (*flags, parameter.name) if flags}
    settable = _list_settings() if "assignments" in options else []
    named = None if given in settable else closest(given, options)
    setting = closest(given, settable)
    if named is not None:
        hint = f"Did you mean {options[named]}?"
    elif setting is not None:
        hint = f"Models that have it take it as: --set {setting}=VALUE."
    else:
        return
    error.message = f"{getattr(error, 'message', '')}. {hint}"  # type: ignore[attr-defined]
    error.possibilities = None  # type: ignore[attr-defined]


def _form(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _list_settings() -> list[str]:
    """Return the names of the settings that any model has."""
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # Heavy.

    names = {
        parameter.name
        for card in models().values()
        for schema in card.features.values()
        for parameter in schema.parameters
    }
    return sorted(names)
