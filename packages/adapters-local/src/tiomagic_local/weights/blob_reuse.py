"""Files that another repository of the hub's cache has already: no second download, no second copy.

Many repositories hold the very same text encoder, 11 GB of it. The hub's client has a store for
such files, shared by all repositories of its cache, and what it can take from there is left to it.
It puts files there that it has downloaded by Xet; those that an older client has downloaded, or one
without Xet, lie with the repository that they came with. These are found here, by the digest of
their content, and become the other repository's by a hard link, which outlives either of the two.
Never by a symbolic link: who deletes the one repository would break the other.
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
    """A large file, as the hub's list of a commit tells of it."""

    sha256: str
    size: int


def link_shared_blobs(folder: Path, names: Sequence[str], without: Sequence[str]) -> None:
    """Make files of other repositories those of a snapshot, where they are the same.

    Safe beside other processes: a file is either there whole or not at all. Where the file system
    has no hard links, nothing is done, and the client downloads the file.

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
    """Return the wanted files of a commit that the hub knows by their digest."""
    from huggingface_hub.utils._paths import filter_repo_objects

    try:
        listed = json.loads((repository / "trees" / f"{commit}.json").read_bytes())["files"]
        blobs = {
            name: Blob(about["lfs_sha256"], about["lfs_size"])
            for name, about in listed.items()
            if about.get("lfs_sha256") and about.get("lfs_size")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The client keeps the list for itself, and may one day keep it in another way.
        log.debug("no list of the files of %s: %s", repository.name, error)
        return
    for name in filter_repo_objects(
        blobs, allow_patterns=list(names), ignore_patterns=list(without)
    ):
        yield name, blobs[name]


def _taken(other: Path, blob: Blob, own: Path) -> bool:
    """Link another repository's file to a place where there is none, if it can be done."""
    from huggingface_hub.file_download import are_symlinks_supported

    try:
        # Without symbolic links the client would copy what it finds, and not point at it. It tries
        # by making one, so it is asked when something is to be written anyway.
        if not are_symlinks_supported(own.parents[2]) or not _is(other, blob):
            return False
        own.parent.mkdir(parents=True, exist_ok=True)
        # What a repository that was deleted has left behind.
        if own.is_symlink():
            own.unlink(missing_ok=True)
        os.link(other, own)
    except FileExistsError:
        # Another process was faster.
        return True
    except OSError as error:
        # Somebody else's file, another disk, a file system without hard links.
        log.debug("%s cannot be taken: %s", other, error)
        return False
    return True


def _is(path: Path, blob: Blob) -> bool:
    """Say whether a file is whole; to read it takes less time than to download it."""
    # A link leads into the client's store.
    if path.is_symlink() or path.stat().st_size != blob.size:
        return False
    return sha256_of(path) == blob.sha256
