"""The argument ``weights``: files in place of components of a model.

::

    mine.gguf                                       a file of this machine
    mine.gguf@sha256:0123456789abcdef               the same in a recipe, by its content
    city96/Wan2.1-T2V-14B-gguf/wan2.1-….gguf        a file of a repository on the hub
    city96/Wan2.1-T2V-14B-gguf/wan2.1-….gguf@main   the same at a commit, branch or tag
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Final, Self

from tiomagic_domain.schema.parameter import Kind, Parameter

WEIGHTS_ARGUMENT: Final = "weights"
COMPONENTS: Final = ("transformer", "transformer_2", "text_encoder")
"""The components that a file can replace."""
DIGEST: Final = "sha256:"
"""How the digest of a file begins."""

_ENDING: Final = r"\.(?:safetensors|gguf|GGUF)(?:@[\w./:-]+)?(?!\n)$"
_GIVEN: Final = re.compile(r"(?P<place>.+?\.(?:safetensors|gguf|GGUF))(?:@(?P<pin>[\w./:-]+))?")
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
_PINNED_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file in place of a component."""

    place: str
    """A path, or ``owner/name/file`` of the hub."""
    pin: str | None = None
    """A commit, branch or tag; for a file of this machine ``sha256:`` and the start of its digest;
    None for the newest, or for any content."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the file that a validated text names."""
        found = _GIVEN.fullmatch(text)
        if found is None:
            return cls(place=text)
        return cls(place=found["place"], pin=found["pin"])

    @property
    def hub_file(self) -> tuple[str, str] | None:
        """The repository and the name in it, if it can be a file of the hub.

        A file of that name on this machine comes first where no commit is given.
        """
        parts = self.place.split("/")
        if len(parts) < 3 or (self.pin or "").startswith(DIGEST):
            return None
        plain = all(_NAME.fullmatch(part) for part in parts)
        return ("/".join(parts[:2]), "/".join(parts[2:])) if plain else None

    @property
    def label(self) -> str:
        """Its name in messages and records, without a folder of this machine."""
        return self.place if self.hub_file else _bare(self.place)

    def pinned(self, pin: str) -> str:
        """Return its entry in a recipe.

        Args:
            pin: A commit of the hub, or the digest of a file of this machine.
        """
        return f"{_bare(self.place) if pin.startswith(DIGEST) else self.place}@{pin}"

    @property
    def is_plain(self) -> bool:
        """True if it can name no path of a machine.

        It then is a file of the hub at a commit, or a bare name and its digest.
        """
        if self.hub_file is not None:
            return self.pin is not None
        is_bare = self.place == _bare(self.place)
        return is_bare and _PINNED_DIGEST.fullmatch(self.pin or "") is not None


def _bare(place: str) -> str:
    """Return the last part of a path; Windows paths count on every system."""
    return PureWindowsPath(place).name


def read_given(value: object) -> dict[str, GivenFile]:
    """Return the file of each component from a validated argument."""
    given = value if isinstance(value, Mapping) else {}
    return {str(name): GivenFile.parse(str(text)) for name, text in given.items()}


WEIGHTS: Final = Parameter(
    name=WEIGHTS_ARGUMENT,
    kind=Kind.OBJECT,
    required=False,
    fields=tuple(
        Parameter(
            name=name,
            kind=Kind.STRING,
            required=False,
            path=True,
            pattern=_ENDING,
            pattern_hint="must be a .safetensors or .gguf file, or one of the hub as "
            "owner/name/file.gguf; files in other formats are not read",
            description=f"A file in place of the {name.replace('_', ' ')}.",
        )
        for name in COMPONENTS
    ),
    advanced=True,
    description="Files in place of components of the model for this video, such as GGUF or fp8: "
    "a path, or owner/name/file of the hub (docs/weights.md).",
)
"""The parameter."""
