"""Tokens by which a call that may cost money names the plan that was seen before.

A token is a message authentication code over the whole call, its price and a time of expiry. It
holds no state, so that several processes with the same secret accept each other's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

VALID_S: Final = 1800
"""Seconds between a plan and its run: time for a person to be asked."""

_HEAD: Final = struct.Struct(">Q6s")
_CODE_BYTES: Final = 16


class RefusedConfirmationError(Exception):
    """A token that does not confirm the call; the text says why."""


class Confirmations:
    """Makes and checks tokens.

    Args:
        secret: At least 16 random bytes, the same for all processes of a server; None for fresh
            ones, whose tokens end with the process.
        now: The time in seconds since 1970.
    """

    def __init__(self, secret: bytes | None = None, now: Callable[[], float] = time.time) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._now = now

    def make(self, order: Mapping[str, Any]) -> str:
        """Return a token for a call; each is another one.

        Args:
            order: All that was planned, as data that JSON can hold.
        """
        # The random part tells two plans of the same call apart: each may be run once.
        head = _HEAD.pack(int(self._now() + VALID_S), secrets.token_bytes(6))
        token = base64.urlsafe_b64encode(head + self._code(head, order))
        return token.decode("ascii").rstrip("=")

    def check(self, token: str, order: Mapping[str, Any]) -> None:
        """Check that a token confirms a call.

        Args:
            token: The agent's.
            order: The call with its price, as it is planned now.

        Raises:
            RefusedConfirmationError: when it is none, has expired, or is another call's.
        """
        try:
            plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            expires, _ = _HEAD.unpack_from(plain)
        except (ValueError, struct.error) as error:
            raise RefusedConfirmationError("it is not a token of plan_video") from error
        head, code = plain[: _HEAD.size], plain[_HEAD.size :]
        # Compared before anything is said of the token, in a time that does not depend on it.
        if not hmac.compare_digest(code, self._code(head, order)):
            raise RefusedConfirmationError(
                "it confirms another call, another price, or comes from an earlier server"
            )
        if expires < self._now():
            raise RefusedConfirmationError(f"it is older than {VALID_S // 60} minutes")

    def _code(self, head: bytes, order: Mapping[str, Any]) -> bytes:
        text = json.dumps(order, sort_keys=True, separators=(",", ":"))
        made = hmac.new(self._secret, head + text.encode(), hashlib.sha256)
        return made.digest()[:_CODE_BYTES]
