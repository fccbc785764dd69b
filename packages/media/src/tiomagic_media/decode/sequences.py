"""Videos that are given as their frames: a folder, a pattern, a list, or one array.

They become one lossless file (FFV1 in Matroska), which is then read and kept as any other video.
The same frames give the same bytes.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_media.limits import MediaLimits

if TYPE_CHECKING:
    from PIL import Image

FPS = 24
"""Frames a second of a sequence, which declares none: the rate of drawn animation."""

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
"""Extensions of the files of a folder that count as frames; their content decides the decoder."""

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_DIGITS = re.compile(r"(\d+)")
_CHUNK = 1 << 20

Fetch = Callable[[object], Iterable[bytes]]
"""Gives the bytes of one frame from a path, an address, bytes, or any source of a picture."""


def frames_in(path: Path) -> list[Path] | None:
    """Return the frames that a folder or a pattern such as ``frame_%04d.png`` stands for.

    They come in the order of the numbers in their names: 9 before 10.

    Returns:
        None when the path is neither.

    Raises:
        ValidationError: when there are no frames, or one in the middle is missing.
    """
    if path.is_dir():
        found = [entry for entry in path.iterdir() if _is_frame(entry)]
        if not found:
            raise ValidationError(
                f"the folder {str(path)!r} has no pictures in it; the frames of a video are files "
                "such as frame_0001.png",
                code=ErrorCode.NO_FRAMES,
            )
        return sorted(found, key=lambda entry: _in_order(entry.name))
    pattern = _NUMBER.search(path.name)
    if pattern is None or path.exists():
        return None
    return _numbered(path, pattern)


def _is_frame(entry: Path) -> bool:
    hidden = entry.name.startswith(".")
    return not hidden and entry.suffix.lower() in ENDINGS and entry.is_file()


def _in_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    parts = [part for part in _DIGITS.split(name) if part]
    key = [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p.lower()) for p in parts]
    return key, name


def _numbered(path: Path, pattern: re.Match[str]) -> list[Path]:
    before, after = path.name[: pattern.start()], path.name[pattern.end() :]
    width = int(pattern[1] or 0)
    name = re.compile(f"{re.escape(before)}(\\d+){re.escape(after)}")
    found: dict[int, Path] = {}
    if path.parent.is_dir():
        for entry in path.parent.iterdir():
            match = name.fullmatch(entry.name)
            if match and len(match[1]) == max(width, len(str(int(match[1])))):
                found[int(match[1])] = entry
    if not found:
        raise ValidationError(
            f"there is no file that {str(path)!r} stands for, such as {before}{1:0{width}d}{after}",
            code=ErrorCode.NOT_FOUND,
        )
    numbers = sorted(found)
    for one, following in pairwise(numbers):
        if following != one + 1:
            missing = f"{before}{one + 1:0{width}d}{after}"
            raise ValidationError(
                f"the frame {missing!r} is missing between {found[one].name!r} and "
                f"{found[following].name!r}",
                code=ErrorCode.NOT_FOUND,
            )
    return [found[number] for number in numbers]


def is_array(source: object) -> bool:
    """Say whether something is an array of frames: (T, H, W) or (T, H, W, channels)."""
    return hasattr(source, "__array_interface__") and len(getattr(source, "shape", ())) in (3, 4)


def write_sequence(frames: Sequence[Any], fetch: Fetch, limits: MediaLimits) -> Iterator[bytes]:
    """Yield the bytes of a lossless video.

    Args:
        frames: Each one any source of a picture, or an array: uint8, (H, W), (H, W, 3) or (H, W,
            4), 0-255, RGB.
        fetch: Gives the bytes of a frame that is neither an array nor a PIL image.
        limits: Bounds on the sizes and the number.

    Raises:
        ValidationError: when a frame is no picture, has another size than the first, or there are
            too many; the message says which.
    """
    if not len(frames):
        raise ValidationError("there are no frames in it", code=ErrorCode.NO_FRAMES)
    if len(frames) > limits.video_frames:
        raise ValidationError(
            f"there are {len(frames):,} frames in it; at most {limits.video_frames:,} are read",
            code=ErrorCode.TOO_LONG,
        )
    with tempfile.TemporaryFile() as file:
        _encode(file, _pictures(frames, fetch, limits), limits)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk


def _pictures(frames: Sequence[Any], fetch: Fetch, limits: MediaLimits) -> Iterator[Image.Image]:
    size: tuple[int, int] | None = None
    for index, frame in enumerate(frames):
        try:
            picture = _picture(frame, fetch, limits)
        except ValidationError as error:
            code = error.code
            raise ValidationError(f"frame {index}: {error.message}", code=code) from error
        size = size or picture.size
        if picture.size != size:
            raise ValidationError(
                f"frame {index} is {picture.width}x{picture.height}, and the first is "
                f"{size[0]}x{size[1]}: all frames of a video have one size",
                code=ErrorCode.SIZE_CHANGES,
            )
        yield picture


def _picture(frame: Any, fetch: Fetch, limits: MediaLimits) -> Image.Image:
    from PIL import Image  # Heavy.

    from tiomagic_media.decode.images import DECODE_ERRORS, open_picture, to_rgb  # Heavy.

    try:
        if isinstance(frame, Image.Image):
            return to_rgb(frame)
        if hasattr(frame, "__array_interface__"):
            return to_rgb(_from_array(frame))
        with open_picture(cast("BinaryIO", io.BytesIO(b"".join(fetch(frame))))) as image:
            if image.width * image.height > limits.video_pixels:
                raise ValidationError(
                    f"this picture is {image.width}x{image.height}; frames of a video have at "
                    f"most {limits.video_pixels:,} pixels",
                    code=ErrorCode.TOO_LARGE,
                )
            return to_rgb(image)
    except ValidationError:
        raise
    except DECODE_ERRORS as error:
        raise ValidationError(
            "this is not a picture, or a damaged one", code=ErrorCode.DAMAGED
        ) from error


def _from_array(array: Any) -> Image.Image:
    from PIL import Image  # Heavy.

    shape, dtype = tuple(array.shape), str(array.dtype)
    if dtype != "uint8" or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))):
        raise ValidationError(
            f"an array of {dtype} with the shape {shape} is not a frame: it has to be uint8, "
            "(height, width, 3), 0 to 255, RGB",
            code=ErrorCode.NOT_A_FRAME,
        )
    return Image.fromarray(array)


def _encode(file: Any, pictures: Iterator[Image.Image], limits: MediaLimits) -> None:
    import av  # Heavy.
    import numpy as np  # Heavy.

    with av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("ffv1", rate=FPS)
        stream.pix_fmt = "bgr0"
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.width, stream.height = picture.size
                stream.codec_context.options = {"flags": "+bitexact"}
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            _check_size(file, limits)
        container.mux(stream.encode(None))
    # What comes last is written when the file is closed.
    _check_size(file, limits)


def _check_size(file: Any, limits: MediaLimits) -> None:
    if os.fstat(file.fileno()).st_size > limits.bytes:
        raise ValidationError(
            f"its frames take more than {limits.bytes:,} bytes, the most that is read",
            code=ErrorCode.TOO_LARGE,
        )
