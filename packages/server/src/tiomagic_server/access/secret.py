"""The secret of a server, the same for all its processes and after a restart."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

from filelock import FileLock

from tiomagic_domain.files.owner_only import FILE_MODE, make_private
from tiomagic_domain.files.replacing import replacing

FILE: Final = "server_secret"
"""The file in the state folder."""
SECRET_BYTES: Final = 32
LOCK_TIMEOUT_S: Final = 10


def load_secret(state_dir: Path, purpose: str) -> bytes:
    """Return the secret of a state folder for one purpose; it is made the first time.

    Args:
        state_dir: Where the file is, for its owner only.
        purpose: What it signs: what was signed for one purpose is worth nothing for another.
    """
    return hmac.digest(_load(state_dir), purpose.encode(), hashlib.sha256)


def _load(state_dir: Path) -> bytes:
    path = state_dir / FILE
    make_private(state_dir)
    with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S):
        with contextlib.suppress(FileNotFoundError):
            found = path.read_bytes()
            if len(found) == SECRET_BYTES:
                return found
        made = secrets.token_bytes(SECRET_BYTES)
        with replacing(path) as part:
            part.touch(mode=FILE_MODE)
            part.write_bytes(made)
        return made
