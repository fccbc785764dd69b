"""What the user chose of a job's arguments, apart from what the model's defaults filled in.

A record has every setting of its run, so that a rerun is exact. On another model only what the user
chose counts: the rest are defaults of the first model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tiomagic_domain.schema.sizes import SIZE_NAMES
from tiomagic_domain.text import find_text_flaw

MAX_CHOICES: Final = 200
"""Most names of a record, which may come from an untrusted file; a call has some forty."""
MAX_CHARACTERS: Final = 200
"""Longest name or text of a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The arguments that the user gave, after the renaming of old names.

    Defaults, a drawn seed, a size made from a picture, and the settings of few-step weights are not
    among them.
    """

    names: tuple[str, ...] = ()
    """Names of arguments of the record, whose values the user gave."""
    sizes: Mapping[str, Any] = field(default_factory=dict)
    """Length and size in the user's terms, such as ``{"seconds": 3.0, "aspect": "16:9"}``; the
    record has the frames and pixels that were made of them."""

    def values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the chosen values by name.

        Args:
            arguments: All arguments of the record.
        """
        return {name: arguments[name] for name in self.names if name in arguments} | {**self.sizes}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"names": list(self.names), "sizes": dict(self.sizes)}

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Return the choices of plain data.

        Raises:
            ValueError: when the data has another form.
        """
        data = data if isinstance(data, Mapping) else {}
        names, sizes = data.get("names"), data.get("sizes")
        if not isinstance(names, list) or not isinstance(sizes, Mapping):
            raise ValueError("choices need a list of names and a dict of sizes")  # noqa: TRY004
        if not set(sizes) <= set(SIZE_NAMES):  # No other value may pass the checks of a recipe.
            raise ValueError(f"sizes are {', '.join(SIZE_NAMES)}")
        if not all(map(_is_name, names)) or not all(map(_is_plain, sizes.values())):
            raise ValueError("choices have short names, and sizes are numbers or short texts")
        if len(names) + len(sizes) > MAX_CHOICES:
            raise ValueError(f"there are more than {MAX_CHOICES} choices")
        return cls(names=tuple(names), sizes=dict(sizes))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_CHARACTERS and find_text_flaw(value) is None


def _is_plain(value: object) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool) and math.isfinite(value)
    return _is_name(value)
