"""Videos with PyAV, reaching nothing but their own bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from tiomagic_local.media.timing import Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf"
"""Demuxers that may look at an input: files that hold their own frames. Play lists (hls, dash,
concat) are left out, because they make FFmpeg open other files and addresses."""

_UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED: the file does not say which colour matrix was used."""

_SLACK_SECONDS, _SLACK_PART = 0.25, 0.1
"""How much earlier than its header says a file may end: writers round, and some guess."""


class DamagedError(ValueError):
    """A video can be opened but not played to its end."""


@contextlib.contextmanager
def opened_video(source: Path | BinaryIO) -> Iterator[Any]:
    """Open a video so that it can reach nothing but its own bytes.

    Raises:
        av.FFmpegError, OSError: when it is not a video or a sound that FFmpeg knows.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
        # Metadata in other encodings than UTF-8 is not worth losing a video for.
        yield stack.enter_context(
            av.open(file, metadata_errors="replace", container_options=options)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a video says of itself before a frame is decoded; the truth may differ."""

    container: str
    """FFmpeg's name of the container, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    brand: str
    """The mp4 brand; empty for other containers."""
    width: int | None
    """Stored pixels, before rotation; None when there is no video in it."""
    height: int | None
    """Stored pixels, before rotation; None when there is no video in it."""
    seconds: float | None
    """Playing time; None when it is not said."""
    rate: Fraction | None
    """Frames a second; None when it is not said."""


def read_header(path: Path) -> Header:
    """Return what a video says of itself.

    Raises:
        av.FFmpegError, OSError: as ``opened_video``.
    """
    with opened_video(path) as container:
        stream = next(iter(container.streams.video), None)
        return Header(
            container=container.format.name,
            brand=container.metadata.get("major_brand", ""),
            width=stream.codec_context.width if stream else None,
            height=stream.codec_context.height if stream else None,
            seconds=container.duration / 1_000_000 if container.duration else None,
            rate=stream.average_rate if stream else None,
        )


def video_frames(path: Path) -> Generator[Shown]:
    """Decode a video from its beginning; nothing when there is no video in the file.

    Raises:
        DamagedError: when it ends before its time, or changes its size.
        av.FFmpegError, OSError: when it cannot be decoded.
    """
    with opened_video(path) as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        gap = 1 / float(stream.average_rate or 25)
        origin: float | None = None
        size: tuple[int, int] | None = None
        for index, frame in enumerate(_decoded(container, stream)):
            # Some old containers have no times; then the frames are even.
            time = frame.time if frame.time is not None else (origin or 0.0) + index * gap
            origin = time if origin is None else origin
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                raise DamagedError(
                    f"its size changes from {size[0]}x{size[1]} to {frame.width}x{frame.height} "
                    f"at frame {index}"
                )
            seconds = float(frame.duration * frame.time_base) if frame.duration else 0.0
            pixels = partial(_upright, frame, stream.sample_aspect_ratio)
            yield Shown(start=time - origin, seconds=seconds, pixels=pixels)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    end = 0.0
    count = 0
    for packet in container.demux():
        if packet.is_corrupt:
            raise DamagedError(f"it is damaged or cut off after {count} frames")
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not stream:
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            raise DamagedError(f"it is damaged after {count} frames") from error
        count += len(frames)
        yield from frames
    start = max(container.start_time or 0, 0) / 1_000_000
    promised = (container.duration or 0) / 1_000_000 + start
    if count and promised - end > max(_SLACK_SECONDS, _SLACK_PART * promised):
        raise DamagedError(
            f"it is cut off: it should play {promised - start:.1f} seconds "
            f"and ends after {end - start:.1f}"
        )


def _upright(frame: Any, pixel_aspect: Fraction | None) -> NDArray[np.uint8]:
    source = frame.colorspace
    if source == _UNSPECIFIED:
        # The habit of players: high definition is BT.709, anything smaller is BT.601.
        source = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    # Old formats have pixels that are not square; only the width is changed, as players do.
    width = round(frame.width * pixel_aspect) if pixel_aspect else frame.width
    rgb = frame.to_ndarray(
        format="rgb24",
        width=width,
        src_colorspace=source,
        interpolation=Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT,
    )
    # FFmpeg counts the display matrix' angle counter-clockwise, as numpy's rot90 does.
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))
