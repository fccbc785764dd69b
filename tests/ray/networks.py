"""A network of its own on this machine, whose only cable can be cut. Root on Linux."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from typing import Final, Self

NOBODY: Final = "02:00:00:00:00:99"


def can_make_networks() -> bool:
    """Return whether this process may make one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError, subprocess.CalledProcessError), NetworkSpace() as space:
        space.cut()
        return True
    return False


class NetworkSpace:
    """A network namespace, a cable to it, and the addresses of both ends.

    Attributes:
        host: The address inside.
        outside: The address of this side, for the head of a cluster.
        enter: Words that run a command inside.
    """

    def __init__(self) -> None:
        self.name = f"tm{secrets.token_hex(3)}"
        net = f"10.{secrets.randbelow(55) + 200}.{secrets.randbelow(250) + 1}"
        self.outside, self.host = f"{net}.1", f"{net}.2"
        self._cable = f"{self.name}a"
        self.enter = ["ip", "netns", "exec", self.name]

    def __enter__(self) -> Self:
        """Make it."""
        inside = f"{self.name}b"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("addr", "add", f"{self.outside}/24", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        _ip("-n", self.name, "addr", "add", f"{self.host}/24", "dev", inside)
        _ip("-n", self.name, "link", "set", inside, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, and the cable with it."""
        for what in (("link", "del", self._cable), ("netns", "del", self.name)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(*what)

    def cut(self) -> None:
        """Let nothing pass in either direction, and say so to neither side: nothing is refused."""
        # To a hardware address that is nobody's: the other end drops what is not for it.
        for words in self._ends():
            _ip(*words[0], "neigh", "replace", words[1], "lladdr", NOBODY, "dev", words[2])

    def mend(self) -> None:
        """Let everything pass again."""
        for words in self._ends():
            _ip(*words[0], "neigh", "del", words[1], "dev", words[2])

    def _ends(self) -> tuple[tuple[list[str], str, str], ...]:
        """Return, for each end, where commands run, the address of the other end, and the cable."""
        inside = (["-n", self.name], self.outside, f"{self.name}b")
        return ([], self.host, self._cable), inside


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
