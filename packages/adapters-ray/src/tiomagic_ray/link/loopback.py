"""Whether a cluster listens on loopback alone: Ray's driver has to know it before it starts."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from pathlib import Path
from typing import Final

from tiomagic_ray.options import AUTO, RayOptions

ON_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Without it Ray takes the machine's address in place of 127.0.0.1, to listen and to connect; it is
the default on Windows and macOS, hence its name."""
OUTSIDE: Final = ("192.0.2.1", 80)
"""An address for examples (RFC 5737): asked which way it goes, and sent nothing."""
TRY_S: Final = 2.0


def is_on_loopback_alone(options: RayOptions) -> bool:
    """Say whether the cluster is one such as `tiomagic ray up` starts.

    Args:
        options: With the address; one with ``ray://`` is the same to Ray either way.
    """
    if options.ray_address.startswith("ray://"):
        return False
    endpoint = _last_started() if options.address == AUTO else options.endpoint
    if endpoint is None or not _is_loopback(endpoint[0]):
        return False
    own = _own_address()
    return own is None or not _listens(own, endpoint[1])


def _last_started() -> tuple[str, int] | None:
    """Return the head that was started last on this machine, as Ray has noted it."""
    note = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108  Ray's.
    with contextlib.suppress(OSError, ValueError):
        return RayOptions(address=note.read_text(encoding="utf-8").strip()).endpoint
    return None


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _own_address() -> str | None:
    """Return this machine's address in its network; None without one."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(OUTSIDE)
        return str(probe.getsockname()[0])
    return None


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), TRY_S):
        return True
    return False
