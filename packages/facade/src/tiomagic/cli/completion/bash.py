"""Undoes bash's splitting of words at each = in a completed line."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Final

PARAMETER_NAME_VARIABLE: Final = "_TIOMAGIC_COMPLETE_NAME"
"""Environment variable with what stands left of the = when the shell completes the right alone."""


def rejoin_split_words(environment: MutableMapping[str, str]) -> None:
    """Put together what bash takes apart: to it ``--set steps=4`` are four words.

    Args:
        environment: Of a program that bash asks for completions; changed in place.
    """
    if environment.get("_TIOMAGIC_COMPLETE") != "complete_bash":
        return
    words, at = environment["COMP_WORDS"].split("\n"), int(environment["COMP_CWORD"])
    before, typed = words[:at], "".join(words[at : at + 1])
    if typed == "=":
        right = ""
    elif typed and before[-1:] == ["="]:
        before, right = before[:-1], typed
    else:
        _tell(environment, [*_glued(before), typed])
        return
    *head, left = _glued(before)
    if left.startswith("-"):
        option, equals, name = left.partition("=")
        head.append(option)
        if equals:
            environment[PARAMETER_NAME_VARIABLE] = name
    else:
        environment[PARAMETER_NAME_VARIABLE] = left
    _tell(environment, [*head, right])


def _tell(environment: MutableMapping[str, str], words: list[str]) -> None:
    environment["COMP_WORDS"] = "\n".join(words)
    environment["COMP_CWORD"] = str(len(words) - 1)


def _glued(words: Iterable[str]) -> list[str]:
    """Return words without those that are a = between two others."""
    found: list[str] = []
    for word in words:
        # Where nothing follows the =, the next word is an option of its own.
        value = found and found[-1].endswith("=") and not word.startswith("--")
        if found and (word == "=" or value):
            found[-1] += word
        else:
            found.append(word)
    return found
