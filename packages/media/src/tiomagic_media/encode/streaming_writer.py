"""Encodes a clip while its frames are still being decoded, in a thread, and writes the mp4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiomagic_domain.media import Clip
    from tiomagic_media.encode.mp4 import Mp4


class ClipWriter:
    """A ``FrameSink`` that encodes the frames of a clip in a thread, as soon as they arrive.

    The file has the same bytes with and without streaming. At the end of the block the thread has
    ended, and a clip that was not written is discarded.

    Args:
        path: Where to; on the disk there is nothing until ``write``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._early: _BackgroundEncoding | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.drop()

    def begin(self, frames: NDArray[np.uint8], fps: float) -> None:
        """Start a new clip; see ``FrameSink``."""
        self.drop()
        self._early = _BackgroundEncoding(self.path, frames, fps)

    def take(self, count: int, fetch: Callable[[], None]) -> None:
        """Encode the next frames; see ``FrameSink``."""
        assert self._early is not None, "frames come after a beginning"
        self._early.take(count, fetch)

    def drop(self) -> None:
        """Discard the clip, see ``FrameSink``; waits for the piece being encoded."""
        if self._early is not None:
            self._early.close()
            self._early = None

    def write(self, clip: Clip, recipe: Mapping[str, Any]) -> None:
        """Write a clip, whole or not at all.

        Args:
            clip: Its frames are encoded already if they are the ones that were streamed; any others
                are encoded now.
            recipe: Plain data, put into the file's metadata.

        Raises:
            GenerationError: when there is no frame, or a value is not a number.
            ProcessingError: when the size is odd, or the file cannot be written.
        """
        frames: Any = clip.frames
        sound: dict[str, Any] = {"audio": clip.audio, "audio_rate": clip.audio_rate}
        if self._early is not None and self._early.has_all(frames, clip.fps):
            self._early.finish().write(recipe, **sound)
        else:
            from tiomagic_media.encode.mp4 import write_mp4

            self.drop()
            write_mp4(self.path, frames, fps=clip.fps, recipe=recipe, **sound)


class _BackgroundEncoding:
    """One clip that is encoded while it is being made.

    The decoder never waits for the encoder. The queue holds uint8 frames, at most those of the
    clip: a quarter of the memory of the floats that they were made from.
    """

    def __init__(self, path: Path, frames: NDArray[np.uint8], fps: float) -> None:
        # Created late: until then the model may need all the memory.
        from tiomagic_media.encode.mp4 import Mp4

        self._frames, self._fps = frames, fps
        self._video = Mp4(path, fps=fps)
        # One thread: the encoder takes the frames in order. It starts with the first frame.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tiomagic-encoder")
        self._count = 0
        self._last: Future[None] | None = None

    def take(self, count: int, fetch: Callable[[], None]) -> None:
        if self._last is not None and self._last.done():
            self._last.result()
        first, self._count = self._count, self._count + count
        self._last = self._thread.submit(self._encode, self._last, first, self._count, fetch)

    def has_all(self, frames: object, fps: float) -> bool:
        """Say whether this is the streamed clip and all of its frames were streamed."""
        return frames is self._frames and fps == self._fps and self._count == len(self._frames)

    def finish(self) -> Mp4:
        """Return the video when all of it is encoded; raise the encoder's error."""
        if self._last is not None:
            self._last.result()
        return self._video

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._last = None
        self._video.close()

    def _encode(
        self, before: Future[None] | None, first: int, end: int, fetch: Callable[[], None]
    ) -> None:
        if before is not None:
            # After an error nothing more is encoded, so the last result carries it as well.
            before.result()
        fetch()
        for frame in self._frames[first:end]:
            self._video.add(frame)
