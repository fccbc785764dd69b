"""Who gets messages: addresses, and the secrets that sign.

A secret signs with HMAC, so it is stored as it is: in the state folder, in a file for its owner
only, like a private key of SSH. Whoever can read that file can read the job store as well. A
secret is shown once, when it is made.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tiomagic_domain.errors import Problem, ResourceNotFoundError, ValidationError
from tiomagic_domain.suggestions import did_you_mean, shorten_repr
from tiomagic_server.access.records import PrivateRecords
from tiomagic_server.webhooks.sending import check_address

FILE: Final = "server_webhooks.json"
"""The file in the state folder."""
SERVER: Final = ""
"""Name of the receiver that is the server's own: of jobs that were made without a key."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of the Standard Webhooks rules
SECRET_BYTES: Final = 32
"""The rules ask for 24 to 64."""
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before signs as well, so that a receiver can change to the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who gets messages."""

    name: str
    """The key whose jobs they are about; empty for jobs that were made without one."""
    secret: str
    created: str
    """When the secret was made, ISO 8601 with zone."""
    url: str | None = None
    """Gets messages about all of these jobs; None for those alone that a request names."""
    old_secret: str | None = None
    old_until: str | None = None
    """When the secret before stops to sign, ISO 8601 with zone."""

    def list_secrets(self, at: datetime) -> list[str]:
        """Return the secrets that sign at a moment, the newest first."""
        if self.old_secret is None or self.old_until is None:
            return [self.secret]
        is_over = datetime.fromisoformat(self.old_until) <= at
        return [self.secret] if is_over else [self.secret, self.old_secret]


class WebhookReceivers:
    """The receivers of a server's messages. Thread-safe, and safe for several processes.

    Args:
        state_dir: Where the file is.
    """

    def __init__(self, state_dir: Path) -> None:
        self._records = PrivateRecords(state_dir / FILE, Receiver, "webhooks")

    def list(self) -> Sequence[Receiver]:
        """Return all receivers, oldest first.

        Raises:
            ConfigurationError: when the file is damaged.
        """
        return self._records.list()

    def find(self, name: str | None) -> Receiver | None:
        """Return the receiver of a key's jobs; None when there is none.

        Args:
            name: Of the key; None for jobs that were made without one.
        """
        return next((one for one in self.list() if one.name == (name or SERVER)), None)

    def add(self, name: str, url: str | None = None) -> str:
        """Make a receiver and return its secret; it cannot be shown again.

        Args:
            name: The key whose jobs it gets messages about; empty for jobs without a key.
            url: Where all of them go; None for the addresses of the requests alone.

        Raises:
            ValidationError: when there is one already, or the address is none.
        """
        if url is not None:
            _require_address(url)
        secret = _make_secret()
        made = Receiver(name=name, secret=secret, created=_now().isoformat(), url=url)
        with self._records.changing() as known:
            if any(one.name == name for one in known):
                message = (
                    "has webhooks already: give a new address to change it, rotate for a new "
                    "secret, or remove them first"
                )
                problem = Problem(field="name", message=message, given=shorten_repr(name))
                raise ValidationError.of([problem], subject="a webhook")
            self._records.write([*known, made])
        return secret

    def move(self, name: str, url: str) -> None:
        """Change where all messages of a receiver go; its secret stays.

        Messages of jobs that were stored before still go to the address before.

        Args:
            name: Of the receiver.
            url: The new address.

        Raises:
            ResourceNotFoundError: when there is no such receiver.
            ValidationError: when the address is none.
        """
        _require_address(url)
        with self._records.changing() as known:
            before = self._require(known, name)
            after = replace(before, url=url)
            self._records.write([after if one is before else one for one in known])

    def rotate(self, name: str) -> str:
        """Make a new secret and return it; the one before signs for another day as well.

        Raises:
            ResourceNotFoundError: when there is no such receiver.
        """
        secret = _make_secret()
        with self._records.changing() as known:
            before = self._require(known, name)
            after = replace(
                before,
                secret=secret,
                created=_now().isoformat(),
                old_secret=before.secret,
                old_until=(_now() + OVERLAP).isoformat(),
            )
            self._records.write([after if one is before else one for one in known])
        return secret

    def remove(self, name: str) -> None:
        """Remove a receiver: nothing more is signed for it, so its deliveries are given up.

        Raises:
            ResourceNotFoundError: when there is no such receiver.
        """
        with self._records.changing() as known:
            before = self._require(known, name)
            self._records.write([one for one in known if one is not before])

    def _require(self, known: Sequence[Receiver], name: str) -> Receiver:
        found = next((one for one in known if one.name == name), None)
        if found is None:
            said = f"for {name!r}" if name else "for jobs without a key"
            others = did_you_mean(name, [one.name for one in known if one.name])
            raise ResourceNotFoundError(f"there are no webhooks {said}.{others}")
        return found


def _require_address(url: str) -> None:
    wrong = check_address(url, allow_private=True)
    if wrong is not None:
        problem = Problem(field="url", message=wrong, given=shorten_repr(url))
        raise ValidationError.of([problem], subject="a webhook")


def _make_secret() -> str:
    made = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
    return f"{SECRET_PREFIX}{made}"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
