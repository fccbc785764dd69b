"""Port: processes, to name them, to find out whether they live, and to kill a worker."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class ProcessState(StrEnum):
    """The state of a process as seen from here."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It cannot be seen: on another machine, or in another container. That does not mean dead."""


class Processes(Protocol):
    """Names processes, says whether they live, and kills them.

    A process is named by its call id, which no other process ever has.
    """

    @property
    def host(self) -> str:
        """The name of this machine."""
        ...

    def current(self) -> str:
        """Return the call id of this process."""
        ...

    def heartbeat(self) -> str:
        """Return ``<boot id> <seconds of the machine's monotonic clock>`` now."""
        ...

    def get_state(self, call_id: str) -> ProcessState:
        """Return whether a process still exists, even if suspended by a signal.

        ``DEAD`` and ``ALIVE`` are certain; all else is ``UNKNOWN``.
        """
        ...

    def may_kill(self, call_id: str) -> bool:
        """Return whether a process may be killed from here, and is certainly the right one."""
        ...

    def kill(self, call_id: str) -> bool:
        """Kill a process, and wait until it is gone.

        Returns:
            False when it could not be killed, because it belongs to another user, cannot be seen,
            or does not end. No other process was signalled.
        """
        ...

    def describe(self, call_id: str) -> str:
        """Return what a person can find a process by, such as ``process 4711 in the folder fox``.

        The call id where no more is known.
        """
        ...
