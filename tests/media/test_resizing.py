"""An mp4 at another width: the same frames, recipe and sound, and the source as it was."""

from pathlib import Path

import av
import numpy as np
import pytest
from tests.media.test_sound import RECIPE, heard, tone

from tiomagic_domain.errors import ValidationError
from tiomagic_media.encode.mp4 import read_embedded_recipe, write_mp4
from tiomagic_media.pictures.film import read_film
from tiomagic_media.pictures.maker import PictureMaker


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half red, half blue, with a tone."""
    frames = np.zeros((12, 32, 64, 3), np.uint8)
    frames[:, :, :32, 0] = frames[:, :, 32:, 2] = 200
    path = tmp_path / "clip.mp4"
    write_mp4(path, frames, fps=24, recipe=RECIPE, audio=tone(0.5), audio_rate=24_000)
    return path


def test_a_clip_is_enlarged_with_recipe_and_sound(clip: Path, tmp_path: Path) -> None:
    """Eight times as wide, its edge still hard, and it can be made again."""
    before = clip.read_bytes()
    made = PictureMaker().export(clip, tmp_path / "new" / "large.mp4", width=512)
    film = read_film(made)
    assert film.frames.shape == (12, 256, 512, 3)
    assert film.fps == 24
    assert film.frames[0, 128, 240, 0] > 150
    assert film.frames[0, 128, 272, 0] < 60
    assert read_embedded_recipe(made) == RECIPE
    assert np.abs(heard(made)).max() == pytest.approx(0.5, abs=0.1)
    assert clip.read_bytes() == before


def test_a_film_without_recipe_and_sound_stays_so(tmp_path: Path) -> None:
    """A width whose height would be odd gets one more row."""
    write_mp4(tmp_path / "a.mp4", np.zeros((3, 32, 64, 3), np.uint8), fps=8, recipe={})
    made = PictureMaker().export(tmp_path / "a.mp4", tmp_path / "b.mp4", width=50)
    assert read_film(made).frames.shape == (3, 26, 50, 3)
    with av.open(str(made)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("width", [-2, 0, 1, 33])
def test_a_width_that_h264_lacks_is_refused(clip: Path, tmp_path: Path, width: int) -> None:
    """Odd or too small: nothing is written."""
    with pytest.raises(ValidationError, match="even"):
        PictureMaker().export(clip, tmp_path / "b.mp4", width=width)
    assert not (tmp_path / "b.mp4").exists()
