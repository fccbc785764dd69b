"""The vocabulary of a command: its own options, as it declares them.

What a command calls an option is read from the command, so that an option that is added or renamed
has its word at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tiomagic.display.next_steps import SHELL
from tiomagic.display.phrases.vocabulary import PLACE, Surface
from tiomagic_domain.advice import NextStep

SAME_ARGUMENT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "path": ("target", "output"),
        "output": ("target", "folder"),
        "prompt": ("prompts",),
        "model": ("models",),
        "seed": ("seeds",),
        "count": ("frames",),
        "arguments": ("assignments",),
        "job": ("source", "job_id"),
        "continued_video": ("video",),
        "accepted_terms": ("accept_terms",),
    }
)
"""Names of arguments in Python, with the parameters of commands that are given to them."""

WITHOUT_OPTION: Final[Mapping[NextStep, str]] = MappingProxyType(
    {
        NextStep.USE_PROVIDER: "TIOMAGIC_PROVIDER={provider}",
        NextStep.USE_OWN_WEIGHTS: "TIOMAGIC_MODEL_PATH=FOLDER",
        NextStep.ACCEPT_TERMS: "TIOMAGIC_ACCEPTED_TERMS={model}",
    }
)
"""How steps are done where a command has no option for them; the others have no way there."""

SET: Final = "assignments"
"""The parameter of a command for ``--set``."""


@dataclass(frozen=True, slots=True)
class ShellWord:
    """What a command calls a parameter."""

    flag: str
    """Such as ``--image`` or ``-o``; the name of an argument that has no option, such as PROMPT."""
    value: str
    """What stands for its value, such as FILE; empty for a switch, and for an argument."""
    flags: tuple[str, ...] = ()
    """All ways to write it, such as ``--output`` and ``-o``; none for an argument."""


class ShellVocabulary:
    """Options.

    Args:
        words: By name of the parameter of the command.
    """

    surface = Surface.SHELL

    def __init__(self, words: Mapping[str, ShellWord] = MappingProxyType({})) -> None:
        self._words = words

    @property
    def ways(self) -> Mapping[NextStep, str]:
        """How each step is done: no option that the command does not have.

        Without a command that is known, the options of those that make a video.
        """
        if not self._words:
            return SHELL
        own = {flag for word in self._words.values() for flag in word.flags}
        return MappingProxyType(
            {
                step: WITHOUT_OPTION.get(step, "")
                if way.startswith("-") and way.split()[0] not in own
                else way
                for step, way in SHELL.items()
            }
        )

    @classmethod
    def of(cls, parameters: Iterable[object]) -> ShellVocabulary:
        """Return the words of a command.

        Args:
            parameters: Those of click's command.
        """
        return cls({str(getattr(one, "name", "")): _word(one) for one in parameters})

    def name(self, parameter: str) -> str:
        """Return the option; ``--set NAME`` for a parameter of the model that has none.

        A place in a list, such as ``keyframes[1].at``, is the second of its options, if it has one.
        """
        place = PLACE.fullmatch(parameter)
        if place is not None and self._word(place["list"]) is not None:
            return f"{self.name(place['list'])} {int(place['index']) + 1}"
        word = self._word(parameter)
        if word is not None:
            return word.flag
        can_set = SET in self._words and not parameter.startswith("-")
        return f"--set {parameter}" if can_set else parameter

    def assignment(self, parameter: str, value: object) -> str:
        """Return such as ``--steps 4`` or ``--set flow_shift=3``."""
        word = self._word(parameter)
        if word is not None:
            return f"{word.flag} {value}" if word.value else word.flag
        return f"{self.name(parameter)}={value}"

    def need(self, parameter: str, wanted: str, what: str) -> str:  # noqa: ARG002
        """Return such as ``--image FILE is needed``."""
        if PLACE.fullmatch(parameter) is not None:
            return f"{self.name(parameter)} needs {what}"
        word = self._word(parameter)
        if word is None:
            return f"{self.name(parameter)}=VALUE is needed"
        return f"{word.flag} {word.value} is needed" if word.value else f"{word.flag} is needed"

    def _word(self, parameter: str) -> ShellWord | None:
        for name in (parameter, *SAME_ARGUMENT.get(parameter, ())):
            if name in self._words:
                return self._words[name]
        return None


def _word(parameter: object) -> ShellWord:
    name, opts = getattr(parameter, "name", "") or "", list(getattr(parameter, "opts", ()))
    metavar = str(getattr(parameter, "metavar", None) or "")
    if getattr(parameter, "param_type_name", "") == "argument":
        return ShellWord(metavar or str(name).upper(), "")
    # The short form where there is one: it is what people type.
    flag = min(opts, key=lambda opt: (len(opt.lstrip("-")) > 1, opts.index(opt)))
    is_flag = bool(getattr(parameter, "is_flag", False))
    value = "" if is_flag else metavar.partition("|")[0] or str(name).upper()
    return ShellWord(flag, value, tuple(opts))
