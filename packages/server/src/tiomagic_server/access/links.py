"""Addresses that give one video without a key, for an hour.

Some clients fetch what was made without the key that they asked with, and an agent does not know
its program's key. Such an address names the key's owner and is signed; it ends with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tiomagic_server.access.secret import load_secret

VALID_S: Final = 3600
"""Seconds for which an address is good."""
_PATH: Final = re.compile(r"/(?:api/)?v1/videos/(?P<job>[0-9a-f-]{36})/content", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_CODE_CHARACTERS: Final = 32


class ContentLinks:
    """Makes and checks the addresses.

    Args:
        state_dir: Where the server's secret is.
        now: The time in seconds since 1970.
    """

    def __init__(self, state_dir: Path, now: Callable[[], float] = time.time) -> None:
        self._secret = load_secret(state_dir, "content links")
        self._now = now

    def make(self, videos: str, job_id: str, key_id: str | None) -> str:
        """Return the address of a video's content.

        Args:
            videos: The address of all videos, such as ``https://videos.example/v1/videos``.
            job_id: Whose content.
            key_id: Who asks; None where the server needs no key, and the address no signature.
        """
        plain = f"{videos}/{job_id}/content"
        if key_id is None:
            return plain
        expires = int(self._now()) + VALID_S
        signature = self._code(job_id, key_id, expires)
        return f"{plain}?{urlencode({'key': key_id, 'expires': expires, 'signature': signature})}"

    def find_key(self, path: str, query: Mapping[str, str]) -> str | None:
        """Return whose address it is; None for one that is not signed, or not any more.

        Args:
            path: What is asked for.
            query: With which parameters.
        """
        found = _PATH.fullmatch(path)
        key_id, expires = query.get("key", ""), query.get("expires", "")
        if found is None or not _TIME.fullmatch(expires) or int(expires) < self._now():
            return None
        expected = self._code(found["job"], key_id, int(expires))
        shown = query.get("signature", "").encode("utf-8", "replace")
        return key_id if hmac.compare_digest(shown, expected.encode()) else None

    def _code(self, job_id: str, key_id: str, expires: int) -> str:
        text = f"{job_id}\n{key_id}\n{expires}"
        return hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[
            :_CODE_CHARACTERS
        ]
