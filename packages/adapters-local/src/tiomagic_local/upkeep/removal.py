"""Removes files of the hub's cache that no other model needs.

Only names in the cache's own folders are removed: a link is removed itself, what it leads to only
if that is a content of the same repository. A repository that is a link is left alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_local.upkeep.contents import StoredFile
from tiomagic_local.weights.hub_cache import FOLDER_PREFIX, HubCache


def remove_files(cache: HubCache, files: Iterable[StoredFile], kept: Collection[Path]) -> int:
    """Remove files, and repositories that are empty then; return the bytes that are free.

    Args:
        cache: The client's.
        files: What to remove.
        kept: Paths that other models need: snapshots' files.

    Raises:
        ConfigurationError: when a file is not in the cache.
        ProcessingError: when one cannot be removed.
    """
    freed = 0
    repositories = set()
    try:
        for file in files:
            if file.path in kept:
                continue
            repository = _repository_of(cache, file.path)
            repositories.add(repository)
            freed += _remove(cache, repository, file)
        for repository in repositories:
            _remove_if_empty(cache, repository)
    except OSError as error:
        raise ProcessingError(
            f"{error.filename or 'a file'} cannot be removed: {error.strerror or error}"
        ) from error
    return freed


def _repository_of(cache: HubCache, path: Path) -> Path:
    """Return the folder of a file's repository.

    Raises:
        ConfigurationError: when it is not right in the cache.
    """
    inside = path.relative_to(cache.root) if path.is_relative_to(cache.root) else None
    repository = cache.root / inside.parts[0] if inside is not None else path
    folders = [folder for folder in path.parents if folder.is_relative_to(repository)]
    linked = next((folder for folder in folders if folder.is_symlink()), None)
    if inside is None or not inside.parts[0].startswith(FOLDER_PREFIX) or linked is not None:
        what = linked or path
        raise ConfigurationError(
            f"{what} is a link out of the cache, or not in it: remove it yourself",
            details={"path": str(what)},
        )
    return repository


def _remove(cache: HubCache, repository: Path, file: StoredFile) -> int:
    """Remove a file of a snapshot and its content, if no other snapshot has it."""
    blobs = repository / "blobs"
    content = file.path
    if file.path.is_symlink():
        content = Path(file.path.parent, file.path.readlink())
        content = Path(_without_dots(content))
    if not os.path.lexists(file.path):
        return 0  # Removed already: another model has it too.
    file.path.unlink(missing_ok=True)
    if content == file.path:
        return file.size
    if content.parent != blobs or blobs.is_symlink() or _is_linked(repository, content):
        return 0
    stored = content.resolve() if content.is_symlink() else None
    links = 1 if stored is not None else content.stat().st_nlink
    content.unlink(missing_ok=True)
    if stored is not None:
        return _sweep(cache, stored)
    return file.size if links == 1 else 0


def _without_dots(path: Path) -> str:
    return os.path.normpath(path)


def _is_linked(repository: Path, content: Path) -> bool:
    """Say whether a file of another snapshot leads to a content."""
    return any(
        path.is_symlink() and Path(_without_dots(path.parent / path.readlink())) == content
        for path in (repository / "snapshots").rglob("*")
    )


def _sweep(cache: HubCache, stored: Path) -> int:
    """Have the client free a content of its own store that nobody uses any more."""
    try:
        from huggingface_hub.utils._shared_blobs import sweep_shared_blob
    except ImportError:
        return 0  # The store is private to the client.
    return int(sweep_shared_blob(stored, cache_dir=cache.root))


def _remove_if_empty(cache: HubCache, repository: Path) -> None:
    """Remove the folders of snapshots that are empty, and a repository without any."""
    snapshots = repository / "snapshots"
    for folder in sorted(snapshots.rglob("*"), reverse=True):
        if folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):  # It is not empty.
                folder.rmdir()
    if any(snapshots.glob("*/**/*")):
        return
    if any((repository / "blobs").glob("*")):
        with contextlib.suppress(OSError):
            snapshots.rmdir()
        return
    shutil.rmtree(repository, ignore_errors=True)
    shutil.rmtree(cache.root / ".locks" / repository.name, ignore_errors=True)
