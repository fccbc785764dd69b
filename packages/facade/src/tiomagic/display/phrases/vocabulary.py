"""What a vocabulary says, and the one of Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

from tiomagic.display.next_steps import PYTHON
from tiomagic_domain.advice import NextStep

PLACE: Final = re.compile(r"(?P<list>\w+)\[(?P<index>\d+)\](?:\.\w+)?")
"""The place of a picture in a list, such as ``keyframes[1].at``."""


class Surface(StrEnum):
    """Where a person reads a sentence. A notebook is Python."""

    PYTHON = "python"
    SHELL = "shell"
    PAGE = "page"


class Vocabulary(Protocol):
    """The words of a surface for parameters and for what to do."""

    @property
    def surface(self) -> Surface:
        """Whose words these are."""
        ...

    @property
    def ways(self) -> Mapping[NextStep, str]:
        """The way to do each step that a text advises."""
        ...

    def name(self, parameter: str) -> str:
        """Return what the surface calls a parameter, such as ``--steps`` or ``Steps``."""
        ...

    def assignment(self, parameter: str, value: object) -> str:
        """Return how a value is given, such as ``--steps 4``."""
        ...

    def need(self, parameter: str, wanted: str, what: str) -> str:
        """Return the sentence about a parameter that was left out.

        Args:
            parameter: Its name in Python.
            wanted: The kind of its value, such as ``image``; empty if unknown.
            what: What it is, such as ``the picture to start from``; may be empty.
        """
        ...


class PythonVocabulary:
    """Keywords."""

    surface = Surface.PYTHON
    ways = PYTHON

    def name(self, parameter: str) -> str:
        """Return the keyword."""
        return parameter

    def assignment(self, parameter: str, value: object) -> str:
        """Return such as ``model='doodle'``."""
        return f"{parameter}={value!r}"

    def need(self, parameter: str, wanted: str, what: str) -> str:  # noqa: ARG002
        """Return such as ``image is needed: the picture to start from``."""
        return f"{parameter} is needed: {what}" if what else f"{parameter} is needed"


PYTHON_WORDS: Vocabulary = PythonVocabulary()
"""The vocabulary of programs and notebooks."""
