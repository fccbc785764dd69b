"""What is joined: which frames, at which rate and size, with which sound, and how the seam is."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.conftest import as_media
from tests.media.test_sound import heard, tone

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.media import Media
from tiomagic_domain.testing import VideoJoinerContract
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.joining.joiner import LocalVideoJoiner
from tiomagic_media.joining.seam import SteppedFrames, measure_loop, step_rmse
from tiomagic_media.pictures.film import Film, read_film

STEP = 4
"""Grey levels from one frame to the next."""


def greys(values: list[int], size: tuple[int, int] = (64, 32)) -> NDArray[np.uint8]:
    """Frames of one grey each."""
    shape = (len(values), size[1], size[0], 3)
    levels = np.array(values, np.uint8)[:, None, None, None]
    return np.ascontiguousarray(np.broadcast_to(levels, shape))


def levels_of(film: Film) -> list[int]:
    """The grey of each frame, in steps: the encoder is off by one or two levels."""
    return [round(float(frame.mean()) / STEP) for frame in film.frames]


def write(
    path: Path,
    steps: range | list[int],
    *,
    fps: int = 16,
    size: tuple[int, int] = (64, 32),
    sound: float = 0.0,
) -> Path:
    """Write a video whose frames have these greys, with a tone of so many seconds."""
    audio = tone(sound) if sound else None
    rate = 24_000 if sound else None
    frames = greys([STEP * step for step in steps], size)
    write_mp4(path, frames, fps=fps, recipe={}, audio=audio, audio_rate=rate)
    return path


@pytest.fixture
def joiner() -> LocalVideoJoiner:
    """The joiner."""
    return LocalVideoJoiner()


class TestLocalVideoJoiner(VideoJoinerContract):
    """The joiner keeps the contract."""

    @pytest.fixture
    def joiner(self) -> LocalVideoJoiner:
        """The joiner."""
        return LocalVideoJoiner()

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Media:
        """Eight frames, half a second."""
        return as_media(write(tmp_path / "clip.mp4", range(8)))


def test_the_parts_follow_each_other_without_a_doubled_frame(
    joiner: LocalVideoJoiner, tmp_path: Path
) -> None:
    """The second begins with the last two frames of the first; each grey is there once."""
    before, after = write(tmp_path / "a.mp4", range(8)), write(tmp_path / "b.mp4", range(6, 14))
    joined = joiner.join(before, after, tmp_path / "c.mp4", skip=2)
    film = read_film(tmp_path / "c.mp4")
    assert levels_of(film) == list(range(14))
    assert (joined.frames, joined.fps, film.fps) == (14, 16, 16)
    assert joined.seam.frame == 8
    assert joined.seam.ratio == pytest.approx(1.0, abs=0.3)
    assert joined.notes == ()


def test_the_new_part_takes_the_rate_of_the_old_one_and_keeps_its_pace(
    joiner: LocalVideoJoiner, tmp_path: Path
) -> None:
    """Half a second at 8 frames a second is half a second at 16: each frame is shown twice."""
    before = write(tmp_path / "a.mp4", range(8), fps=16)
    after = write(tmp_path / "b.mp4", range(8, 12), fps=8)
    joined = joiner.join(before, after, tmp_path / "c.mp4", skip=0)
    film = read_film(tmp_path / "c.mp4")
    assert film.fps == Fraction(16)
    assert levels_of(film) == [*range(8), 8, 8, 9, 9, 10, 10, 11, 11]
    # A frame that is shown again is no step without motion.
    assert joined.seam.median_step_rmse == pytest.approx(STEP, abs=1)


def test_the_old_part_takes_the_size_of_the_new_one(
    joiner: LocalVideoJoiner, tmp_path: Path
) -> None:
    """Scaled and cropped as the model's picture was."""
    before = write(tmp_path / "a.mp4", range(4), size=(128, 96))
    after = write(tmp_path / "b.mp4", range(4, 8))
    joined = joiner.join(before, after, tmp_path / "c.mp4", skip=0)
    assert read_film(tmp_path / "c.mp4").frames.shape == (8, 32, 64, 3)
    assert (joined.width, joined.height) == (64, 32)


@pytest.mark.parametrize(
    ("before_s", "after_s", "loud", "note"),
    [
        (0.5, 0.0, (True, False), "the new part is silent"),
        (0.0, 0.5, (False, True), "the sound begins with the new part"),
        (0.5, 0.5, (True, True), None),
        (0.0, 0.0, None, None),
    ],
)
def test_sound_is_where_it_was(
    joiner: LocalVideoJoiner,
    tmp_path: Path,
    before_s: float,
    after_s: float,
    loud: tuple[bool, bool] | None,
    note: str | None,
) -> None:
    """A part without sound is silent beside one with sound, and a note says so."""
    before = write(tmp_path / "a.mp4", range(8), sound=before_s)
    after = write(tmp_path / "b.mp4", range(8, 16), sound=after_s)
    joined = joiner.join(before, after, tmp_path / "c.mp4", skip=0)
    assert [note in said for said in joined.notes] == ([True] if note else [])
    if loud is None:
        return
    sound = np.abs(heard(tmp_path / "c.mp4"))
    middle, quarter = len(sound) // 2, len(sound) // 4
    halves = sound[quarter // 2 : middle - quarter // 2], sound[middle + quarter // 2 :]
    assert tuple(bool(half.max() > 0.1) for half in halves) == loud


def test_the_ending_is_at_the_pace_of_the_model(joiner: LocalVideoJoiner, tmp_path: Path) -> None:
    """Three frames at 8 a second of a video of 16: each second one, up to the last."""
    clip = as_media(write(tmp_path / "a.mp4", range(12)))
    ending = joiner.read_ending(clip, count=3, fps=8)
    frames = np.stack([np.asarray(picture) for picture in ending])
    assert levels_of(Film(frames=frames, fps=Fraction(8))) == [7, 9, 11]


def test_a_loop_loses_its_last_frame(joiner: LocalVideoJoiner, tmp_path: Path) -> None:
    """Up and down again: the last frame is the first one, and the seam is a step as any other."""
    video = write(tmp_path / "a.mp4", [0, 1, 2, 3, 2, 1, 0], sound=0.4)
    joined = joiner.close_loop(video, tmp_path / "b.mp4")
    assert levels_of(read_film(tmp_path / "b.mp4")) == [0, 1, 2, 3, 2, 1]
    assert joined.seam.frame == 0
    assert joined.seam.ratio == pytest.approx(1.0, abs=0.3)


def test_nothing_new_is_an_error(joiner: LocalVideoJoiner, tmp_path: Path) -> None:
    """A part that has only what is there already."""
    video = write(tmp_path / "a.mp4", range(4))
    with pytest.raises(ProcessingError, match="no frame after the first 4"):
        joiner.join(video, video, tmp_path / "b.mp4", skip=4)


def test_a_step_is_the_root_mean_square_error() -> None:
    """Half of the pixels differ by 6, so the mean square is 18."""
    one = np.zeros((2, 2, 3), np.uint8)
    other = one.copy()
    other[0] = 6
    assert step_rmse(one, other) == pytest.approx(18**0.5)


def test_a_seam_is_measured_against_the_median_step() -> None:
    """Steps of 2, 2 and 8, and a seam of 5 that is none of them."""
    passed = SteppedFrames()
    for level, after in ((10, False), (12, False), (17, True), (19, False), (27, False)):
        passed.add(greys([level])[0], after_seam=after)
    seam = passed.seam_at(2)
    assert (seam.frame, seam.rmse, seam.median_step_rmse, seam.ratio) == (2, 5.0, 2.0, 2.5)


def test_a_loop_is_measured_from_its_last_frame_to_its_first() -> None:
    """Steps of 2, 2, 2, and 6 to begin anew."""
    seam = measure_loop(greys([10, 12, 14, 16]))
    assert (seam.frame, seam.rmse, seam.median_step_rmse, seam.ratio) == (0, 6.0, 2.0, 3.0)
