"""Decodes videos with PyAV, without access to any other file or address."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av

from tiomagic_media.decode.rendering.colour import Renderer, shown_width
from tiomagic_media.decode.rendering.interlacing import deinterlace
from tiomagic_media.decode.rendering.orientation import Orientation, orientation_of
from tiomagic_media.decode.structure.boxes import check_tables
from tiomagic_media.decode.timing import DecodedFrame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf"
"""Demuxers that may read an input: files that hold their own frames. Play lists (hls, dash, concat)
are left out, because they make FFmpeg open other files and addresses."""

MAX_FRAME_PIXELS = 4096 * 4096
"""Pixels. A frame may be larger than the header says; the decoder refuses what is larger than this
before it takes the memory."""

_MAX_THREADS = 4
"""Threads of the decoder. Each holds frames of its own, so this bounds the memory."""

_SLACK_SECONDS, _SLACK_PART = 0.25, 0.1
"""Tolerance for a file that ends before its declared duration: writers round, and some guess."""

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these drop the transparency, which is stored as a second picture."""


_IN_DECODING_ORDER = frozenset({"avi"})
"""Containers whose times say when a frame is decoded, not when it is shown. FFmpeg guesses the
latter, wrongly for frames that are decoded in another order (B-frames)."""


class DamagedVideoError(ValueError):
    """A video can be opened but not decoded to its end."""


def ignore_moment() -> None:
    """Do nothing: the default for ``moment``."""


@contextlib.contextmanager
def open_video(source: Path | BinaryIO) -> Iterator[Any]:
    """Open a video without letting FFmpeg open anything else.

    Raises:
        av.FFmpegError, OSError: when it is not a video or a sound that FFmpeg knows.
        ClaimError: when its tables declare more samples than the file can hold.
    """
    if isinstance(source, Path):
        check_tables(source)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
        # Metadata in another encoding than UTF-8 must not make a video unusable.
        yield stack.enter_context(
            av.open(file, metadata_errors="replace", container_options=options)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoHeader:
    """What the header of a video declares; its frames may differ."""

    container: str
    """FFmpeg's name of the container, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    brand: str
    """The mp4 brand; empty for other containers."""
    width: int | None
    """Stored pixels, before rotation; None when there is no video in it."""
    height: int | None
    """Stored pixels, before rotation; None when there is no video in it."""
    seconds: float | None
    """Playing time in seconds; None when not declared."""
    rate: Fraction | None
    """Frames a second; None when not declared."""
    is_coded_strangely: bool = False
    """True when there is a video in it that FFmpeg has no decoder for."""


def read_video_header(path: Path) -> VideoHeader:
    """Return what the header of a video declares.

    Raises:
        av.FFmpegError, OSError: as ``open_video``.
    """
    with open_video(path) as container:
        stream = _video_stream(container)
        context = stream.codec_context if stream else None
        return VideoHeader(
            container=container.format.name,
            brand=container.metadata.get("major_brand", ""),
            width=context.width if context else None,
            height=context.height if context else None,
            seconds=_length(container) or None,
            rate=stream.average_rate if stream else None,
            is_coded_strangely=stream is not None and context is None,
        )


def _video_stream(container: Any) -> Any:
    """Return the stream that a player shows: not the cover of a sound."""
    streams = [s for s in container.streams.video if not s.disposition & _COVER]
    if len(streams) < 2:
        return streams[0] if streams else None
    best = container.streams.best("video")
    return best if best in streams else streams[0]


_COVER = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What is the same for all frames of a video."""

    renderer: Renderer
    pixel_aspect: Fraction | None

    def pixels(self, frame: Any, orientation: Orientation) -> NDArray[np.uint8]:
        return orientation.apply(self.renderer.rgb(frame, self.pixel_aspect))

    def size(self, frame: Any, orientation: Orientation) -> tuple[int, int]:
        width = shown_width(frame.width, self.pixel_aspect)
        return (frame.height, width) if orientation.swapped else (width, frame.height)


def video_frames(path: Path, moment: Callable[[], None] = ignore_moment) -> Generator[DecodedFrame]:
    """Decode a video from its beginning; nothing when there is no video in the file.

    Args:
        path: The file.
        moment: Called repeatedly during decoding; may raise to stop it.

    Raises:
        DamagedError: when it ends before its time, changes its size, or its codec is not known.
        av.FFmpegError, OSError: when it cannot be decoded.
    """
    with open_video(path) as container:
        stream = _video_stream(container)
        if stream is None:
            return
        decode = _decoder(stream)
        place = _Place(renderer=Renderer(), pixel_aspect=stream.sample_aspect_ratio)
        clock = FrameClock(gap=1 / float(stream.average_rate or 25))
        was_interlaced = False

        def decoded() -> Iterator[Any]:
            nonlocal was_interlaced
            for frame in _of_one_size(_decoded(container, stream, decode, moment)):
                if container.format.name in _IN_DECODING_ORDER:
                    frame.pts = frame.dts
                was_interlaced = was_interlaced or frame.interlaced_frame
                yield frame

        for frame in deinterlace(decoded()):
            orientation = orientation_of(frame)
            yield DecodedFrame(
                start=clock.start(frame.time),
                seconds=float(frame.duration * frame.time_base) if frame.duration else 0.0,
                size=place.size(frame, orientation),
                was_interlaced=was_interlaced,
                pixels=partial(place.pixels, frame, orientation),
            )


def _decoder(stream: Any) -> Callable[[Any], list[Any]]:
    """Return a decoder for the stream."""
    context = stream.codec_context
    if context is None:
        raise DamagedVideoError("it is coded in a way that is not known here")
    name = _WITH_ALPHA.get(context.name)
    if name and stream.metadata.get("alpha_mode") == "1":
        context = av.CodecContext.create(name, "r")
        context.extradata = stream.codec_context.extradata
        # The container may declare the colours where the stream does not.
        for name in ("colorspace", "color_range", "color_trc", "color_primaries"):
            setattr(context, name, getattr(stream.codec_context, name))
    else:
        context.thread_type = "AUTO"
    context.thread_count = min(_MAX_THREADS, os.cpu_count() or 1)
    context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    decode: Callable[[Any], list[Any]] = context.decode
    return decode


class FrameClock:
    """Computes when frames are shown, counted from the first.

    Args:
        gap: Seconds from one frame to the next where the file does not say.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._shift: float | None = None
        self._last = 0.0

    def start(self, time: float | None) -> float:
        """Return when the next frame is shown; never before the one that came last."""
        if self._shift is None:
            self._shift = -(time or 0.0)
            return 0.0
        # Some old containers have no times; then the frames are evenly spaced.
        start = self._last + self._gap if time is None else time + self._shift
        if start < self._last:
            # Two recordings in sequence, as in a transport stream: the times restart.
            self._shift += self._last + self._gap - start
            start = self._last + self._gap
        self._last = start
        return start


def _of_one_size(frames: Iterator[Any]) -> Iterator[Any]:
    size: tuple[int, int] | None = None
    for index, frame in enumerate(frames):
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise DamagedVideoError(
                f"its size changes from {size[0]}x{size[1]} to {frame.width}x{frame.height} "
                f"at frame {index}"
            )
        yield frame


def _decoded(
    container: Any,
    stream: Any,
    decode: Callable[[Any], list[Any]],
    moment: Callable[[], None],
) -> Iterator[Any]:
    end: float | None = None
    count = 0
    for packet in container.demux():
        moment()
        if packet.is_corrupt:
            raise DamagedVideoError(f"it is damaged or cut off after {count} frames")
        if packet.pts is not None:
            over = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            end = over if end is None else max(end, over)
        if packet.stream is not stream:
            continue
        try:
            frames = decode(packet)
        except av.FFmpegError as error:
            raise DamagedVideoError(f"it is damaged after {count} frames") from error
        for frame in frames:
            # The decoder has filled in what it could not read.
            if frame.is_corrupt:
                raise DamagedVideoError(f"it is damaged at frame {count}")
            count += 1
            yield frame
    if count:
        _check_end(container, end or 0.0)


def _length(container: Any) -> float:
    """Return the declared duration of a file in seconds, 0 when there is none.

    Some containers count the duration from zero, others from the first frame. The shorter result is
    used.
    """
    start = max(container.start_time or 0, 0)
    promised = container.duration or 0
    return (promised - start if promised > start else promised) / 1_000_000


def _check_end(container: Any, end: float) -> None:
    """Raise when a file ends before its declared duration."""
    start, length = (container.start_time or 0) / 1_000_000, _length(container)
    # Times may be negative where the clock of a transport stream overflowed.
    promised = (container.duration or 0) / 1_000_000 + min(start, 0.0)
    if promised - end > max(_SLACK_SECONDS, _SLACK_PART * length):
        raise DamagedVideoError(
            f"it is cut off: it should play {length:.1f} seconds "
            f"and ends after {max(end - start, 0.0):.1f}"
        )
