"""Port: what starts workers."""

from __future__ import annotations

from typing import Protocol


class Launcher(Protocol):
    """Starts worker processes on this machine."""

    def launch(self, queue: str) -> None:
        """Start a worker for a queue and return when it has come up, or may still do so.

        One too many does no harm: a worker that is not needed goes away by itself.

        Raises:
            ConfigurationError: when no worker can be started from here, or it ended before it came
                up; the message has the reason.
        """
        ...
