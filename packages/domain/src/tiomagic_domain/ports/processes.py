"""Port: processes, as far as workers have to know of each other."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class ProcessState(StrEnum):
    """What can be said of a process from here."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It cannot be seen: another machine, or another container. That is not dead."""


class Processes(Protocol):
    """Names processes, and says and decides whether they live.

    A process is named by its call id, which tells it from every other process that there ever was.
    """

    @property
    def host(self) -> str:
        """The name of this machine."""
        ...

    def current(self) -> str:
        """Return the call id of this process."""
        ...

    def heartbeat(self) -> str:
        """Return ``<boot id> <seconds of the machine's monotonic clock>`` of this moment."""
        ...

    def get_state(self, call_id: str) -> ProcessState:
        """Return whether a process still runs, be it stopped by a signal.

        ``DEAD`` and ``ALIVE`` are certain; whatever is not is ``UNKNOWN``.
        """
        ...

    def may_kill(self, call_id: str) -> bool:
        """Return whether a process may be killed from here, and is certainly the right one."""
        ...

    def kill(self, call_id: str) -> bool:
        """Kill a process without asking it, and wait until it is gone.

        Returns:
            False when it could not be killed, because it belongs to somebody else, cannot be seen,
            or does not go away. Nothing else was signalled.
        """
        ...
