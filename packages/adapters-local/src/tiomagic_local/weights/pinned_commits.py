"""The commits that this machine uses of repositories for which no commit is known to be good.

The first one that was fetched stays in use, so that the weights of a model do not change behind
anybody's back. It is kept as a ref in the hub's own cache, beside the files, and goes with them:
who deletes the repository from the cache gets the newest commit at the next use.
"""

from __future__ import annotations

import re
from pathlib import Path

from tiomagic_domain.files.replacing import replacing

REF = "tiomagic"
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_pinned_commit(repository: str) -> str | None:
    """Return the commit of a repository that is in use here; None before the first use."""
    try:
        commit = _place(repository).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        # Not there, or damaged; either way there is none to hold to.
        return None
    return commit if COMMIT.fullmatch(commit) else None


def pin_commit(repository: str, commit: str) -> None:
    """Keep a commit as the one that is in use; whoever came first wins."""
    if not COMMIT.fullmatch(commit) or read_pinned_commit(repository) is not None:
        return
    place = _place(repository)
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place, durable=False) as part:
        part.write_text(commit, encoding="ascii")


def _place(repository: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=repository, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / folder / "refs" / REF
