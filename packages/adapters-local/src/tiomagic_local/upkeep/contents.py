"""The files of models on this machine, and which of them are one content.

Models share files in three ways: they are made of the same repository, a content of two
repositories is one file by a hard link, or it lies in a store of the hub's client. In each case it
is one file of the disk, by which it is recognised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub_cache import HubCache, ListedFile
from tiomagic_local.weights.hub_files import WantedFiles, list_lora_files, list_wanted
from tiomagic_local.weights.inventory import find_commit, find_listed
from tiomagic_local.weights.locate import Origin, local_folder

DiskFile = tuple[int, int]
"""Device and number of a file, which all of its names share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a model on the disk."""

    name: str
    """Its path in the repository or the folder."""
    path: Path
    """Its place in a snapshot, which may be a link; a part is in its own place."""
    size: int
    disk_file: DiskFile
    listed: ListedFile | None = None
    """What the hub says of it; None if unknown."""
    is_part: bool = False
    """True for what an interrupted download has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContents:
    """What is here of a model."""

    card: ModelCard
    origin: Origin
    place: Path
    sources: tuple[str, ...]
    files: tuple[StoredFile, ...]

    @property
    def disk_files(self) -> dict[DiskFile, int]:
        """Sizes by content."""
        return {file.disk_file: file.size for file in self.files}


def find_contents(card: ModelCard, options: LocalOptions, cache: HubCache) -> ModelContents | None:
    """Return what is here of a model; None for nothing, or for one that comes with a package.

    Raises:
        ConfigurationError: when the folder of weights is not there.
    """
    given = local_folder(card, options)
    if given is not None:
        folder, origin = given
        if origin is Origin.PACKAGE:
            return None
        found = tuple(_stored(folder, folder.rglob("*")))
        return ModelContents(card=card, origin=origin, place=folder, sources=(), files=found)
    files: list[StoredFile] = []
    sources = []
    some = list_lora_files(card.loras_of_some_calls)
    for wanted in (*list_wanted(card), *some):
        # What only some calls use is no model: another one may have brought it.
        here = list(_of_repository(cache, wanted)) if files or wanted not in some else []
        commit = find_commit(cache, wanted)
        if here and commit is not None:
            files += here
            sources.append(f"{wanted.repository}@{commit[:12]}")
    if not files:
        return None
    return ModelContents(
        card=card,
        origin=Origin.HUB,
        place=cache.root,
        sources=tuple(sources),
        files=tuple(files),
    )


def _of_repository(cache: HubCache, wanted: WantedFiles) -> Iterator[StoredFile]:
    commit, listed = find_commit(cache, wanted), find_listed(cache, wanted)
    if commit is None:
        return
    folder = cache.snapshot(wanted.repository, commit)
    if listed is None:
        from tiomagic_local.weights.inventory import list_unlisted

        yield from _stored(folder, list_unlisted(cache, wanted))
        return
    for name, file in listed[1].items():
        yield from _stored(folder, [folder / name], file)
        part = cache.part(wanted.repository, file)
        yield from _stored(part.parent, [part], file, is_part=True)


def _stored(
    folder: Path, paths: object, listed: ListedFile | None = None, *, is_part: bool = False
) -> Iterator[StoredFile]:
    for path in paths:  # type: ignore[attr-defined]
        try:
            about = path.stat()
        except OSError:
            continue  # Not here, or a link to nothing.
        if path.is_file():
            yield StoredFile(
                name=path.relative_to(folder).as_posix(),
                path=path,
                size=about.st_size,
                disk_file=(about.st_dev, about.st_ino),
                listed=listed,
                is_part=is_part,
            )
