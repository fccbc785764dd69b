"""The folder where the hub's client keeps repositories: what is in it, without asking the network.

The layout is the client's own and documented: a repository is a folder
``models--<owner>--<name>`` with

``refs/<revision>``             the commit of a branch or a tag
``trees/<commit>.json``         the hub's list of the files of a commit
``blobs/<digest>``              contents: by SHA-256 for large files, by git's SHA-1 for others
``snapshots/<commit>/<file>``   a symbolic link to a content, or the content itself
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

log: logging.Logger = logging.getLogger("tiomagic.local")

TREE_FORMAT = 1
"""The version of the client's file lists that is understood."""
PART_SUFFIX = ".tiomagic.incomplete"
"""Ends the name of a content that is not whole yet; the next download continues it."""
FOLDER_PREFIX = "models--"
DEFAULT_BRANCH = "main"
"""The branch whose last commit is the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file of a repository, from the hub's list of a commit."""

    size: int
    """Bytes."""
    git_sha1: str
    """Git's digest of the file, or of the pointer to a large one."""
    sha256: str | None = None
    """Of a large file's content; None for files that git itself keeps."""
    xet_hash: str | None = None
    """The content's name in the hub's own store; None if it is not there."""

    @property
    def blob_name(self) -> str:
        """The name of its content in the cache."""
        return self.sha256 or self.git_sha1


Listing = Mapping[str, ListedFile]
"""The files of a commit by their paths."""


def select_names(
    names: Iterable[str], wanted: Sequence[str], without: Sequence[str] = ()
) -> list[str]:
    """Return the names that match a wanted pattern and no other one; as the hub's client does."""
    return [name for name in names if _matches(name, wanted) and not _matches(name, without)]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatchcase(name, pattern + "*" if pattern.endswith("/") else pattern)
        for pattern in patterns
    )


class HubCache:
    """A cache of the hub's client. Reads only, and sees each folder once.

    Args:
        root: The cache's folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_client(cls) -> HubCache | None:
        """Return the cache of the installed client; None if no client is installed."""
        try:
            from huggingface_hub import constants
        except ImportError:
            return None
        return cls(Path(constants.HF_HUB_CACHE))

    def folder(self, repository: str) -> Path:
        """Return the folder of a repository, which need not exist."""
        return self.root / f"{FOLDER_PREFIX}{repository.replace('/', '--')}"

    def snapshot(self, repository: str, commit: str) -> Path:
        """Return the folder with the files of a commit, which need not exist."""
        return self.folder(repository) / "snapshots" / commit

    def listing(self, repository: str, commit: str) -> Listing | None:
        """Return the hub's list of a commit's files; None if it was never asked for."""
        return read_listing(self.folder(repository), commit)

    def last_commit(self, repository: str, revision: str) -> str | None:
        """Return the commit that a branch or a tag had when it was last asked for."""
        try:
            ref = self.folder(repository) / "refs" / revision
            return ref.read_text(encoding="ascii").strip() or None
        except (OSError, ValueError):
            return None

    def repositories(self) -> list[str]:
        """Return the names of the repositories that have a folder."""
        found = sorted(self.root.glob(f"{FOLDER_PREFIX}*--*"))
        return [path.name.removeprefix(FOLDER_PREFIX).replace("--", "/", 1) for path in found]

    def find_content(self, repository: str, file: ListedFile) -> Path | None:
        """Return a whole content of a file, of any repository; None if there is none."""
        own = self.folder(repository) / "blobs" / file.blob_name
        places = [own, *self.large_blobs(file.sha256)]
        return next((path for path in places if has_size(path, file.size)), None)

    def has(self, repository: str, commit: str, name: str, file: ListedFile) -> bool:
        """Say whether a file need not be fetched: it is here, or its content is."""
        path = self.snapshot(repository, commit) / name
        return has_size(path, file.size) or self.find_content(repository, file) is not None

    def part(self, repository: str, file: ListedFile) -> Path:
        """Return where a download keeps what it has of a file."""
        return self.folder(repository) / "blobs" / f"{file.blob_name}{PART_SUFFIX}"

    def partial_bytes(self, repository: str, file: ListedFile) -> int:
        """Return the bytes of a file that an interrupted download has left."""
        try:
            return min(self.part(repository, file).stat().st_size, file.size)
        except OSError:
            return 0

    def large_blobs(self, sha256: str | None) -> Sequence[Path]:
        """Return where repositories keep a large content; none for a digest that is not known."""
        return self._large_blobs.get(sha256 or "", ())

    @cached_property
    def _large_blobs(self) -> Mapping[str, Sequence[Path]]:
        """Large contents of all repositories, by their SHA-256."""
        found: dict[str, list[Path]] = {}
        for path in self.root.glob(f"{FOLDER_PREFIX}*/blobs/{'?' * 64}"):
            found.setdefault(path.name, []).append(path)
        return found


def read_listing(folder: Path, commit: str) -> Listing | None:
    """Return the hub's list of a commit's files from a repository's folder; None without one."""
    try:
        data = json.loads((folder / "trees" / f"{commit}.json").read_bytes())
        if data["format_version"] != TREE_FORMAT:
            return None
        return {
            name: ListedFile(
                size=int(about.get("lfs_size") or about["size"]),
                git_sha1=str(about["blob_id"]),
                sha256=about.get("lfs_sha256"),
                xet_hash=about.get("xet_hash"),
            )
            for name, about in data["files"].items()
            if is_safe_name(name)
        }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The list belongs to the client, and its form may change.
        log.debug("no list of the files of %s: %s", folder.name, error)
        return None


def is_safe_name(name: str) -> bool:
    """Say whether a file's path stays in its repository."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def has_size(path: Path, size: int) -> bool:
    """Say whether a file is there and has a size."""
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False
