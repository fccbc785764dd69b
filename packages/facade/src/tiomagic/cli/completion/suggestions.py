"""Suggestions for a command or an option that does not exist. Loaded only when one is missed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

ALMOST: Final = 0.6
"""Likeness from which a command may be meant: ``tv2`` is a slip of ``t2v``. There are few of them,
so little is far-fetched."""


EXTEND: Final = "extend"
"""The command that has the settings of image to video."""
TAKEN_BY_EXTEND: Final = frozenset({"image", "continued_video", "loop"})
"""What a continued shot takes from its video, or cannot be."""


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


def add_option(error: Exception, ctx: Any) -> None:
    """Add the option that is meant to click's error about a missing one.

    An option of another feature is named with its command. A parameter of models that has no option
    of its own is set with ``--set``.

    Args:
        error: Of click, whose own suggestions are far-fetched.
        ctx: Click's context of the command.
    """
    from tiomagic_domain.suggestions import closest  # noqa: PLC0415  # Heavy.

    given = _form(str(getattr(error, "option_name", "")))
    if not given:
        return
    options = _options_of(ctx.command)
    settable = _list_settings(ctx.command.name) if "assignments" in options else []
    named = None if given in settable else closest(given, options)
    setting = closest(given, settable)
    elsewhere = [] if setting == given else _list_commands_with(given, ctx)
    if elsewhere:
        hint = f"It is an option of {' and '.join(f'tiomagic {name}' for name in elsewhere)}."
    elif named is not None:
        hint = f"Did you mean {options[named]}?"
    elif setting is not None:
        hint = f"Models that have it take it as: --set {setting}=VALUE."
    else:
        return
    error.message = f"{getattr(error, 'message', '')}. {hint}"  # type: ignore[attr-defined]
    error.possibilities = None  # type: ignore[attr-defined]


def _form(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _options_of(command: Any) -> dict[str, str]:
    """Return the long options of a command, by all their names."""
    options: dict[str, str] = {}
    for parameter in command.params:
        flags = [opt for opt in parameter.opts if opt.startswith("--")]
        options |= {_form(name): flags[0] for name in (*flags, parameter.name) if flags}
    return options


def _list_commands_with(given: str, ctx: Any) -> list[str]:
    """Return the other commands of features that have an option; none for a command of no feature.

    Args:
        given: The option, in plain form.
        ctx: Click's context of the command that lacks it.
    """
    from tiomagic_domain.features import Feature  # noqa: PLC0415  # Heavy.

    names = [feature.value.replace("_", "-") for feature in Feature]
    if ctx.command.name not in (*names, EXTEND):
        return []
    group = ctx.parent.command
    others = {name: group.get_command(ctx.parent, name) for name in names}
    return [name for name, other in others.items() if other and given in _options_of(other)]


def _list_settings(command: str) -> list[str]:
    """Return the names of the settings that any model has for what a command does."""
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # Heavy.

    if command == EXTEND:
        return [name for name in _list_settings("image-to-video") if name not in TAKEN_BY_EXTEND]
    by_feature: dict[str, set[str]] = {}
    for card in models().values():
        for feature, schema in card.features.items():
            known = by_feature.setdefault(feature.value.replace("_", "-"), set())
            known |= {parameter.name for parameter in schema.parameters}
    return sorted(by_feature.get(command) or set().union(*by_feature.values()))
