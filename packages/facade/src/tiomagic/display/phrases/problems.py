"""Problems and errors as sentences of a surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tiomagic.display.phrases.rewording import reword
from tiomagic.display.phrases.vocabulary import Surface, Vocabulary
from tiomagic_domain.errors import (
    Problem,
    ProblemKind,
    TioMagicError,
    ValidationError,
    list_problems,
)

VERBS: Final = ("must ", "is ", "has ", "was ", "needs ", "cannot ")
"""Beginnings of a message that goes on from the name of the parameter."""


def say_error(error: TioMagicError, words: Vocabulary) -> str:
    """Return the text of an error for a person.

    Args:
        error: Of any kind.
        words: Of the surface.
    """
    if not isinstance(error, ValidationError) or not error.problems:
        return reword(error.message, words)
    lines = [say_problem(problem, words) for problem in _without_repeats(error.problems)]
    if words.surface is Surface.PYTHON:
        return list_problems(lines, error.subject)
    if len(lines) == 1:
        return lines[0]
    listed = "\n  - ".join(lines)
    return f"{len(lines)} problems:\n  - {listed}"


def say_problem(problem: Problem, words: Vocabulary, *, at_field: bool = False) -> str:
    """Return the sentence about one problem.

    Args:
        problem: With an argument.
        words: Of the surface.
        at_field: True when it is shown at the field itself, whose name it then does not repeat.
    """
    if problem.kind is ProblemKind.MISSING:
        return _say_missing(problem, words, at_field=at_field)
    message = reword(problem.message, words)
    if words.surface is Surface.PYTHON:
        return f"{problem.field}: {message}"
    if problem.kind is ProblemKind.UNKNOWN:
        return f"there is no parameter {problem.field!r}{_meant(problem, words)}"
    *most, last = (words.name(field) for field in problem.field.split(", "))
    names = f"{', '.join(most)} and {last}" if most else last
    if problem.kind is ProblemKind.ONE_OF:
        return f"{'give one of' if problem.given == '[]' else 'give only one of'} {names}"
    if at_field:
        # A name, such as that of a file, stays as it is written.
        is_word = message.partition(" ")[0].isalpha()
        return f"{message[:1].upper()}{message[1:]}" if is_word else message
    return f"{names}{' ' if message.startswith(VERBS) else ': '}{message}"


def _say_missing(problem: Problem, words: Vocabulary, *, at_field: bool) -> str:
    need = words.need(problem.field, problem.wanted, problem.message.partition(": ")[2])
    if words.surface is Surface.PAGE and not at_field:
        return f"{words.name(problem.field)}: {need[:1].lower()}{need[1:]}"
    return need


def _meant(problem: Problem, words: Vocabulary) -> str:
    if isinstance(problem.nearest, str):
        return f"; did you mean {words.name(problem.nearest)}?"
    # The names as they are: a list of options would say nothing of what they are for.
    known = problem.message.partition("; ")[2].replace("'", "")
    return f"; {known}" if known else ""


def _without_repeats(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems of which the last one alone lists the names that are known."""
    listing = [p for p in problems if p.kind is ProblemKind.UNKNOWN and p.nearest is None]
    return [
        replace(problem, message=problem.message.partition("; ")[0])
        if problem in listing[:-1]
        else problem
        for problem in problems
    ]
