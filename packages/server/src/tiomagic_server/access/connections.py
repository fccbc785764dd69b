"""Limits on connections: how many, and how long one may send nothing.

uvicorn closes a connection that is idle after a request. One that sends no request, or the headers
of one byte by byte, stays; here it does not.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 1000
"""Connections of one process; a further one is closed at once."""
HEADERS_TIMEOUT_S: Final = 15.0
"""Seconds in which the headers of a request must have come."""


class BoundedProtocol(H11Protocol):
    """A connection with a deadline for each request's headers."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin, unless there are too many."""
        if len(self.connections) >= MAX_CONNECTIONS:
            transport.abort()
        super().connection_made(transport)
        self._set_deadline()

    def handle_events(self) -> None:
        """Read what has come, and see whether it was a whole head."""
        super().handle_events()
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._clear_deadline()
        super().connection_lost(exc)

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
