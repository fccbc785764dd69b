"""Settings: how one is called outside, what it takes, and the parsers that most of them need.

A parser takes what a caller gave, or the text of an environment variable, and returns the value in
its plain form. It must also take that plain form: a background worker gets its settings so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tiomagic_domain.schema.kinds import plain_text, unwrap
from tiomagic_domain.text import find_text_flaw


class InvalidSettingError(Exception):
    """A value that a setting does not take.

    Args:
        message: What the value must be, without the setting's name.
        nearest: The nearest value that is legal; None when there is none.
    """

    def __init__(self, message: str, nearest: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.nearest = nearest


def make_absolute(value: Any, working_dir: Path) -> Any:
    """Return a path that starts from the working directory; anything else as it is."""
    return working_dir / value if isinstance(value, Path) else value


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is called outside, and what it takes."""

    variable: str
    """The environment variable, which ``.env`` may have as well."""
    parse: Callable[[object], Any]
    """Returns the plain form of a value.

    Raises:
        InvalidSettingError: when it takes no such value.
    """
    secret: bool = False
    """True for what must appear in no record, log or error."""
    default: Any = None
    """The value if the user sets none."""
    place: Callable[[Any, Path], Any] = make_absolute
    """Turns the plain form and the absolute working directory into the value that holds."""


class ProviderSettings(Protocol):
    """The settings that hold: those of tiomagic, and those of every provider."""

    @property
    def state_dir(self) -> Path:
        """Absolute folder for what is kept between runs."""
        ...

    @property
    def spool_dir(self) -> Path:
        """Absolute folder for finished videos that are not in their place yet."""
        ...

    def __getitem__(self, name: str) -> Any:
        """Return the value of a setting by its name.

        Raises:
            KeyError: when there is no such setting.
        """
        ...


Section = Mapping[str, Setting]
"""Settings by name."""


def parse_text(value: object) -> str:
    """Take text, without the blanks around it."""
    text = plain_text(value)
    if not isinstance(text, str):
        raise InvalidSettingError(f"must be text, not {type(value).__name__}")
    wrong = find_text_flaw(text)
    if wrong is not None:
        raise InvalidSettingError(wrong)
    return text.strip()


def parse_path(value: object) -> Path:
    """Take a path; ``~`` is the home folder."""
    if not isinstance(value, str | Path):
        raise InvalidSettingError(f"must be a path, not {type(value).__name__}")
    return Path(value).expanduser()


def parse_seconds(value: object) -> int:
    """Take a whole number of seconds of at least 1, or the text of one."""
    wanted = "must be a whole number of seconds of at least 1"
    number = unwrap(value)  # A scalar of numpy and its like.
    if isinstance(number, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,12}(\.0*)?\s*", number):
        number = float(number)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidSettingError(f"{wanted}, not {value!r}")
    if number < 1:
        raise InvalidSettingError(f"{wanted}, not {value!r}", 1)
    return number


def parse_flag(value: object) -> bool:
    """Take True or False, or a word for one of them."""
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in words:
        raise InvalidSettingError(f"must be true or false, not {value!r}")
    return words[word]
