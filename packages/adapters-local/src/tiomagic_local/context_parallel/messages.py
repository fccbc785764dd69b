"""The messages between the leader and the ranks, over a private pair of sockets."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tiomagic_local.options import LocalOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSetup:
    """The first message to a rank: its number, device and group."""

    rank: int
    count: int
    options: LocalOptions
    """The options, with the rank's own device."""
    meeting: str
    """Folder in which the ranks of the process group find each other."""
    threads: int
    """Threads of torch on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModel:
    """Load a model for one call."""

    model: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCall:
    """Make the call, together with the others."""

    inputs: Any
    """Inputs of the feature; their class says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReady:
    """The model is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDone:
    """The call is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankFailed:
    """The rank's last message: an error."""

    message: str
    code: str


def send(connection: Connection, message: object) -> None:
    """Send a message as plain pickled bytes.

    The connection's own ``send`` lets torch put tensors into shared memory that only a child made
    by ``multiprocessing`` can open.
    """
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    """Return the next message. It is unpickled: both ends are this program, with private sockets.

    Raises:
        EOFError: when the other end is closed.
    """
    return pickle.loads(connection.recv_bytes())  # noqa: S301 - see above.
