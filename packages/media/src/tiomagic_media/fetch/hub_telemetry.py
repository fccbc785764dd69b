"""Switches off the telemetry of the Hugging Face hub's client."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class _Switch:
    """The client's switch is one for the process; the last block that ends restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = False

    def turn(self, by: int) -> None:
        from huggingface_hub import constants

        with self._lock:
            if self._inside == 0:
                self._before = constants.HF_HUB_DISABLE_TELEMETRY
            self._inside += by
            constants.HF_HUB_DISABLE_TELEMETRY = self._inside > 0 or self._before


_switch = _Switch()


@contextlib.contextmanager
def disable_hub_telemetry() -> Iterator[None]:
    """Have the hub's client send no telemetry while the block runs, in this thread and all others.

    Otherwise each request names the version of torch and the program that the process was started
    from, for which the client fetches a list of programs, once a day, before it fetches a model.
    """
    _switch.turn(1)
    try:
        yield
    finally:
        _switch.turn(-1)
