"""Port: the processes of this machine, as far as workers have to know of each other."""

from __future__ import annotations

from typing import Protocol


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

    def mark(self) -> str:
        """Return ``<boot id> <seconds of the machine's monotonic clock>`` of this moment."""
        ...

    def is_here(self, call_id: str) -> bool:
        """Return whether a process belongs to this machine."""
        ...

    def is_alive(self, call_id: str) -> bool:
        """Return whether a process of this machine still runs, be it stopped by a signal."""
        ...

    def end(self, call_id: str) -> bool:
        """Kill a process of this machine without asking it, and wait until it is gone.

        Returns:
            False when it could not be killed, because it belongs to somebody else.
        """
        ...
