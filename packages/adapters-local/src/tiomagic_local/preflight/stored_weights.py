"""The bytes of a model's weights: those that are here, and those to download. Makes no request.

============================  =====================================  =============
where the weights are         all bytes                              exact
============================  =====================================  =============
a folder                      its files                              yes
the hub's cache, with the     the wanted files of the list           yes
hub's list of the commit
the same without the list     its files, if each component is whole  yes
not here, or in part          the figure of the model's card         no
============================  =====================================  =============
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.ports.preflight import GIB, WeightsOnDisk
from tiomagic_local.options import LocalOptions
from tiomagic_local.rehearsal.completeness import Looker, components
from tiomagic_local.rehearsal.published import FolderFiles
from tiomagic_local.weights.hub import FILES, PIPELINE_FILES
from tiomagic_local.weights.locate import local_folder
from tiomagic_local.weights.pinned_commits import cache_folder_name, read_pinned_commit
from tiomagic_local.weights.single_file import INDEX, TRANSFORMER, read_index

WEIGHTS = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """The weights of a model as they lie on this machine."""

    on_disk: WeightsOnDisk
    weight_bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each component's weight files; empty unless all are here."""

    @property
    def are_here(self) -> bool:
        """True when nothing is to be downloaded."""
        return self.on_disk.fetch_bytes == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The files of one repository that a run loads."""

    repository: str
    revision: str | None
    names: tuple[str, ...]
    without: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Say whether a file is one of them."""
        return any(fnmatch(name, one) for one in self.names) and not any(
            fnmatch(name, one) for one in self.without
        )


def find_stored_weights(card: ModelCard, options: LocalOptions) -> StoredWeights:
    """Return what is here of a model's weights, and what is not.

    Raises:
        ConfigurationError: when a given folder does not exist, or the package lacks its weights.
    """
    given = local_folder(card, options)
    if given is not None:
        folder = given[0]
        return _whole(_sizes(folder), folder)
    if options.repository is not None:
        name, revision = options.repository
        wanted = [Wanted(repository=name, revision=revision, names=PIPELINE_FILES)]
    else:
        wanted = _wanted_of(card, single=options.model_path is not None)
    return _in_the_cache(card, wanted)


def _wanted_of(card: ModelCard, *, single: bool) -> list[Wanted]:
    without = [f"{part.name}/*" for part in card.parts]
    if single:  # A file takes the place of the transformer.
        without.append(f"{TRANSFORMER}/*{WEIGHTS}")
    assert card.repository is not None, "else there is a folder"
    found = [
        Wanted(
            repository=card.repository,
            revision=card.revision,
            names=PIPELINE_FILES,
            without=tuple(without),
        )
    ]
    for part in card.parts:
        names = tuple(f"{part.folder}/{name}" if part.folder else name for name in FILES)
        found.append(Wanted(repository=part.repository, revision=part.revision, names=names))
    for lora in card.loras:
        name = lora.weight_name or f"*{WEIGHTS}"
        found.append(Wanted(repository=lora.source, revision=lora.revision, names=(name,)))
    return found


def _whole(sizes: Mapping[str, int], folder: Path) -> StoredWeights:
    total = sum(sizes.values())
    parts: dict[str, int] = {}
    for name, size in sizes.items():
        if name.endswith(WEIGHTS):
            part = name.partition("/")[0]
            parts[part] = parts.get(part, 0) + size
    there = WeightsOnDisk(
        total_bytes=total,
        here_bytes=total,
        place=str(folder),
        disk_free_bytes=free_bytes(folder),
        is_exact=True,
    )
    return StoredWeights(on_disk=there, weight_bytes=parts)


def _in_the_cache(card: ModelCard, wanted: Iterable[Wanted]) -> StoredWeights:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    here, total, exact = 0, 0, True
    files: dict[str, int] = {}
    for one in wanted:
        state = _state_of(one, cache, has_parts=bool(card.parts))
        here += state.here
        files |= state.files
        if state.total is None:
            exact = False
        else:
            total += state.total
    if not exact:
        # What the card says of all repositories; what is here may be more by files of its own.
        total = max(round(card.weights_gib * GIB), here + 1)
    elif here == total:
        return _whole(files, cache)
    there = WeightsOnDisk(
        total_bytes=total,
        here_bytes=here,
        place=str(cache),
        disk_free_bytes=free_bytes(cache),
        is_exact=exact,
    )
    return StoredWeights(on_disk=there)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RepositoryState:
    here: int
    total: int | None
    """None if unknown."""
    files: Mapping[str, int]


def _state_of(wanted: Wanted, cache: Path, *, has_parts: bool) -> _RepositoryState:
    repository = cache / cache_folder_name(wanted.repository)
    revision = wanted.revision or read_pinned_commit(wanted.repository)
    commit = _commit_of(repository, revision)
    if commit is None:
        return _RepositoryState(here=0, total=None, files={})
    snapshot = repository / "snapshots" / commit
    files = {name: size for name, size in _sizes(snapshot).items() if wanted.wants(name)}
    here = sum(files.values())
    listed = _listed(repository, commit)
    if listed is not None:
        needed = {name: about for name, about in listed.items() if wanted.wants(name)}
        missing = {name: about for name, about in needed.items() if name not in files}
        here += sum(size for sha, size in missing.values() if sha and _is_shared(cache, sha))
        total = max(sum(size for _, size in needed.values()), here)
        here += min(_unfinished(repository), total - here)
        return _RepositoryState(here=here, total=total, files=files)
    is_pipeline = INDEX in files
    whole = bool(files) and not _unfinished(repository)
    if whole and is_pipeline and not has_parts:
        whole = _is_whole(snapshot)
    elif not any(name.endswith(WEIGHTS) for name in files):
        whole = False
    here += 0 if whole else _unfinished(repository)
    return _RepositoryState(here=here, total=here if whole else None, files=files)


def _commit_of(repository: Path, revision: str | None) -> str | None:
    """Return the commit of a revision that the cache knows; None if it has none of it."""
    if revision is None:
        revision = "main"
    if (repository / "snapshots" / revision).is_dir():
        return revision
    if (repository / "trees" / f"{revision}.json").is_file():
        return revision
    try:
        return (repository / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None  # Nothing of it was fetched yet.


def _listed(repository: Path, commit: str) -> dict[str, tuple[str | None, int]] | None:
    """Return digest and size of each file of a commit, as the hub's client has listed them."""
    try:
        text = (repository / "trees" / f"{commit}.json").read_bytes()
        listed = json.loads(text)["files"]
        return {
            name: (about.get("lfs_sha256"), int(about.get("lfs_size") or about["size"]))
            for name, about in listed.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # The list is private to the client: an older one has none, and its form may change.
        return None


def _is_shared(cache: Path, sha256: str) -> bool:
    """Say whether another repository of the cache has a file, which then is linked, not fetched."""
    return any(cache.glob(f"models--*/blobs/{sha256}"))


def _unfinished(repository: Path) -> int:
    """Return the bytes of downloads that were broken off, the largest of each file."""
    largest: dict[str, int] = {}
    for path in repository.glob("blobs/*.incomplete"):
        name = path.name.partition(".")[0]
        largest[name] = max(largest.get(name, 0), _size(path))
    return sum(largest.values())


def _is_whole(snapshot: Path) -> bool:
    """Say whether each component of a snapshot has all of its files."""
    looker = Looker(FolderFiles(snapshot), [])
    return not any(
        problem
        for name, (library, kind) in components(read_index(snapshot)).items()
        for problem in looker.look(name, library, kind)
    )


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file of a folder."""
    return {
        path.relative_to(folder).as_posix(): _size(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # Another process has just moved it to its place.


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes on the disk of a folder, which may not exist yet; None if unknown."""
    there: Sequence[Path] = [path for path in (folder, *folder.parents) if path.exists()]
    try:
        return shutil.disk_usage(there[0]).free
    except (OSError, IndexError):
        return None
