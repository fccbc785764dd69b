"""Videos whose colours are known, and how FFmpeg itself renders them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorTrc

if TYPE_CHECKING:
    from numpy.typing import NDArray

BT709, BT470BG, SMPTE170M, BT2020 = 1, 5, 6, 9
"""AVColorSpace."""
LIMITED, FULL = 1, 2
HLG, PQ = int(ColorTrc.ARIB_STD_B67), int(ColorTrc.SMPTE2084)

PATCHES = (
    (255, 255, 255), (0, 0, 0), (128, 128, 128), (40, 40, 40),
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40),
    (40, 160, 200), (230, 200, 180), (90, 30, 120), (255, 255, 0),
)  # fmt: skip
"""RGB, 0-255."""
_SIDE, _ACROSS = 32, 4


def patches() -> NDArray[np.uint8]:
    """Return a picture, (96, 128, 3), of plain squares."""
    rows = [PATCHES[place : place + _ACROSS] for place in range(0, len(PATCHES), _ACROSS)]
    return np.kron(np.array(rows, np.uint8), np.ones((_SIDE, _SIDE, 1), np.uint8))


def middles(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean colour in the middle of each square: (12, 3)."""
    quarter = _SIDE // 4
    return np.array(
        [
            pixels[y + quarter : y + _SIDE - quarter, x + quarter : x + _SIDE - quarter].mean(
                axis=(0, 1)
            )
            for y in range(0, pixels.shape[0], _SIDE)
            for x in range(0, pixels.shape[1], _SIDE)
        ]
    )


def write_tagged(
    path: Path,
    pixels: NDArray[np.uint8],
    *,
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    matrix: int = BT709,
    colour_range: int = LIMITED,
    curve: int = 1,
    primaries: int = 1,
    frames: int = 2,
) -> Path:
    """Write a video whose file says what its colours mean; pixels with four channels keep alpha."""
    with av.open(str(path), "w") as container:
        # The encoder of VP8 cannot keep alpha together with pictures that are not shown.
        options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt, stream.bit_rate = pix_fmt, 8_000_000
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, colour_range
        context.color_trc, context.color_primaries = curve, primaries
        for index in range(frames):
            form = "rgba" if pixels.shape[2] == 4 else "rgb24"
            frame: Any = av.VideoFrame.from_ndarray(pixels, format=form)
            frame = frame.reformat(
                format=pix_fmt, dst_colorspace=matrix, dst_color_range=colour_range
            )
            frame.colorspace, frame.color_range = matrix, colour_range
            frame.color_trc, frame.color_primaries = curve, primaries
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_hdr(path: Path, pixels: NDArray[np.uint8], curve: int, codec: str = "ffv1") -> Path:
    """Write a usual picture as HDR in BT.2020: its white at 203 cd/m2 (ITU-R BT.2408)."""
    red, green, blue = np.moveaxis(_signal(pixels, curve), -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    planes = [64 + 876 * luma]
    planes += [512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746]
    content = np.stack(planes).round().astype(np.uint16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv444p10le"
        context = stream.codec_context
        context.colorspace, context.color_range = BT2020, LIMITED
        context.color_trc, context.color_primaries = curve, int(ColorPrimaries.BT2020)
        for index in range(2):
            frame: Any = av.VideoFrame(stream.width, stream.height, "yuv444p10le")
            for plane, values in zip(frame.planes, content, strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                rows[:, : plane.width] = values
                plane.update(rows.tobytes())
            frame.colorspace, frame.color_range = BT2020, LIMITED
            frame.color_trc, frame.color_primaries = curve, int(ColorPrimaries.BT2020)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def _signal(pixels: NDArray[np.uint8], curve: int) -> NDArray[np.float64]:
    """Return the HDR signal, 0-1, by the formulas of ITU-R BT.2100."""
    value = pixels / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    shown = np.maximum(light @ _TO_2020.T, 0) * 203
    if curve == PQ:
        power = (shown / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    luma = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]) / 1000, 1e-9)[..., None]
    scene = shown / 1000 * luma ** ((1 - 1.2) / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.clip(np.where(scene <= 1 / 12, np.sqrt(3 * scene), high), 0, 1)


def rendered(path: Path, filters: str, *, decoder: str | None = None) -> NDArray[np.uint8]:
    """Return the first frame as FFmpeg's own filters render it, (H, W, 3).

    Args:
        path: The video.
        filters: As ``ffmpeg -vf`` takes them, without the last ``format``.
        decoder: FFmpeg's name; None for the usual one.
    """
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        context = av.CodecContext.create(decoder, "r") if decoder else stream.codec_context
        frame: Any = next(f for packet in container.demux(stream) for f in context.decode(packet))
        colours = f"colorspace={frame.colorspace}:range={frame.color_range}"
        place = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        graph = Graph()
        parts = [graph.add("buffer", f"{place}:time_base=1/25:{colours}")]
        for one in [*filter(None, filters.split(",")), "format=rgb24", "buffersink"]:
            name, _, arguments = one.partition("=")
            parts.append(graph.add(name, arguments or None))
        graph.link_nodes(*parts).configure()
        graph.vpush(frame)
        graph.vpush(None)
        result: NDArray[np.uint8] = graph.vpull().to_ndarray()
    return result
