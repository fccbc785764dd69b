"""The argument ``loras``: LoRA files of a call, which change a model's weights for one video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

SUFFIX = ".safetensors"
COMPONENT = "transformer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """One LoRA of a model or of a call."""

    source: str
    """A file of this machine, or a repository on the Hugging Face hub."""
    weight_name: str | None = None
    """The file in the repository; None if it has only one."""
    scale: float = 1.0
    """How strongly it is applied."""
    component: str = COMPONENT
    """The component of the pipeline that it changes."""
    revision: str | None = None
    """Commit of the repository; None for the newest, and for a file."""
    sha256: str | None = None
    """The required digest of the file; None for any."""

    @classmethod
    def from_arguments(cls, entries: Iterable[Mapping[str, Any]]) -> list[Self]:
        """Return the LoRAs of a call from its validated argument ``loras``."""
        return [cls(**entry) for entry in entries]

    @property
    def is_file(self) -> bool:
        """True for a file of this machine: a repository's name has no file ending."""
        return self.source.endswith(SUFFIX)

    @property
    def label(self) -> str:
        """The LoRA's name in messages and records, without a path."""
        name = Path(self.source).name if self.is_file else self.source
        return f"{name}:{self.weight_name}" if self.weight_name else name

    def pinned(self, *, sha256: str | None, revision: str | None) -> Self:
        """Return its entry in a recipe: without the folder, with the digest."""
        name = Path(self.source).name if self.is_file else self.source
        return replace(self, source=name, sha256=sha256, revision=revision)

    def to_dict(self) -> dict[str, Any]:
        """Return it as an entry of the argument ``loras``."""
        named = {
            "weight_name": self.weight_name,
            "revision": self.revision,
            "sha256": self.sha256,
        }
        said = {key: value for key, value in named.items() if value is not None}
        return {"source": self.source, "scale": self.scale, "component": self.component, **said}
