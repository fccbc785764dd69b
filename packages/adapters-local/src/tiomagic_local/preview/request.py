"""The request for previews: it travels beside the ports, as the sink of streamed frames does.

Who runs an engine may ask for previews; the engine's progress events bring them::

    with preview_with(request):
        clip = engine.text_to_video(…, progress, …)   # progress gets events with a ``preview``

An engine that cannot draw any says nothing: a preview is never needed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final, Protocol

EVERY_STEPS: Final = 2
"""A preview follows at least so many steps after the last one."""
EVERY_S: Final = 0.5
"""Least seconds between two previews, and between two looks whether one is wanted."""
LARGEST_SHARE: Final = 0.01
"""Largest part of a run's time that previews take: the pause after one is its cost over this."""


class PreviewRequest(Protocol):
    """Asks for previews of one run."""

    def is_wanted(self) -> bool:
        """Return whether someone looks at previews now. Takes microseconds."""
        ...

    def refuse(self, reason: str) -> None:
        """Take the reason why there will be none. Called once at most."""
        ...


_request: ContextVar[PreviewRequest | None] = ContextVar("tiomagic_preview", default=None)


@contextlib.contextmanager
def preview_with(request: PreviewRequest) -> Iterator[None]:
    """Let engines that this thread calls within the block draw previews when they are wanted."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_preview_request() -> PreviewRequest | None:
    """Return the request of the calling engine's run; None without one."""
    return _request.get()


class PreviewPace:
    """Says when the next preview is due: every few steps, every few moments, and within a share.

    Args:
        request: Says whether one is wanted.
        now: A monotonic clock, in seconds.
    """

    def __init__(self, request: PreviewRequest, now: Callable[[], float] = time.monotonic) -> None:
        self._request = request
        self._now = now
        self._looked = float("-inf")
        self._wanted = False
        self._last_step = 0
        self._next = float("-inf")

    def is_wanted(self) -> bool:
        """Return whether previews are wanted, as of the last look."""
        now = self._now()
        if now - self._looked >= EVERY_S:
            self._looked, self._wanted = now, self._request.is_wanted()
        return self._wanted

    def is_due(self, step: int) -> bool:
        """Return whether a preview is to follow a step.

        Args:
            step: From 1 on.
        """
        if step - self._last_step < EVERY_STEPS or not self.is_wanted():
            return False
        return self._now() >= self._next

    @contextlib.contextmanager
    def spend(self, step: int) -> Iterator[None]:
        """Measure what the preview of a step costs, and wait with the next one accordingly."""
        began = self._now()
        try:
            yield
        finally:
            ended = self._now()
            self._last_step = step
            self._next = ended + max(EVERY_S, (ended - began) / LARGEST_SHARE)
