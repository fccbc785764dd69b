"""Lists a model's files by name and size, on the hub or in a local folder, and reads headers."""

from __future__ import annotations

import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiomagic_domain.progress import ignore_progress
from tiomagic_local.weights.hub import download_repository, first_bytes, sizes_of

CONFIGURATIONS = ("*.json", "*.txt", "*.model")
"""Names of files without weights."""

MAX_HEADER_BYTES = 100 * 2**20
"""Length of the size field in the safetensors format."""


@dataclass(frozen=True, slots=True)
class WeightsFileHeader:
    """The header of a weight file."""

    size: int
    """The required size of the file in bytes."""


class ModelFiles(ABC):
    """Files of one model or component."""

    sizes: Mapping[str, int]
    """Bytes of each file, by its path."""
    location: str
    """Where they are, for messages."""

    @abstractmethod
    def start(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file."""

    @abstractmethod
    def configuration(self) -> Path:
        """Return a folder with the files that have no weights; downloads them."""

    @abstractmethod
    def missing_bytes(self, names: list[str]) -> int:
        """Return the bytes of some files that are missing on this machine."""

    def json(self, name: str) -> dict[str, Any]:
        """Return the object in a JSON file.

        Raises:
            ValueError: when it is not valid JSON, or not an object.
        """
        found = json.loads((self.configuration() / name).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"{name} is not an object")  # noqa: TRY004 - as json itself
        return found

    def header(self, name: str) -> WeightsFileHeader:
        """Return the header of a weight file.

        Raises:
            ValueError: when it is not a safetensors file.
        """
        start = self.start(name, 8)
        if len(start) < 8:
            raise ValueError("is shorter than the length of its header")
        (length,) = struct.unpack("<Q", start)
        if length > MAX_HEADER_BYTES:
            raise ValueError("is not a safetensors file")
        text = self.start(name, 8 + length)[8:]
        try:
            entries = json.loads(text)
            ends = [one["data_offsets"][1] for key, one in entries.items() if key[:2] != "__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("has a header that cannot be read") from error
        return WeightsFileHeader(size=8 + length + max(ends, default=0))


class HubFiles(ModelFiles):
    """A repository at one commit.

    Args:
        repository: Such as ``owner/name``.
        revision: Commit; None for the one that a run would use.
        model: For errors.
        token: For gated repositories.
        folder: The used folder of the repository; empty for all.

    Raises:
        TioMagicError: when the hub does not answer, or has no such commit.
    """

    def __init__(
        self,
        repository: str,
        revision: str | None,
        *,
        model: str,
        token: str | None,
        folder: str = "",
    ) -> None:
        self._repository, self._model, self._token = repository, model, token
        self._folder = folder
        self.revision, sizes = sizes_of(repository, revision, token=token, model=model)
        start = f"{folder}/" if folder else ""
        self.sizes: dict[str, int] = {
            name.removeprefix(start): size for name, size in sizes.items() if name.startswith(start)
        }
        self.location: str = f"{repository}@{self.revision[:12]}"

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def start(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file; the rest is not downloaded."""
        return first_bytes(
            self._repository,
            self.revision,
            self._path(name),
            count,
            token=self._token,
            model=self._model,
        )

    def configuration(self) -> Path:
        """Return a folder with the files that have no weights; downloads them."""
        names = tuple(self._path(name) for name in CONFIGURATIONS)
        folder = download_repository(
            self._repository,
            self.revision,
            model=self._model,
            token=self._token,
            progress=ignore_progress,
            names=names,
        )
        return folder / self._folder

    def missing_bytes(self, names: list[str]) -> int:
        """Return the bytes of some files that are missing in the hub's cache."""
        from huggingface_hub import try_to_load_from_cache

        gone = 0
        for name in names:
            found = try_to_load_from_cache(
                self._repository, self._path(name), revision=self.revision
            )
            gone += 0 if isinstance(found, str) else self.sizes[name]
        return gone


class FolderFiles(ModelFiles):
    """Weights in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self.sizes: dict[str, int] = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.location: str = str(folder)

    def start(self, name: str, count: int) -> bytes:
        """Return the first bytes of a file."""
        with (self._root / name).open("rb") as file:
            return file.read(count)

    def configuration(self) -> Path:
        """Return the folder itself."""
        return self._root

    def missing_bytes(self, names: list[str]) -> int:
        """Return 0: nothing is missing."""
        del names
        return 0
