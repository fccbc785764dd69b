"""Loads pictures and frames for engines: decode, crop to a size, resample to a length or rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.media import Media
from tiomagic_media.decode.clips import CLIP_ERRORS, declared_rate, playing
from tiomagic_media.decode.images import DECODE_ERRORS, open_picture, to_rgb
from tiomagic_media.decode.timing import timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load_image(media: Media) -> Image.Image:
    """Return a picture in RGB, oriented for display; the first frame of an animated one.

    Raises:
        ProcessingError: when the file is no longer what was read.
    """
    try:
        with open_picture(media.path) as image:
            return to_rgb(image)
    except DECODE_ERRORS as error:
        raise ProcessingError(f"the stored picture {_named(media)} cannot be decoded") from error


def load_video(
    media: Media,
    *,
    count: int | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    shape: Callable[[Image.Image, int, int], Image.Image] | None = None,
) -> NDArray[np.uint8]:
    """Return the frames of a video: uint8, (T, H, W, 3), 0-255, RGB.

    Frames are converted one by one, so that no more than the result lies in memory.

    Args:
        media: A video or an animated picture.
        count: Frames wanted; None for all.
        size: Width and height, reached as ``shape`` does; None for the video's own.
        fps: Frames a second at which the result will play, to keep the video's own pace: then
            ``count`` frames are picked as ``resample_in_time`` does. None to spread the whole video
            over ``count`` frames, as ``resample`` does.
        shape: Makes a picture of that size, as ``cover``, ``place_on_black`` or ``within`` do;
        None for
            ``cover``.

    Raises:
        ProcessingError: when the file is no longer what was read.
    """
    try:
        with playing(media.path) as frames:
            shown = [(frame.start, frame.seconds) for frame in frames]
        if not shown:
            raise ProcessingError(f"the stored video {_named(media)} has no frames")
        starts = [start for start, _ in shown]
        # As many frames as were counted when it was read, whatever the limits were then.
        most = media.frames if media.frames > 1 else None
        line = timeline(starts, shown[-1][1], declared_rate(media.path), most=most)
        chosen = _chosen(len(line.picks), float(line.fps), count, fps)
        picks = tuple(line.picks[index] for index in chosen)
        return _collect(media, picks, size, shape or cover)
    except CLIP_ERRORS as error:
        raise ProcessingError(f"the stored video {_named(media)} cannot be decoded") from error


def _chosen(length: int, own: float, count: int | None, fps: float | None) -> Sequence[int]:
    if fps is not None:
        return real_time_indices(length, own, fps, count)
    return range(length) if count is None else even_indices(length, count)


def _collect(
    media: Media,
    picks: tuple[int, ...],
    size: tuple[int, int] | None,
    shape: Callable[[Image.Image, int, int], Image.Image],
) -> NDArray[np.uint8]:
    wanted: dict[int, list[int]] = {}
    for place, index in enumerate(picks):
        wanted.setdefault(index, []).append(place)
    result: NDArray[np.uint8] | None = None
    with playing(media.path) as frames:
        for index, frame in enumerate(frames):
            if index not in wanted:
                continue
            pixels = frame.pixels()
            if size is not None:
                pixels = np.asarray(shape(Image.fromarray(pixels), *size))
            if result is None:
                result = np.empty((len(picks), *pixels.shape), dtype=np.uint8)
            result[wanted[index]] = pixels
    assert result is not None, "picks names at least one frame"
    return result


def cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture that fills a size exactly: scaled evenly, its overhang cut off evenly.

    Args:
        image: RGB.
        width: Pixels of the result, at least 1.
        height: Pixels of the result, at least 1.
    """
    if image.size == (width, height):
        return image
    wide, tall = image.size
    scale = max(width / wide, height / tall)
    crop_w, crop_h = width / scale, height / scale
    left, top = (wide - crop_w) / 2, (tall - crop_h) / 2
    # Rounding must not put the box slightly outside of the picture.
    box = (max(left, 0.0), max(top, 0.0), min(left + crop_w, wide), min(top + crop_h, tall))
    # Lanczos keeps the thin lines of drawings; cropping and scaling in one step keeps half pixels.
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def contain(
    image: Image.Image, width: int, height: int, ground: tuple[int, int, int]
) -> Image.Image:
    """Return the whole picture, scaled evenly, in the middle of a plain one of exactly this size.

    Args:
        image: RGB.
        width: Pixels of the result, at least 1.
        height: Pixels of the result, at least 1.
        ground: What is around it, RGB.
    """
    scale = min(width / image.width, height / image.height)
    fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (width, height), ground)
    corner = ((width - fitted[0]) // 2, (height - fitted[1]) // 2)
    canvas.paste(image.resize(fitted, Image.Resampling.LANCZOS), corner)
    return canvas


def place_on_black(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the whole picture in the middle of a black one of exactly this size."""
    return contain(image, width, height, (0, 0, 0))


def within(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the whole picture, scaled evenly to fit into a size, without padding.

    Args:
        image: RGB.
        width: Most pixels of the result, at least 1.
        height: Most pixels of the result, at least 1.
    """
    scale = min(width / image.width, height / image.height)
    fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if image.size == fitted:
        return image
    return image.resize(fitted, Image.Resampling.LANCZOS)


def even_indices(length: int, count: int) -> list[int]:
    """Return ``count`` indices spread evenly over ``length`` frames, the first and last kept.

    Args:
        length: Frames that there are, at least 1.
        count: Frames that are wanted, at least 1; for 1 the first is taken.
    """
    if count == 1:
        return [0]
    # Rounds half up in whole numbers: the same on every machine.
    gaps = count - 1
    return [(2 * place * (length - 1) + gaps) // (2 * gaps) for place in range(count)]


def resample(frames: NDArray[Any], count: int) -> NDArray[Any]:
    """Return ``count`` frames picked evenly in time, the first and the last kept.

    Args:
        frames: (T, H, W, 3), at least one frame; any dtype.
        count: Frames wanted, at least 1; for 1 the first is taken.

    Returns:
        (count, H, W, 3); the same array when nothing is to be done.
    """
    if len(frames) == count:
        return frames
    return frames[even_indices(len(frames), count)]


def real_time_indices(
    length: int, source_fps: float, fps: float, count: int | None = None
) -> list[int]:
    """Return the indices of the frames that are shown at the times of another frame rate.

    Time ``i`` is ``i / fps`` seconds after the start; the frame is the one that is shown then.

    Args:
        length: Frames that there are, at least 1.
        source_fps: Frames a second of the video, more than 0.
        fps: Frames a second of the result, more than 0.
        count: Frames wanted, at least 1; the last one stays when the video is over before. None for
            as many as the video lasts.
    """
    own, wanted = Fraction(source_fps), Fraction(fps)
    if count is None:
        count = max(1, round(length * wanted / own))
    # Rates are rounded (29.97), so a time may lie just before the frame that begins there.
    step, hair = own / wanted, Fraction(1, 100)
    return [min(length - 1, math.floor(place * step + hair)) for place in range(count)]


def resample_in_time(
    frames: NDArray[Any], source_fps: float, fps: float, count: int | None = None
) -> NDArray[Any]:
    """Return frames of another rate that play as fast as before.

    Args:
        frames: (T, H, W, 3), at least one frame; any dtype.
        source_fps: Frames a second of these frames, more than 0.
        fps: Frames a second of the result, more than 0.
        count: As ``real_time_indices`` takes it.

    Returns:
        (count, H, W, 3).
    """
    return frames[real_time_indices(len(frames), source_fps, fps, count)]


def _named(media: Media) -> str:
    return repr(media.name) if media.name else f"{media.sha256[:12]}…"
