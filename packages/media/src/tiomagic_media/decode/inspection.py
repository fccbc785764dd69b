"""Inspects an input file: is it the kind that is needed, is it whole, is it within the limits?

Content decides, never a name. The size is checked from the header, before anything is decoded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from PIL import Image

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media.decode.clips import CLIP_ERRORS, is_animated, playing
from tiomagic_media.decode.file_kinds import describe_content, picture_in_boxes
from tiomagic_media.decode.images import (
    DECODE_ERRORS,
    FORMATS,
    decode_picture,
    has_known_white,
    open_picture,
)
from tiomagic_media.decode.structure.boxes import ClaimError
from tiomagic_media.decode.structure.jpeg import count_scans
from tiomagic_media.decode.timing import timeline
from tiomagic_media.decode.videos import DamagedVideoError, VideoHeader, read_video_header
from tiomagic_media.limits import MediaLimits

_ORIENTATION = 0x0112
"""The EXIF tag; 5 to 8 mean that width and height are swapped."""

_PICTURES = {
    "PNG": ("png", "image/png"),
    "JPEG": ("jpg", "image/jpeg"),
    "MPO": ("jpg", "image/jpeg"),
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
    "BMP": ("bmp", "image/bmp"),
    "TIFF": ("tif", "image/tiff"),
    "AVIF": ("avif", "image/avif"),
    "HEIF": ("heic", "image/heic"),
}
_VIDEOS = {
    "mov": ("mp4", "video/mp4"),
    "matroska": ("mkv", "video/x-matroska"),
    "avi": ("avi", "video/x-msvideo"),
    "mpeg": ("mpg", "video/mpeg"),
    "mpegts": ("ts", "video/mp2t"),
    "flv": ("flv", "video/x-flv"),
    "ogg": ("ogv", "video/ogg"),
    "asf": ("wmv", "video/x-ms-asf"),
}
_NAMES = {"MPO": "JPEG", "HEIF": "HEIC"}
"""Common names of formats, where Pillow uses another."""
_READ = ", ".join(_NAMES.get(name, name) for name in FORMATS if name != "MPO")

_MAX_PIXELS_PER_BYTE = 512
"""In a JPEG, a block of 8x8 pixels takes one bit or more."""

_MAX_FPS = 1000
"""Frames a second. Cameras for slow motion declare 240, a few 960."""

_INTERLACED = "interlaced; each frame was made whole from its two halves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of an inspected file."""

    extension: str
    """Without the dot; follows the content."""
    media_type: str
    """IANA media type."""
    width: int
    """Pixels, upright."""
    height: int
    """Pixels, upright."""
    frames: int = 1
    """Frames when played at ``fps``; 1 for a picture."""
    fps: float | None = None
    """Frames a second; None for a picture."""
    notes: tuple[str, ...] = ()
    """What was changed to make it usable, in words."""


def inspect_media(path: Path, kind: MediaKind, limits: MediaLimits) -> Facts:
    """Return what a file is, having decoded all of it.

    Raises:
        ValidationError: when it is something else, damaged, or beyond the limits.
    """
    if kind is MediaKind.IMAGE:
        return _inspect_picture(path, limits)
    return _inspect_video(path, limits)


def _inspect_picture(path: Path, limits: MediaLimits) -> Facts:
    try:
        with open_picture(path) as image:
            _check_pixels(image.size, limits.image_pixels, "picture")
            _check_scans(path, image, limits)
            width, height = _decoded_size(image)
            extension, media_type = _PICTURES[image.format or ""]
    except ValidationError:
        raise
    except Image.DecompressionBombError as error:
        _refuse(
            f"this picture claims to have more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; "
            f"at most {limits.image_pixels:,} are read",
            ErrorCode.TOO_LARGE,
            error,
        )
    except DECODE_ERRORS as error:
        _refuse(f"{_found(path)}; {_READ} pictures are read", ErrorCode.NOT_AN_IMAGE, error)
    return Facts(extension=extension, media_type=media_type, width=width, height=height)


def _decoded_size(image: Image.Image) -> tuple[int, int]:
    try:
        image = decode_picture(image)
        turned = image.getexif().get(_ORIENTATION, 1) in range(5, 9)
    except DECODE_ERRORS as error:
        _refuse(f"this {_name(image)} picture is damaged or cut off", ErrorCode.DAMAGED, error)
    if not has_known_white(image):
        raise ValidationError(
            f"this picture has {'floating point' if image.mode == 'F' else 'signed or 32-bit'} "
            "pixels, and nothing says which number is white; save it with 8 or 16 bits",
            code=ErrorCode.NOT_AN_IMAGE,
        )
    width, height = image.size
    return (height, width) if turned else (width, height)


def _name(image: Image.Image) -> str:
    return _NAMES.get(str(image.format), str(image.format))


def _check_scans(path: Path, image: Image.Image, limits: MediaLimits) -> None:
    if image.format not in ("JPEG", "MPO"):
        return
    scans, pixels, size = count_scans(path), image.width * image.height, path.stat().st_size
    # After an end marker that comes too early, the decoder fills the rest with grey.
    if pixels > _MAX_PIXELS_PER_BYTE * size:
        raise ValidationError(
            f"this JPEG picture is damaged: it claims to be {image.width}x{image.height}, more "
            f"than its {size:,} bytes can hold",
            code=ErrorCode.DAMAGED,
        )
    if scans > limits.image_scans or scans * pixels > limits.image_scanned_pixels:
        raise ValidationError(
            f"this JPEG picture of {image.width}x{image.height} goes through its pixels {scans:,} "
            "times, which no camera or program does; save it anew",
            code=ErrorCode.TOO_LARGE,
        )


def _found(path: Path) -> str:
    try:
        header = None if picture_in_boxes(path) else read_video_header(path)
    except CLIP_ERRORS:
        header = None
    if header is None:
        return f"this is {_not_the(describe_content(path), 'picture')}"
    return f"this is {'a sound' if header.width is None else 'a video'}, not a picture"


def _not_the(found: str, wanted: str) -> str:
    # Avoids "a damaged PNG picture, not a picture".
    return found if wanted in found else f"{found}, not a {wanted}"


def _inspect_video(path: Path, limits: MediaLimits) -> Facts:
    extension, media_type, rate = _animation_type(path, limits) or _video_header(path, limits)
    played = _play(path, limits)
    if not played.starts:
        raise ValidationError("this video has no frames", code=ErrorCode.NO_FRAMES)
    count, pixels = len(played.starts), played.width * played.height
    # The last frame may declare a duration of years.
    _check_length(count, played.starts[-1] + played.last_seconds, pixels, limits)
    if count > 1 and played.starts[-1] <= 0:
        raise ValidationError(
            f"this video cannot be used: all its {count} frames claim the same time",
            code=ErrorCode.DAMAGED,
        )
    # The limits apply to the frames of the file. A grid for uneven times keeps to them anyway.
    most = max(count, min(limits.video_frames, limits.video_total_pixels // pixels))
    times = timeline(played.starts, played.last_seconds, rate, most=most)
    if times.fps > _MAX_FPS:
        raise ValidationError(
            f"this video claims to play {float(times.fps):,.0f} frames a second; at most "
            f"{_MAX_FPS:,} are read",
            code=ErrorCode.DAMAGED,
        )
    return Facts(
        extension=extension,
        media_type=media_type,
        width=played.width,
        height=played.height,
        frames=len(times.picks),
        fps=float(times.fps),
        notes=(_INTERLACED,) if played.was_interlaced else (),
    )


@dataclass(slots=True)
class _Played:
    width: int = 0
    height: int = 0
    starts: list[float] = field(default_factory=list)
    last_seconds: float = 0.0
    was_interlaced: bool = False


def _play(path: Path, limits: MediaLimits) -> _Played:
    played = _Played()
    try:
        with playing(path, _within(limits.decode_seconds)) as frames:
            for frame in frames:
                if not played.starts:
                    played.width, played.height = frame.size
                    _check_pixels(frame.size, limits.video_pixels, "video")
                    frame.pixels()  # Finds colours that cannot be converted.
                played.starts.append(frame.start)
                played.last_seconds = frame.seconds
                played.was_interlaced = frame.was_interlaced
                pixels = played.width * played.height
                _check_length(len(played.starts), frame.start, pixels, limits)
    except ValidationError:
        raise
    except DamagedVideoError as error:
        _refuse(f"this video cannot be used: {error}", ErrorCode.DAMAGED, error)
    except CLIP_ERRORS as error:
        _refuse(
            f"this video is damaged after {len(played.starts)} frames", ErrorCode.DAMAGED, error
        )
    return played


def _within(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def moment() -> None:
        if time.monotonic() > end:
            raise ValidationError(
                f"looking through this video takes longer than {seconds:g} seconds; cut it "
                "shorter or make it smaller",
                code=ErrorCode.TOO_SLOW,
            )

    return moment


_Kind = tuple[str, str, Fraction | None]
"""Extension, media type, and the frame rate that the header declares."""


def _animation_type(path: Path, limits: MediaLimits) -> _Kind | None:
    # None when it is no picture at all.
    try:
        with open_picture(path) as image:
            if not is_animated(image):
                raise ValidationError(
                    f"this is a {_name(image)} picture that does not move; a video is needed",
                    code=ErrorCode.NOT_A_VIDEO,
                )
            _check_pixels(image.size, limits.video_pixels, "animation")
            return (*_PICTURES[image.format or ""], None)
    except ValidationError:
        raise
    except Image.DecompressionBombError as error:
        _refuse(
            "this is a picture with far too many pixels; a video is needed",
            ErrorCode.TOO_LARGE,
            error,
        )
    except DECODE_ERRORS:
        return None


def _video_header(path: Path, limits: MediaLimits) -> _Kind:
    header = _checked_header(path)
    if header.is_coded_strangely:
        raise ValidationError(
            "this video is coded in a way that is not known here; save it as H.264 in an mp4",
            code=ErrorCode.UNKNOWN_CODEC,
        )
    if header.width is None or header.height is None:
        raise ValidationError(
            "this is a sound without pictures; a video is needed", code=ErrorCode.NO_VIDEO
        )
    _check_pixels((header.width, header.height), limits.video_pixels, "video")
    if header.seconds is not None and header.seconds > limits.video_seconds + 1:
        raise _too_long(header.seconds, limits)
    return (*_video_type(header, path), header.rate)


def _checked_header(path: Path) -> VideoHeader:
    if picture_in_boxes(path):
        raise ValidationError(
            f"this is {describe_content(path)}; a video is needed", code=ErrorCode.NOT_A_VIDEO
        )
    try:
        return read_video_header(path)
    except ClaimError as error:
        _refuse(f"this video cannot be used: {error}", ErrorCode.DAMAGED, error)
    except CLIP_ERRORS as error:
        _refuse(
            f"this is {_not_the(describe_content(path), 'video')}; mp4, mov, mkv, "
            f"webm and avi are read, "
            "and animated GIF and WebP",
            ErrorCode.NOT_A_VIDEO,
            error,
        )


def _video_type(header: VideoHeader, path: Path) -> tuple[str, str]:
    first = header.container.split(",")[0]
    if first == "mov" and header.brand.startswith("qt"):
        return "mov", "video/quicktime"
    if first == "matroska":
        with path.open("rb") as file:
            if b"webm" in file.read(64):
                return "webm", "video/webm"
    return _VIDEOS[first]


def _check_pixels(size: tuple[int, int], limit: int, what: str) -> None:
    width, height = size
    if width * height > limit:
        raise ValidationError(
            f"this {what} is {width}x{height}, that is {width * height:,} pixels; "
            f"at most {limit:,} are read",
            code=ErrorCode.TOO_LARGE,
        )


def _check_length(frames: int, seconds: float, pixels: int, limits: MediaLimits) -> None:
    if seconds > limits.video_seconds:
        raise _too_long(seconds, limits)
    if frames > limits.video_frames:
        raise ValidationError(
            f"this video has more than {limits.video_frames} frames; cut it shorter",
            code=ErrorCode.TOO_LONG,
        )
    if frames * pixels > limits.video_total_pixels:
        raise ValidationError(
            f"this video has more than {limits.video_total_pixels:,} pixels in all its frames; "
            "cut it shorter or make it smaller",
            code=ErrorCode.TOO_LARGE,
        )


def _too_long(seconds: float, limits: MediaLimits) -> ValidationError:
    return ValidationError(
        f"this video plays {seconds:.1f} seconds or more; at most {limits.video_seconds:g} are "
        "read: cut it shorter",
        code=ErrorCode.TOO_LONG,
    )


def _refuse(message: str, code: ErrorCode, cause: Exception) -> NoReturn:
    raise ValidationError(message, code=code) from cause
