"""Port: the launcher, which starts worker processes."""

from __future__ import annotations

from typing import Protocol


class Launcher(Protocol):
    """Starts worker processes on this machine."""

    def launch(self, queue: str) -> None:
        """Start a worker for a queue, and return when it is ready or may still become so.

        One too many does no harm: a worker that is not needed ends by itself.

        Raises:
            ConfigurationError: when no worker can be started from here, or it ended before it was
                ready; the message has the reason.
        """
        ...
