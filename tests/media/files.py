"""Builders of real pictures and videos, whole and broken, for the tests of media."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECIPE: dict[str, Any] = {
    "tiomagic_recipe": 1,
    "feature": "text_to_video",
    "model": "wan2.1-t2v-1.3b",
    "provider": "local",
    "required_args": {"prompt": "a cat"},
    "optional_args": {"seed": 7},
}


def png(width: int = 32, height: int = 24, colour: object = "red") -> bytes:
    """Return the bytes of a small PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds next to no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def moving_square(count: int = 10, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return frames on which a light square moves right over a gradient: (T, H, W, 3)."""
    frames = np.empty((count, height, width, 3), dtype=np.uint8)
    frames[..., 0] = np.linspace(0, 120, width, dtype=np.uint8)
    frames[..., 1] = np.linspace(0, 120, height, dtype=np.uint8)[:, np.newaxis]
    frames[..., 2] = 60
    for index in range(count):
        left = index * (width - 16) // max(count - 1, 1)
        frames[index, 8:24, left : left + 16] = 230
    return frames


def grey_steps(count: int, size: int = 16) -> NDArray[np.uint8]:
    """Return flat frames whose level says which frame it is: level 20 + 8 x index."""
    levels = (20 + 8 * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, size, size, 3)).copy()


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    container: str = "mp4",
    codec: str = "libx264",
    fps: int = 10,
    times: list[int] | None = None,
    rotation: int = 0,
    aspect: tuple[int, int] | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a video by FFmpeg directly, not by the code under test.

    Args:
        path: Where to.
        frames: (H, W, 3) each.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        fps: Frames a second when no times are given.
        times: When each frame starts, in milliseconds.
        rotation: Degrees of the display matrix, counter-clockwise.
        aspect: Width and height of a pixel.
        pix_fmt: FFmpeg's name of the form of the pixels.
        options: The encoder's.
        container_options: The container's.
    """
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        rate = fps if times is None else 1000
        stream: Any = output.add_stream(codec, rate=rate, options=options or {})
        stream.pix_fmt, stream.width, stream.height = pix_fmt, 16, 16
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
                if rotation:
                    stream.set_display_rotation(rotation)
                if aspect:
                    stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = index if times is None else times[index]
            output.mux(stream.encode(frame))
        output.start_encoding()  # Writes the header also when there was no frame.
        output.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """Write an mp4 with a tone and no picture."""
    with av.open(str(path), "w", format="mp4") as output:
        stream: Any = output.add_stream("aac", rate=44100, layout="mono")
        tone = np.sin(np.arange(4096) / 20).astype(np.float32)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 44100
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def animation(path: Path, levels: list[int], milliseconds: list[int] | int) -> Path:
    """Write an animated picture of flat grey frames; the name's ending says which format."""
    pictures = [Image.new("RGB", (16, 12), (level, level, level)) for level in levels]
    kwargs: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {}
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=milliseconds, **kwargs
    )
    return path
