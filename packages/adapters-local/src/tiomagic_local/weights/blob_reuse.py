"""Reuses files that another repository of the hub's cache has already, by hard links.

Many repositories hold the very same text encoder, 11 GB of it. The hub's client has a shared store
for files that it downloaded by Xet, and reuses those itself. Files of an older client, or of one
without Xet, are stored with their repository. These are found here by the digest of their content
and hard-linked, so that each repository can be deleted alone. A symbolic link would break when its
target's repository is deleted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tiomagic_domain.files.digests import sha256_of
from tiomagic_local.weights.hub_cache import HubCache, ListedFile

log: logging.Logger = logging.getLogger("tiomagic.local")


def link_shared_blobs(cache: HubCache, repository: str, files: Mapping[str, ListedFile]) -> None:
    """Link contents that other repositories have to those files of a repository that lack them.

    Safe with concurrent processes: a file appears whole or not at all. Without hard links in the
    file system nothing is done, and the file is downloaded.

    Args:
        cache: The client's.
        repository: The one that lacks them.
        files: What it lacks, by path.
    """
    from huggingface_hub import constants

    if getattr(constants, "HF_HUB_DISABLE_SHARED_BLOBS", False):
        return
    for name, file in files.items():
        own = cache.folder(repository) / "blobs" / file.blob_name
        if file.sha256 is None or own.exists():
            continue
        if _link_from_clients_store(cache, own, file):
            log.info("%s is taken from the client's own store", name)
            continue
        for other in cache.large_blobs(file.sha256):
            if _taken(other, file, own):
                log.info("%s is taken from %s", name, other.parents[1].name)
                break


def _link_from_clients_store(cache: HubCache, own: Path, file: ListedFile) -> bool:
    """Link a file of the store that the client keeps of what came by Xet, if it has one."""
    if file.xet_hash is None:
        return False
    try:
        from huggingface_hub.file_download import are_symlinks_supported
        from huggingface_hub.utils._shared_blobs import try_link_from_shared_store
    except ImportError:
        # The store is private to the client.
        return False
    if not are_symlinks_supported(cache.root):
        return False
    own.parent.mkdir(parents=True, exist_ok=True)
    return bool(
        try_link_from_shared_store(
            blob_path=str(own),
            xet_hash=file.xet_hash,
            cache_dir=cache.root,
            expected_size=file.size,
        )
    )


def _taken(other: Path, blob: ListedFile, own: Path) -> bool:
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


def _is(path: Path, blob: ListedFile) -> bool:
    """Say whether a file is whole; reading it is faster than downloading it."""
    # A symbolic link leads into the client's store.
    if path.is_symlink() or path.stat().st_size != blob.size:
        return False
    return sha256_of(path) == blob.sha256
