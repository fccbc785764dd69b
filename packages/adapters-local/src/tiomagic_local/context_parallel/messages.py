"""What the ranks tell each other, over a pair of sockets that only they hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tiomagic_local.options import LocalOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSetup:
    """The first word to a rank: who it is."""

    rank: int
    count: int
    options: LocalOptions
    """With the rank's own device."""
    meeting: str
    """Folder in which the process group is made."""
    threads: int
    """That torch computes with on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModel:
    """Have a model ready for one call."""

    model: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCall:
    """Make the call, in step with the others."""

    inputs: Any
    """Of the feature; its class says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReady:
    """The model is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDone:
    """The call is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankFailed:
    """The rank's last word."""

    message: str
    code: str


def send(connection: Connection, message: object) -> None:
    """Send a message as it is.

    The connection's own way would have torch put tensors into memory that a child of this
    process's own making alone can open.
    """
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    """Return the next message; both ends are this program, and nobody else has the sockets.

    Raises:
        EOFError: when the other end is gone.
    """
    return pickle.loads(connection.recv_bytes())  # noqa: S301 - see above.
