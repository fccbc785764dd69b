"""Does something once for many requests: some time after the first of them, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LateRefresh:
    """Calls a function after the first of several requests. Thread-safe.

    Args:
        refresh: What is called; it must not raise.
        after_s: Seconds after the first request.
    """

    def __init__(self, refresh: Callable[[], None], after_s: float) -> None:
        self._refresh = refresh
        self._after_s = after_s
        self._waiting: threading.Timer | None = None
        self._lock = threading.Lock()
        self._calling = threading.Lock()

    def request(self) -> None:
        """Have the function called, unless it is about to be."""
        with self._lock:
            if self._waiting is None:
                self._waiting = threading.Timer(self._after_s, self._run)
                self._waiting.daemon = True
                self._waiting.start()

    def flush(self) -> None:
        """Call the function now, if it was asked for; wait for a call that is under way."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        with self._calling:
            if waiting is not None:
                self._refresh()

    def _run(self) -> None:
        with self._calling:
            with self._lock:
                self._waiting = None  # A change from here on is not in what is read now.
            self._refresh()
