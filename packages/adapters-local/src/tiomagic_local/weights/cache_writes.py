"""Writes into the cache of the hub's client, in its own layout; see ``hub_cache``.

Each file appears whole or not at all, so that processes may write the same at the same time.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from tiomagic_domain.files.replacing import replacing
from tiomagic_local.weights.hub_cache import (
    FOLDER_PREFIX,
    TREE_FORMAT,
    HubCache,
    ListedFile,
    Listing,
)


def has_links(cache: HubCache) -> bool:
    """Say whether the cache holds each content once, with symbolic links to it."""
    from huggingface_hub.file_download import are_symlinks_supported

    return are_symlinks_supported(cache.root)


def place_of(cache: HubCache, repository: str, commit: str, name: str, file: ListedFile) -> Path:
    """Return where the content of a file goes: to the others, or, without links, in its place."""
    if has_links(cache):
        return cache.folder(repository) / "blobs" / file.blob_name
    return cache.snapshot(repository, commit) / name


def lock_of(cache: HubCache, repository: str, file: ListedFile) -> Path:
    """Return the file that is locked while a content comes."""
    return cache.root / ".locks" / cache.folder(repository).name / f"{file.blob_name}.lock"


def store_link(cache: HubCache, repository: str, commit: str, name: str, file: ListedFile) -> None:
    """Put a content that is here in its place in a snapshot."""
    path = cache.snapshot(repository, commit) / name
    blob = cache.folder(repository) / "blobs" / file.blob_name
    if path.exists() and not (path.is_symlink() and not _leads_to(path, blob)):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    link = path.with_name(f".{secrets.token_hex(4)}.link")
    link.symlink_to(os.path.relpath(blob, path.parent))
    link.replace(path)


def _leads_to(path: Path, blob: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.samefile(blob)
    return False


def store_listing(cache: HubCache, repository: str, commit: str, listing: Listing) -> None:
    """Keep the hub's list of a commit's files, as the client does."""
    files: dict[str, dict[str, object]] = {}
    for name, file in sorted(listing.items()):
        large = {"lfs_sha256": file.sha256, "lfs_size": file.size} if file.sha256 else {}
        xet = {"xet_hash": file.xet_hash} if file.xet_hash else {}
        files[name] = {"size": file.size, "blob_id": file.git_sha1, **large, **xet}
    path = cache.folder(repository) / "trees" / f"{commit}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=False) as part:
        part.write_text(json.dumps({"format_version": TREE_FORMAT, "files": files}, indent=1))


def store_ref(cache: HubCache, repository: str, revision: str, commit: str) -> None:
    """Keep the commit of a branch or a tag, for when there is no network."""
    path = cache.folder(repository) / "refs" / revision
    with contextlib.suppress(OSError):
        if path.read_text(encoding="ascii").strip() == commit:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=False) as part:
        part.write_text(commit, encoding="ascii")


def is_of_cache(cache: HubCache, path: Path) -> bool:
    """Say whether a path is a folder of a repository right in the cache, and no link."""
    return (
        path.parent == cache.root and path.name.startswith(FOLDER_PREFIX) and not path.is_symlink()
    )
