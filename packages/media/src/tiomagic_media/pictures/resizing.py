"""Writes a finished mp4 anew at another width, with its recipe and its sound."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiomagic_domain.errors import ProcessingError, ValidationError
from tiomagic_media.decode.sound import read_sound, sound_form
from tiomagic_media.encode.mp4 import read_embedded_recipe, write_mp4
from tiomagic_media.pictures.film import Film, read_film

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_resized(video: Path, target: Path, *, width: int | None) -> Path:
    """Write a video as mp4, with the recipe and the sound that it has, and return the target.

    Args:
        video: The source; it stays as it is.
        target: The mp4, another file than the source; it is replaced.
        width: Pixels, an even number: H.264 halves the colour. The shape is kept; None for the
            video's own.

    Raises:
        ResourceNotFoundError: when there is no such file.
        ValidationError: when it is no video, or the width is odd or less than 2.
        ProcessingError: when it cannot be written.
    """
    if width is not None and (width < 2 or width % 2):
        raise ValidationError(f"the width must be an even number of pixels, not {width}")
    film = read_film(video)
    frames = _even(film.scaled(width))
    form = sound_form(video)
    sound = None if form is None else read_sound(video, form)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProcessingError(f"{str(target)!r} cannot be written: {error}") from error
    recipe = _recipe_of(video)
    write_mp4(
        target,
        frames,
        fps=film.fps,
        recipe=recipe,
        audio=sound,
        audio_rate=None if form is None else form.rate,
    )
    return target


def _even(film: Film) -> NDArray[np.uint8]:
    """Return frames of an even size; an odd last row or column is repeated."""
    height, width = film.frames.shape[1:3]
    return np.pad(film.frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _recipe_of(video: Path) -> dict[str, Any]:
    """Return the recipe inside a video; empty where it has none that this version reads."""
    # A recipe of another version must not keep a clip from being enlarged.
    with contextlib.suppress(ValidationError):
        return read_embedded_recipe(video)
    return {}
