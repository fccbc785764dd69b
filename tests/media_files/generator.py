"""Makes media files at random: formats x ranges x rotations x rates x alpha x damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image
from tests.media.colours import BT709, FULL, HLG, LIMITED, PQ, patches, write_hdr
from tests.media.heic import heic, tiled_heic

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATES = (
    Fraction(12),
    Fraction(24),
    Fraction(25),
    Fraction(30),
    Fraction(24000, 1001),
    Fraction(60),
)
MATRICES = {
    (1, 0, 0, 1): "",
    (-1, 0, 0, 1): "hflip",
    (1, 0, 0, -1): "vflip",
    (-1, 0, 0, -1): "hflip,vflip",
    (0, 1, 1, 0): "transpose=cclock_flip",
    (0, -1, 1, 0): "transpose=cclock",
    (0, 1, -1, 0): "transpose=clock",
    (0, -1, -1, 0): "transpose=clock_flip",
}
"""a, b, c, d of a display matrix, and the filters that ``ffmpeg`` puts in for it."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a video is kept."""

    ending: str
    codec: str
    formats: tuple[str, ...]
    is_exact: bool = True
    """Whether the file keeps the colours' description and each time."""


CODINGS = (
    Coding("mp4", "libx264", ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuvj420p")),
    Coding("mov", "libx264", ("yuv420p", "yuv444p10le")),
    Coding("mkv", "libx264", ("yuv420p", "yuv422p10le")),
    Coding("ts", "libx264", ("yuv420p",), is_exact=False),
    Coding("ts", "mpeg2video", ("yuv420p", "yuv422p"), is_exact=False),
    Coding("avi", "mpeg4", ("yuv420p",), is_exact=False),
    Coding("avi", "huffyuv", ("rgb24", "rgb32", "yuv422p"), is_exact=False),
    Coding("flv", "flv1", ("yuv420p",), is_exact=False),
    Coding("webm", "libvpx-vp9", ("yuv420p", "yuv444p", "yuva420p")),
    Coding("webm", "libvpx", ("yuv420p", "yuva420p")),
    Coding("mov", "prores_ks", ("yuv422p10le", "yuva444p10le")),
    Coding("mov", "qtrle", ("rgb24", "argb")),
    Coding("mov", "png", ("rgb24", "rgba")),
    Coding("mov", "mjpeg", ("yuvj420p", "yuvj444p")),
    Coding("mkv", "ffv1", ("yuv420p", "yuv444p", "yuv420p10le", "yuv444p12le", "yuva420p", "bgra")),
)
WITH_ALPHA = frozenset({"yuva420p", "yuva444p10le", "argb", "rgba", "bgra", "rgb32"})
RGB = frozenset({"rgb24", "argb", "rgba", "bgra", "rgb32"})


@dataclass(slots=True)
class MadeFile:
    """One file, and what is known of it."""

    path: Path
    kind: str
    """``make_video``, ``make_animation`` or ``make_picture``."""
    words: list[str] = field(default_factory=list)
    """How it was made, for a person."""
    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)
    decoder: str | None = None
    """FFmpeg's name of the decoder that sees the alpha; None for the usual one."""
    is_hdr: bool = False
    is_damaged: bool = False
    starts: list[float] = field(default_factory=list)
    """Seconds at which the frames of a video are shown."""
    stays: list[float] = field(default_factory=list)
    """Seconds that each frame of a video stays."""
    expected_pixels: NDArray[np.uint8] | None = None
    """A picture as it was drawn, upright; None where FFmpeg says what is right."""
    tolerance: int = 3
    """Levels by which a picture may differ from it."""


def draw_frame(index: int, *, alpha: bool) -> NDArray[np.uint8]:
    """Return frame ``index``: squares of colours, one of which changes, and may be half there."""
    picture = patches()
    picture[32:64, 64:96] = 20 + index * 17 % 200
    if not alpha:
        return picture
    clear = np.full((*picture.shape[:2], 1), 255, np.uint8)
    clear[:32, 32:64], clear[64:, :32] = 0, 128
    return np.concatenate([picture, clear], axis=2)


def make_file(folder: Path, index: int, chance: Random) -> MadeFile:
    """Make one file."""
    maker: Callable[[Path, Random], MadeFile] = chance.choices(
        [make_video, make_hdr_video, make_animation, make_picture], weights=[62, 2, 12, 24]
    )[0]
    made = maker(folder / f"{index:04d}", chance)
    if chance.random() < 0.35:
        damage(made, chance)
    return made


def make_video(stem: Path, chance: Random) -> MadeFile:
    """Make a video in one of the codings."""
    coding = chance.choice(CODINGS)
    pix_fmt = chance.choice(coding.formats)
    made = MadeFile(stem.with_suffix(f".{coding.ending}"), "video")
    matrix = chance.choice([BT709, 5, 6, 9]) if coding.is_exact else 2
    full = FULL if pix_fmt.startswith("yuvj") else chance.choice([LIMITED, FULL])
    rate, count = chance.choice(RATES), chance.randint(2, 9)
    uneven = coding.ending in ("mkv", "mp4") and chance.random() < 0.3
    late = chance.choice([0, 0, 0, 5]) if coding.ending != "avi" else 0
    interlaced = coding.codec == "libx264" and pix_fmt == "yuv420p" and chance.random() < 0.15
    made.words = [coding.codec, pix_fmt, f"matrix {matrix}", f"range {full}", f"{rate}/s"]
    made.words += ["uneven"] * uneven + ["late"] * bool(late) + ["interlaced"] * interlaced
    times = [late + index / rate for index in range(count)]
    if uneven:
        gaps = [chance.choice([1, 1, 2, 5]) for _ in range(count)]
        times = [late + sum(gaps[:index]) / rate for index in range(count)]
    made.starts = [float(time - times[0]) for time in times]
    made.stays = [float(end - time) for time, end in pairwise([*times, times[-1] + 1 / rate])]
    if pix_fmt == "yuva420p" and coding.codec != "ffv1":
        made.decoder = "libvpx-vp9" if coding.codec == "libvpx-vp9" else "libvpx"
    _write(made.path, coding, pix_fmt, matrix, full, rate, times, interlaced=interlaced)
    if coding.ending in ("mp4", "mov") and chance.random() < 0.6:
        made.matrix = chance.choice(list(MATRICES))
        made.words.append(f"matrix {made.matrix}")
        _write_display_matrix(made.path, made.matrix)
    return made


def _write(
    path: Path,
    coding: Coding,
    pix_fmt: str,
    matrix: int,
    colour_range: int,
    rate: Fraction,
    times: list[Fraction],
    *,
    interlaced: bool,
) -> None:
    options: dict[str, str] = {"libvpx": {"auto-alt-ref": "0"}}.get(coding.codec, {})
    if interlaced:
        options = {"x264-params": "interlaced=1:tff=1", "flags": "+ilme+ildct"}
    alpha = pix_fmt in WITH_ALPHA
    ticks = 90_000 if coding.ending in ("mp4", "mov", "ts") else 1000
    even = coding.ending == "avi" or coding.codec == "mpeg2video"
    base = 1 / rate if even else Fraction(1, ticks)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(coding.codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pix_fmt
        if not even:
            stream.time_base = stream.codec_context.time_base = base
        stream.bit_rate = 8_000_000
        context = stream.codec_context
        if pix_fmt not in RGB and matrix != 2:
            context.colorspace, context.color_range = matrix, colour_range
        for index, time in enumerate(times):
            form = "rgba" if alpha else "rgb24"
            frame: Any = av.VideoFrame.from_ndarray(draw_frame(index, alpha=alpha), format=form)
            if pix_fmt not in RGB:
                wanted = 5 if matrix == 2 else matrix
                kept = colour_range if matrix != 2 else LIMITED
                frame = frame.reformat(format=pix_fmt, dst_colorspace=wanted, dst_color_range=kept)
                frame.colorspace, frame.color_range = matrix, kept
            else:
                frame = frame.reformat(format=pix_fmt)
            frame.time_base = base
            frame.pts = round(time / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd") + 4
    start = track + 4 + (32 if data[track] else 20) + 16
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def make_hdr_video(stem: Path, chance: Random) -> MadeFile:
    """Make a video in HLG or PQ."""
    curve = chance.choice([HLG, PQ])
    path = write_hdr(stem.with_suffix(".mkv"), patches(), curve)
    words = ["ffv1", "HLG" if curve == HLG else "PQ"]
    return MadeFile(path, "video", words, is_hdr=True, starts=[0.0, 0.04], stays=[0.04] * 2)


def make_animation(stem: Path, chance: Random) -> MadeFile:
    """Make an animated picture, some with frames that stay longer and some with alpha."""
    form = chance.choice(["gif", "webp", "png", "avif"])
    alpha = chance.random() < 0.4
    stays = [chance.choice([40, 80, 200]) for _ in range(chance.randint(2, 8))]
    pixels = [draw_frame(index, alpha=alpha) for index in range(len(stays))]
    if form == "gif" and alpha:
        # A palette has all of a colour or nothing.
        for one in pixels:
            one[..., 3] = np.where(one[..., 3] < 255, 0, 255)
    frames = [Image.fromarray(one) for one in pixels]
    options: dict[str, Any] = {"lossless": True} if form == "webp" else {}
    options |= {"quality": 95, "subsampling": "4:4:4"} if form == "avif" else {}
    options |= {"disposal": 2} if form == "gif" else {}
    path = stem.with_suffix(f".{form}")
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=stays, **options)
    made = MadeFile(path, "animation", [form, *["alpha"] * alpha, f"{stays} ms"])
    made.starts = [sum(stays[:index]) / 1000 for index in range(len(stays))]
    made.stays = [stay / 1000 for stay in stays]
    made.expected_pixels = np.stack([_blend_on_white(one) for one in pixels])
    # Pillow's palette for pictures with alpha is coarse; AVIF loses a little.
    made.tolerance = {"avif": 6, "gif": 8}.get(form, 3)
    return made


def make_picture(stem: Path, chance: Random) -> MadeFile:
    """Make a still picture in one of the formats and modes, lying in one of eight ways."""
    form = chance.choice(["png", "jpg", "webp", "bmp", "tif", "avif", "heic", "tiled"])
    modes = {"jpg": ["RGB", "L"], "bmp": ["RGB", "L"], "heic": ["RGB"], "tiled": ["RGB"]}
    mode = chance.choice(modes.get(form, ["RGB", "RGBA", "L"]))
    pixels = draw_frame(chance.randint(0, 9), alpha=mode == "RGBA")
    if form == "tiled":
        pixels = np.kron(pixels, np.ones((2, 2, 1), np.uint8))
    image = Image.fromarray(pixels).convert(mode)
    truth = _blend_on_white(np.asarray(image.convert("RGBA")))
    options: dict[str, Any] = {
        "jpg": {"quality": 97, "subsampling": 0, "progressive": chance.random() < 0.5},
        "webp": {"lossless": True},
        "avif": {"quality": 95, "subsampling": "4:4:4"},
        "tif": {"compression": chance.choice(["raw", "tiff_lzw", "tiff_adobe_deflate"])},
    }.get(form, {})
    orientation = chance.randint(1, 8) if form in ("png", "jpg", "webp", "tif") else 1
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = stem.with_suffix(".heic" if form == "tiled" else f".{form}")
    if form == "heic":
        path.write_bytes(heic(image))
    elif form == "tiled":
        path.write_bytes(tiled_heic(np.asarray(image), 64))
    elif orientation > 1:
        image.save(path, exif=exif, **options)
    else:
        image.save(path, **options)
    made = MadeFile(path, "picture", [form, mode, f"orientation {orientation}"])
    made.expected_pixels = _apply_orientation(truth, orientation)
    made.tolerance = 6 if form in ("jpg", "avif", "heic", "tiled") else 1
    return made


def _apply_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    # EXIF 2.32, table of orientations: where row 0 and column 0 of what is stored are seen.
    steps: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p.swapaxes(0, 1)[:, ::-1],
        7: lambda p: p.swapaxes(0, 1)[::-1, ::-1],
        8: lambda p: p.swapaxes(0, 1)[::-1],
    }
    return steps[orientation](pixels)


def _blend_on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:] / 255
    return np.round(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def damage(made: MadeFile, chance: Random) -> None:
    """Cut a file off, change bytes in it, or let it claim what is not there."""
    data = bytearray(made.path.read_bytes())
    how = chance.choice(["cut", "bytes", "zeros", "number"])
    place = chance.randrange(len(data))
    if how == "cut":
        del data[max(1, place) :]
    elif how == "bytes":
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif how == "zeros":
        end = min(len(data), place + chance.randint(1, 200))
        data[place:end] = bytes(end - place)
    else:
        value = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x00010000])
        data[place : place + 4] = struct.pack(">I", value)
    made.path.write_bytes(data)
    made.is_damaged = True
    made.words.append(f"damaged: {how}")
