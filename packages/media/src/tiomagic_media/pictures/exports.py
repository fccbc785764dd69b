"""Exports a video: GIF, WebP, PNG, numbered frames, ProRes, FFV1.

==============  =================================================================================
``.gif``        one palette of 256 colours made for this video; plays everywhere
``.webp``       animated; a tenth of a GIF's size, all colours
``.png``        one frame; the last one is where the next shot begins
a folder        numbered PNG frames, as compositing programs import them
``.mov``        ProRes 422 HQ, 10 bits: what most editing programs read
``.mkv``        FFV1, lossless in RGB: bit for bit the frames of the source
==============  =================================================================================

Every file is written whole or not at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from tiomagic_domain.errors import ProcessingError, ValidationError
from tiomagic_domain.files.replacing import hidden_name_beside, replacing
from tiomagic_domain.suggestions import list_names
from tiomagic_media.pictures.film import Film

if TYPE_CHECKING:
    from PIL import Image

GIF_TICK: Final = Fraction(1, 100)
"""Seconds: GIF counts time in hundredths."""


def export_film(film: Film, target: Path, *, width: int | None = None, frame: int = -1) -> Path:
    """Write a film in the format of the target's ending.

    Args:
        film: What to write.
        target: A file with one of the endings above; a name without an ending is a folder.
        width: Pixels, the shape is kept; None for the film's own.
        frame: Which frame a ``.png`` shows; negative counts from the end.

    Returns:
        The target.

    Raises:
        ValidationError: when the ending is not one of these, there is no such frame, the width is
            not positive, or the folder has something in it.
        ProcessingError: when it cannot be written.
    """
    ending = target.suffix.lower()
    if ending not in WRITERS and ending not in {"", ".png"}:
        known = list_names([*WRITERS, ".png", "a folder"])
        raise ValidationError(f"videos cannot be written as {ending!r}; there are {known}")
    if width is not None and width < 1:
        raise ValidationError(f"the width must be 1 pixel or more, not {width}")
    if ending == ".png" and not -len(film.frames) <= frame < len(film.frames):
        raise ValidationError(
            f"there is no frame {frame}: the video has {len(film.frames)}, 0 to "
            f"{len(film.frames) - 1}, or -1 for the last"
        )
    film = film.scaled(width)
    if not ending:
        write_frames(film, target)
        return target
    if ending == ".png":
        return save_picture(film.image(frame), target)
    with _whole(target) as part:
        WRITERS[ending](film, part)
    return target


def save_picture(image: Image.Image, target: Path) -> Path:
    """Write a picture as PNG, whole or not at all, and return the target.

    Raises:
        ProcessingError: when it cannot be written.
    """
    with _whole(target) as part:
        image.save(part, format="PNG")
    return target


def write_frames(film: Film, folder: Path) -> None:
    """Write the frames as ``<folder's name>_0001.png`` and so on.

    Raises:
        ValidationError: when the folder is there and not empty: two sequences would mix.
        ProcessingError: when it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValidationError(f"{str(folder)!r} is there and not an empty folder")
    digits = max(4, len(str(len(film.frames))))
    part = hidden_name_beside(folder)
    try:
        part.mkdir(parents=True)
        for number, image in enumerate(film.images(), start=1):
            image.save(part / f"{folder.name}_{number:0{digits}}.png", format="PNG")
        if folder.is_dir():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise ProcessingError(f"the frames cannot be written: {error}") from error
    finally:
        if part.is_dir():
            for leftover in part.iterdir():
                leftover.unlink()
            part.rmdir()


def _write_gif(film: Film, path: Path) -> None:
    height, width = film.frames.shape[1:3]
    graph, source, sink = _palette_graph(width, height, film.fps)
    for index, pixels in enumerate(film.frames):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = index, 1 / film.fps
        source.push(frame)
    source.push(None)
    # GIF has whole hundredths only. Each start is rounded separately, so that errors do not add up
    # and the GIF plays as long as the video.
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        stream = container.add_stream("gif", rate=film.fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        stream.time_base = stream.codec_context.time_base = GIF_TICK
        for index, frame in enumerate(_pulled(sink)):
            frame.pts, frame.time_base = _tick(index, film.fps), GIF_TICK
            frame.duration = _tick(index + 1, film.fps) - frame.pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    del graph  # The graph owns the filters: keep it until the last frame.


def _palette_graph(width: int, height: int, fps: Fraction) -> tuple[Graph, Any, Any]:
    """Return a filter that makes one palette of all frames and paints them with it."""
    graph = Graph()
    pixels = av.VideoFormat("rgb24", width, height)
    source = graph.add_buffer(width=width, height=height, format=pixels, time_base=1 / fps)
    split = graph.add("split")
    make = graph.add("palettegen", "stats_mode=full")
    # An ordered pattern is stable from frame to frame; error diffusion would flicker.
    use = graph.add("paletteuse", "dither=bayer:bayer_scale=3:diff_mode=rectangle")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(make, 0, 0)
    split.link_to(use, 1, 0)
    make.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph, source, sink


def _pulled(sink: Any) -> Iterator[Any]:
    while True:
        try:
            yield sink.pull()
        except (av.EOFError, av.BlockingIOError):
            return


def _tick(index: int, fps: Fraction) -> int:
    return round(index / fps / GIF_TICK)


def _write_webp(film: Film, path: Path) -> None:
    first, *others = film.images()
    starts = [round(1000 * index / film.fps) for index in range(len(film.frames) + 1)]
    durations = [after - before for before, after in pairwise(starts)]
    first.save(
        path,
        format="WEBP",
        save_all=True,
        append_images=others,
        duration=durations if others else durations[0],
        loop=0,
        quality=90,
        method=4,
    )


def _write_prores(film: Film, path: Path) -> None:
    options = {"profile": "3", "vendor": "apl0"}
    _write_video(film, path, "mov", "prores_ks", "yuv422p10le", options)


def _write_lossless(film: Film, path: Path) -> None:
    # bgr0 is this encoder's name for 8-bit RGB.
    _write_video(film, path, "matroska", "ffv1", "bgr0", {"level": "3", "slicecrc": "1"})


def _write_video(
    film: Film, path: Path, container_format: str, codec: str, pixels: str, options: dict[str, str]
) -> None:
    height, width = film.frames.shape[1:3]
    with av.open(str(path), "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=film.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        rgb = pixels == "bgr0"
        context = stream.codec_context
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        if not rgb:
            context.colorspace = 1  # AVCOL_SPC_BT709
            context.color_range = ColorRange.MPEG
        for index, picture in enumerate(film.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pixels) if rgb else _as_yuv(frame, pixels)
            frame.pts, frame.time_base = index, 1 / film.fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _as_yuv(frame: av.VideoFrame, pixels: str) -> av.VideoFrame:
    return frame.reformat(
        format=pixels,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INP,
    )


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Yield a temporary name to write to; the file is renamed on success."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            yield part
    except (OSError, av.FFmpegError) as error:
        raise ProcessingError(f"{str(target)!r} cannot be written: {error}") from error


WRITERS: Final[dict[str, Callable[[Film, Path], None]]] = {
    ".gif": _write_gif,
    ".webp": _write_webp,
    ".mov": _write_prores,
    ".mkv": _write_lossless,
}
"""Encoders by ending. ``.png`` and folders are written as pictures, so they are not in here."""
