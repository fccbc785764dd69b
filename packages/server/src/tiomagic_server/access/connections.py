"""Limits on connections: how many, and how long one may send or take nothing.

uvicorn closes a connection that is idle after a request. One that sends no request, the headers of
one byte by byte, or does not read its answer stays; here it does not.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 1000
"""Connections of one process. A further one takes the place of one that waits for a request, the
oldest first; without such a one it is closed at once."""
HEADERS_TIMEOUT_S: Final = 15.0
"""Seconds in which the headers of a request must have come."""
READING_TIMEOUT_S: Final = 60.0
"""Seconds in which a client must take what waits for it, 64 KiB at most."""


class BoundedProtocol(H11Protocol):
    """A connection with a deadline for each request's headers, and for taking the answer."""

    _deadline: asyncio.TimerHandle | None = None
    _reading_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin, unless there are too many."""
        if len(self.connections) >= MAX_CONNECTIONS and not self._close_idle():
            transport.abort()
        super().connection_made(transport)
        self._set_deadline()

    def handle_events(self) -> None:
        """Read what has come, and see whether it was a whole head."""
        super().handle_events()
        self._set_deadline()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent, for some time."""
        super().pause_writing()
        if self._reading_deadline is None:
            self._reading_deadline = self.loop.call_later(READING_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it has taken it."""
        self._clear_reading_deadline()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._clear_deadline()
        self._clear_reading_deadline()
        super().connection_lost(exc)

    def _close_idle(self) -> bool:
        """Close the connection that has waited longest for a request; False without one.

        Else connections that send nothing would keep out everybody who does.
        """
        found = [
            (one._deadline.when(), one)  # noqa: SLF001 - of the same class
            for one in self.connections
            if isinstance(one, BoundedProtocol)
            and one._deadline is not None  # noqa: SLF001
            and not one.transport.is_closing()
        ]
        if not found:
            return False
        _, oldest = min(found, key=lambda one: one[0])
        oldest.transport.abort()
        return True

    def _set_deadline(self) -> None:
        # Before the first head there is no cycle; between two the last answer is complete.
        cycle: Any = self.cycle
        is_waiting = cycle is None or cycle.response_complete
        if not is_waiting:
            self._clear_deadline()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEADERS_TIMEOUT_S, self.transport.abort)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _clear_reading_deadline(self) -> None:
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()
            self._reading_deadline = None
