"""Frames that are used while the rest of their clip is still being decoded: a way beside the ports.

An engine whose decoder gives one piece of the video after the other says so as they come, and who
called it may listen and work ahead, as the one who writes the file does::

    caller                           engine
    with heard_by(writer):
        clip = engine.… ──────────►  writer.begin(frames, fps)
                                     writer.take(count, fetch)     once a piece of the video
        the same frames  ◄─────────  returns the clip

Listening is optional, and an engine that has all frames at once says nothing: its clip is all that
counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FrameSink(Protocol):
    """Takes the frames of a clip from the first to the last, while it is being made."""

    def begin(self, frames: NDArray[np.uint8], fps: float) -> None:
        """Start a new clip; an earlier one is discarded.

        Args:
            frames: uint8, (T, H, W, 3), RGB; nothing is in it yet.
            fps: Frames a second.
        """
        ...

    def take(self, count: int, fetch: Callable[[], None]) -> None:
        """Take the next frames; returns at once.

        Args:
            count: How many.
            fetch: Waits until they are in their place among the frames, where they stay as they
                are; any thread may call it, and more than once. Raises ``GenerationError`` when a
                value is not a number.

        Raises:
            TioMagicError: what went wrong with the frames before these.
        """
        ...

    def drop(self) -> None:
        """Discard the clip, which will not be finished."""
        ...


_sink: ContextVar[FrameSink | None] = ContextVar("tiomagic_frame_sink", default=None)


@contextlib.contextmanager
def stream_frames_to(sink: FrameSink) -> Iterator[None]:
    """Let engines that this thread calls within the block stream their frames to a sink."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def current_frame_sink() -> FrameSink | None:
    """Return the sink of the calling engine's frames; None without one."""
    return _sink.get()
