"""How a server runs: address, processes, limits."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Self

DEFAULT_PORT: Final = 8000
"""Where ``tiomagic serve`` listens unless it is given another port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How a server runs. Plain data: each of several processes gets the same."""

    host: str = "127.0.0.1"
    """The address that it listens on. Any but a loopback one needs keys."""
    port: int = DEFAULT_PORT
    """0 for any that is free."""
    workers: int = 1
    """Processes that answer, at least 1."""
    provider: str | None = None
    """Who runs the jobs; None for the configured provider."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names that it answers to, such as a proxy's."""
    allow_weights: bool = False
    """True for clients that may name files and repositories with weights of their own."""
    allow_private_webhooks: bool = False
    """True for webhooks that may go to this machine and to private networks."""
    ui: bool = False
    """True for the page of ``tiomagic ui`` at ``/``; in one process only."""
    max_body_mib: int = 512
    """Size of one request with all its files, in MiB."""

    def to_json(self) -> str:
        """Return the options as text, for the environment of another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the options that ``to_json`` wrote."""
        given = json.loads(text)
        return cls(**{**given, "allowed_hosts": tuple(given["allowed_hosts"])})
