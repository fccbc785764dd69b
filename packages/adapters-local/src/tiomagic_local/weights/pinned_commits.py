"""Pins the first fetched commit of repositories that a card does not pin.

The first fetched commit stays in use, so that the weights of a model do not change unnoticed. It is
stored as a ref in the hub's own cache, beside the files: if you delete the repository from the
cache, the next use fetches the newest commit.
"""

from __future__ import annotations

import re
from pathlib import Path

from tiomagic_domain.files.replacing import replacing
from tiomagic_local.weights.hub_cache import HubCache

REF = "tiomagic"
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_pinned_commit(repository: str) -> str | None:
    """Return the pinned commit of a repository; None before the first use."""
    try:
        commit = _place(repository).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        # Missing or damaged: no commit is pinned.
        return None
    return commit if COMMIT.fullmatch(commit) else None


def pin_commit(repository: str, commit: str) -> None:
    """Pin a commit; if processes race, the first one wins."""
    if not COMMIT.fullmatch(commit) or read_pinned_commit(repository) is not None:
        return
    place = _place(repository)
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place, durable=False) as part:
        part.write_text(commit, encoding="ascii")


def _place(repository: str) -> Path:
    from huggingface_hub import constants

    return HubCache(Path(constants.HF_HUB_CACHE)).folder(repository) / "refs" / REF
