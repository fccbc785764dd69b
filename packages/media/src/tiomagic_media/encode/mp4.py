"""Writes the finished mp4: H.264, sound if there is any, and the recipe in the metadata."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    GenerationError,
    ProcessingError,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.files.json_documents import read_json
from tiomagic_domain.files.replacing import hidden_name_beside, move_into_place
from tiomagic_domain.jobs import recipe as recipes
from tiomagic_domain.text import make_data_storable
from tiomagic_media.decode.structure.boxes import ClaimError
from tiomagic_media.decode.videos import open_video
from tiomagic_media.encode.sound import SoundTrack, check_sound

RECIPE_KEYS = ("tiomagic", "comment")
"""Metadata keys of the recipe. The first is ours; the second is the one that editing programs
keep when they write the file anew."""

_ENCODER = {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"}
"""Measured on 81 frames of 832x480, drawn shapes with outlines moving over a grainy background
(PSNR over RGB / size), with macroblock tree CRF 17: 32.4 dB / 1.19 MB; without it CRF 17: 32.5 /
1.64, 18: 32.4 / 1.10, 19: 32.3 / 0.79, 20: 32.2 / 0.60. Halved colour and grain set the bound; from
17 to 20 the grain goes, which is where a person sees it. The preset slow gives 0.01 dB more for
three times the time; tune=animation gives 0.2 dB more and less SSIM, because it smooths what the
model drew.

Macroblock tree is off because its AVX-512 code in x264 reads uninitialised memory: of 600 encodings
of the same 17 frames of 160x96, 1 to 2 % had other bits, and none with it off or without
AVX-512."""

_THREADS = 4
"""The encoder's result depends on the number of threads; a fixed number makes it repeatable."""

Frame = NDArray[Any]


def to_uint8(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Return frames with 8 bits a channel.

    Args:
        frames: (…, H, W, 3); uint8, which is returned as it is, or float with 0.0-1.0, which is
            rounded to the nearest of 256 levels and clipped.

    Raises:
        GenerationError: when a value is not a number or infinite: the model has failed, and a black
            video would hide it.
    """
    if frames.dtype == np.uint8:
        return frames
    if not np.issubdtype(frames.dtype, np.floating):
        raise ProcessingError(f"frames must be uint8 or float, not {frames.dtype}")
    result = np.empty(frames.shape, dtype=np.uint8)
    # Frame by frame, so that no second float copy of the clip is made.
    flat = frames if frames.ndim > 3 else frames[np.newaxis]
    target = result if frames.ndim > 3 else result[np.newaxis]
    for index, frame in enumerate(flat):
        if not np.isfinite(frame).all():
            raise GenerationError(
                f"the model gave values that are not numbers in frame {index}",
                details={"frame": index},
                code=ErrorCode.NOT_FINITE,
            )
        scaled = np.clip(frame, 0.0, 1.0).astype(np.float64, copy=False) * 255.0
        target[index] = np.floor(scaled + 0.5)
    return result


class Mp4:
    """Encodes frames as they arrive, and writes the file when its recipe is known.

    The encoded frames stay in memory, a few MB for a clip: the recipe comes before them in the file
        and may say how they were made. Nothing is on the disk until ``write``. Not thread-safe.

    Args:
        path: Where to; a file that is there is replaced.
        fps: Frames a second, more than 0.
    """

    def __init__(self, path: Path, *, fps: float | Fraction) -> None:
        self._path = path
        self._part = hidden_name_beside(path)
        self._fps = Fraction(fps).limit_denominator(100_000)
        # The container creates the file at its first packet.
        self._container = av.open(str(self._part), "w", format="mp4", options=_options(self._fps))
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._packets: list[Any] = []
        self._count = 0

    def add(self, frame: Frame) -> None:
        """Encode the next frame.

        Args:
            frame: (H, W, 3); what ``to_uint8`` takes. Width and height are even.

        Raises:
            GenerationError: when a value is not a number.
            ProcessingError: when the size is odd or not that of the first frame, or the encoder
                fails.
        """
        height, width = _size(frame)
        if self._stream is None:
            self._stream = _add_stream(self._container, width, height, self._fps)
            self._shape = frame.shape
        elif frame.shape != self._shape:
            raise ProcessingError(f"frame {self._count} is {frame.shape}, not {self._shape}")
        pixels = _checked(frame, self._count)
        with _translate_encoder_errors():
            self._packets += self._stream.encode(_to_yuv(pixels, self._count, self._fps))
        self._count += 1

    def write(
        self,
        recipe: Mapping[str, Any],
        *,
        audio: NDArray[Any] | None = None,
        audio_rate: int | None = None,
    ) -> None:
        """Write the file, whole or not at all. Once; nothing can be added afterwards.

        Args:
            recipe: As ``write_mp4`` takes it, like the others.
            audio: None for a silent video.
            audio_rate: Samples of the audio a second; needed with audio.

        Raises:
            GenerationError: when there is no frame, or a value of the sound is not a number.
            ProcessingError: when the file cannot be written.
        """
        if self._stream is None:
            raise GenerationError("the model gave no frames", code=ErrorCode.NO_FRAMES)
        text = json.dumps(
            make_data_storable(recipe), ensure_ascii=False, sort_keys=True, allow_nan=False
        )
        try:
            with _translate_encoder_errors():
                self._packets += self._stream.encode(None)
                with self._container as container:
                    for key in RECIPE_KEYS if recipe else ():
                        container.metadata[key] = text
                    sound = None
                    if audio is not None and audio_rate is not None:
                        sound = SoundTrack(container, audio, audio_rate)
                    container.mux(self._packets)
                    if sound is not None:
                        sound.write(seconds=self._count / self._fps)
                move_into_place(self._part, self._path)
        finally:
            # The error above matters more than a temporary file that cannot be removed.
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the encoder and its packets; what is not written yet is lost."""
        self._container.close()
        self._stream = None
        self._packets.clear()


def write_mp4(
    path: Path,
    frames: Iterable[Frame],
    *,
    fps: float | Fraction,
    recipe: Mapping[str, Any],
    audio: NDArray[Any] | None = None,
    audio_rate: int | None = None,
) -> None:
    """Write a video from finished frames, whole or not at all.

    Args:
        path: Where to; a file that is there is replaced.
        frames: (T, H, W, 3) or one (H, W, 3) after the other; what ``to_uint8`` takes. Width and
            height are even.
        fps: Frames a second, more than 0.
        recipe: Plain data, put into the file's metadata; empty for none.
        audio: float, (samples, 1 or 2 channels), -1.0 to 1.0; None for a silent video. It is made
            exactly as long as the frames: the end is cut off, or silence is added.
        audio_rate: Samples of the audio a second; needed with audio.

    Raises:
        GenerationError: when there is no frame, or a value is not a number.
        ProcessingError: when the size is odd or changes, or the file cannot be written.
    """
    if audio is not None:
        # Checked before hours of frames are encoded.
        check_sound(audio)
    with contextlib.closing(Mp4(path, fps=fps)) as video:
        for frame in frames:
            video.add(frame)
        video.write(recipe, audio=audio, audio_rate=audio_rate)


@contextlib.contextmanager
def _translate_encoder_errors() -> Iterator[None]:
    """Translate errors of the encoder and the disk."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        raise ProcessingError(f"the video cannot be written: {error}") from error


def _options(fps: Fraction) -> dict[str, str]:
    # With this clock a frame is a whole number of ticks, so every duration is exact; the default is
    # milliseconds.
    clock = str(fps.numerator * math.ceil(10_000 / fps.numerator))
    return {
        # faststart puts the index first, so that a browser plays before the download ends.
        "movflags": "+faststart+use_metadata_tags",
        "fflags": "+bitexact",
        "movie_timescale": clock,
        "video_track_timescale": clock,
    }


def _checked(frame: Frame, index: int) -> NDArray[np.uint8]:
    try:
        return to_uint8(frame)
    except GenerationError as error:
        raise GenerationError(
            f"the model gave values that are not numbers in frame {index}",
            details={"frame": index},
            code=error.code,
        ) from error


def _size(frame: Frame) -> tuple[int, int]:
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ProcessingError(f"a frame must be (height, width, 3), not {frame.shape}")
    height, width = frame.shape[:2]
    if height % 2 or width % 2 or not height or not width:
        raise ProcessingError(f"an mp4 needs an even width and height, not {width}x{height}")
    return height, width


def _add_stream(container: Any, width: int, height: int, fps: Fraction) -> Any:
    stream = container.add_stream("libx264", rate=fps, options=_ENCODER)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = 1 / fps
    context = stream.codec_context
    context.time_base = 1 / fps
    context.thread_count = _THREADS
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = 1  # AVCOL_SPC_BT709
    context.color_range = ColorRange.MPEG
    return stream


def _to_yuv(pixels: NDArray[np.uint8], index: int, fps: Fraction) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INP,
    )
    frame.pts, frame.time_base = index, 1 / fps
    return frame


def read_embedded_recipe(path: Path) -> dict[str, Any]:
    """Return the recipe inside a video.

    Raises:
        ResourceNotFoundError: when there is no such file.
        ValidationError: when it is not a video, or has no recipe that this version reads.
    """
    try:
        with open_video(path) as container:
            metadata = dict(container.metadata)
    except FileNotFoundError as error:
        raise ResourceNotFoundError(f"there is no file {str(path)!r}") from error
    except (OSError, av.FFmpegError, ClaimError) as error:
        raise ValidationError(
            f"{path.name!r} is not a video", code=ErrorCode.NOT_A_VIDEO
        ) from error
    for key in RECIPE_KEYS:
        text = metadata.get(key, "")
        # A comment of another program is not an error, only not a recipe; one that is too large is.
        if "tiomagic_recipe" in text:
            return recipes.read_recipe(read_json(text, f"the recipe in {path.name!r}"))
    raise ValidationError(
        f"{path.name!r} has no recipe of tiomagic inside", code=ErrorCode.NO_RECIPE
    )
