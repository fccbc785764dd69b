"""Signs a message and posts it to an address that may be reached.

The connection is that of the guarded downloads: the name is resolved, checked and connected to in
one place, so that a private address is refused also where a name is pointed to it later. A redirect
is a failure, as the rules of Standard Webhooks have it, and is not followed.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import certifi
import httpcore
from standardwebhooks import Webhook

from tiomagic import __version__
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.ports.deliveries import Delivery
from tiomagic_media.fetch.addresses import Resolver, is_public, system_resolver
from tiomagic_media.fetch.download import parse_address
from tiomagic_media.fetch.network import CheckedNetworkBackend
from tiomagic_media.limits import MediaLimits
from tiomagic_server.webhooks.schedule import AttemptOutcome

ATTEMPT_TIMEOUT_S: Final = 20.0
"""Seconds of an attempt, with everything; the rules recommend 15 to 30."""
CONNECT_TIMEOUT_S: Final = 8.0
LONGEST_ADDRESS: Final = 2000
"""Most characters of an address."""
_LOCAL_NAMES: Final = ("localhost", ".localhost")
PRIVATE: Final = (
    "is an address of this machine or of a private network, which this server does not send to; "
    "the server can be started so that it allows private webhooks"
)


def check_address(address: object, *, allow_private: bool) -> str | None:
    """Return what is wrong with an address that is to get messages; None for nothing.

    A name is not looked up here: what it leads to is checked when it is connected to.

    Args:
        address: As it was given.
        allow_private: True where private addresses may be reached.
    """
    if not isinstance(address, str) or not address.strip():
        return "must be an address that starts with https:// or http://"
    if len(address) > LONGEST_ADDRESS or not address.isprintable():
        return f"must be an address of at most {LONGEST_ADDRESS} characters that are printed"
    try:
        url = parse_address(address)
    except ValidationError as error:
        return f"must be an address that starts with https:// or http://: {error.message}"
    if allow_private:
        return None
    try:
        is_private = not is_public(str(ipaddress.ip_address(url.host)))
    except ValueError:
        is_private = url.host.lower().rstrip(".").endswith(_LOCAL_NAMES)
    return PRIVATE if is_private else None


def find_host(address: str) -> str:
    """Return name and port of an address that was checked."""
    return parse_address(address).netloc.decode("ascii").lower()


class WebhookSender:
    """Posts signed messages. Thread-safe.

    Args:
        allow_private: True to connect to loopback and private addresses as well.
        resolver: Gives the addresses of a name.
    """

    def __init__(self, *, allow_private: bool, resolver: Resolver = system_resolver) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._limits = MediaLimits(
            connect_seconds=CONNECT_TIMEOUT_S,
            read_seconds=ATTEMPT_TIMEOUT_S,
            download_seconds=ATTEMPT_TIMEOUT_S,
        )

    def send(self, delivery: Delivery, secrets: Sequence[str], at: datetime) -> AttemptOutcome:
        """Send a delivery once, and return how that ended. Never raises.

        Args:
            delivery: With its message.
            secrets: Each signs; a receiver accepts one of them.
            at: The moment that is signed, with zone.
        """
        try:
            return self._post(delivery, secrets, at)
        except ValidationError as error:
            if error.code == ErrorCode.PRIVATE_ADDRESS:
                return AttemptOutcome(trouble=f"{delivery.host} {PRIVATE}", is_final=True)
            return AttemptOutcome(trouble=error.message)  # There is no such host now.
        except httpcore.TimeoutException:
            return AttemptOutcome(trouble=f"no answer within {ATTEMPT_TIMEOUT_S:g} seconds")
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            return AttemptOutcome(trouble=str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt comes later
            return AttemptOutcome(trouble=f"{type(error).__name__}: {error}")

    def _post(self, delivery: Delivery, secrets: Sequence[str], at: datetime) -> AttemptOutcome:
        url, body = parse_address(delivery.url), (delivery.payload or "")
        backend = CheckedNetworkBackend(
            self._resolver,
            time.monotonic() + ATTEMPT_TIMEOUT_S,
            self._limits,
            public=not self._allow_private,
        )
        context = None
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=certifi.where())
        headers = [
            ("Host", url.netloc.decode("ascii")),
            ("Content-Type", "application/json"),
            ("User-Agent", f"tiomagic/{__version__}"),
            ("Connection", "close"),
            *sign(delivery.webhook_id, body, secrets, at),
        ]
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
            pool.stream(
                "POST",
                str(url),
                headers=headers,
                content=body.encode("utf-8"),
                extensions={"timeout": dict.fromkeys(_PHASES, ATTEMPT_TIMEOUT_S)},
            ) as response,
        ):
            # The body says nothing here, and may be endless: the connection is closed on it.
            return _judge(response.status, response.headers)


_PHASES: Final = ("connect", "read", "write", "pool")


def sign(webhook_id: str, body: str, secrets: Sequence[str], at: datetime) -> list[tuple[str, str]]:
    """Return the headers that the rules of Standard Webhooks ask for."""
    moment = at.astimezone(UTC)
    signatures = (Webhook(secret).sign(webhook_id, moment, body) for secret in secrets)
    return [
        ("webhook-id", webhook_id),
        ("webhook-timestamp", str(int(moment.timestamp()))),
        ("webhook-signature", " ".join(signatures)),
    ]


def _judge(status: int, headers: Sequence[tuple[bytes, bytes]]) -> AttemptOutcome:
    if 200 <= status < 300:
        return AttemptOutcome(status=status)
    asked = next((v for k, v in headers if k.lower() == b"retry-after"), b"")
    return AttemptOutcome(
        status=status,
        trouble=f"the receiver answered with {status}",
        # Its other form, a date, is not read: then the schedule holds.
        retry_after_s=float(asked) if asked.isdigit() and len(asked) < 8 else None,
    )
