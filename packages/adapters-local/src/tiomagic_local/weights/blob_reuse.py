"""Reuses files that another repository of the hub's cache has already, by hard links.

Many repositories hold the very same text encoder, 11 GB of it. The hub's client has a shared store
for files that it downloaded by Xet, and reuses those itself. Files of an older client, or of one
without Xet, are stored with their repository. These are found here by the digest of their content
and hard-linked, so that each repository can be deleted alone. A symbolic link would break when its
target's repository is deleted.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tiomagic_domain.files.digests import sha256_of
from tiomagic_local.weights.pinned_commits import COMMIT

log: logging.Logger = logging.getLogger("tiomagic.local")


class Blob(NamedTuple):
    """A large file, from the hub's list of a commit."""

    sha256: str
    size: int


def link_shared_blobs(folder: Path, names: Sequence[str], without: Sequence[str]) -> None:
    """Link identical files of other repositories into a snapshot.

    Safe with concurrent processes: a file appears whole or not at all. Without hard links in the
    file system nothing is done, and the client downloads the file.

    Args:
        folder: Of a snapshot in the hub's cache, for which the client has asked for the list.
        names: Patterns of the files that are wanted.
        without: Patterns of files that are left out.
    """
    from huggingface_hub import constants

    repository = folder.parents[1]
    cache = repository.parent
    off = getattr(constants, "HF_HUB_DISABLE_SHARED_BLOBS", False)
    if off or not COMMIT.fullmatch(folder.name):
        return
    for name, blob in _large_files(repository, folder.name, names, without):
        own = repository / "blobs" / blob.sha256
        if (folder / name).exists() or own.exists():
            continue
        for other in cache.glob(f"models--*/blobs/{blob.sha256}"):
            if _taken(other, blob, own):
                log.info("%s is taken from %s", name, other.parents[1].name)
                break


def _large_files(
    repository: Path, commit: str, names: Sequence[str], without: Sequence[str]
) -> Iterator[tuple[str, Blob]]:
    """Return the wanted files of a commit for which the hub lists a digest."""
    from huggingface_hub.utils._paths import filter_repo_objects

    try:
        listed = json.loads((repository / "trees" / f"{commit}.json").read_bytes())["files"]
        blobs = {
            name: Blob(about["lfs_sha256"], about["lfs_size"])
            for name, about in listed.items()
            if about.get("lfs_sha256") and about.get("lfs_size")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The list is private to the client, and its form may change.
        log.debug("no list of the files of %s: %s", repository.name, error)
        return
    for name in filter_repo_objects(
        blobs, allow_patterns=list(names), ignore_patterns=list(without)
    ):
        yield name, blobs[name]


def _taken(other: Path, blob: Blob, own: Path) -> bool:
    """Link another repository's file to a missing one, if possible."""
    from huggingface_hub.file_download import are_symlinks_supported

    try:
        # Without symbolic links the client copies files instead of linking them. The test creates a
        # link, so it runs only when something is to be written.
        if not are_symlinks_supported(own.parents[2]) or not _is(other, blob):
            return False
        own.parent.mkdir(parents=True, exist_ok=True)
        # A leftover of a deleted repository.
        if own.is_symlink():
            own.unlink(missing_ok=True)
        os.link(other, own)
    except FileExistsError:
        # A race: another process has linked it.
        return True
    except OSError as error:
        # Another user's file, another disk, or a file system without hard links.
        log.debug("%s cannot be taken: %s", other, error)
        return False
    return True


def _is(path: Path, blob: Blob) -> bool:
    """Say whether a file is whole; reading it is faster than downloading it."""
    # A symbolic link leads into the client's store.
    if path.is_symlink() or path.stat().st_size != blob.size:
        return False
    return sha256_of(path) == blob.sha256
