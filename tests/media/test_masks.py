"""Masks of videos: what counts as white, and one picture in place of a video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ProcessingError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeClock, MaskReaderContract
from tiomagic_media.decode.frames import load_video
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.masks.masks import fill_box, grow, to_mask
from tiomagic_media.masks.reader import LocalMaskReader
from tiomagic_media.pictures.film import Film
from tiomagic_media.pictures.masked import show_mask
from tiomagic_media.reader import LocalMediaReader

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_what_is_nearer_to_white_is_white() -> None:
    """A codec gives no pure black and white; a colour counts by its brightness."""
    frames = np.zeros((2, 1, 4, 3), np.uint8)
    frames[0, 0] = ((16, 16, 16), (127, 127, 127), (128, 128, 128), (235, 235, 235))
    frames[1, 0, 0] = (255, 0, 0)
    assert to_mask(frames).tolist() == [[[False, False, True, True]], [[False] * 4]]


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, object]:
    """A call that replaces a person, with one picture as its mask."""
    film = tmp_path / "dance.mp4"
    write_mp4(film, np.zeros((5, 32, 64, 3), np.uint8), fps=8, recipe={})
    mask = Image.new("L", (64, 32))
    mask.paste(255, (0, 0, 32, 32))
    mask.save(tmp_path / "mask.png")
    mask.save(tmp_path / "hero.png")
    return {
        "prompt": "a robot dances",
        "image": tmp_path / "hero.png",
        "pose_video": film,
        "background_video": film,
        "mask_video": tmp_path / "mask.png",
    }


@pytest.fixture
def preparation(tmp_path: Path) -> Preparation:
    """What reads the inputs of a call, with the real reader."""
    return Preparation(LocalMediaReader(tmp_path / "inputs"), FakeClock())


class TestLocalMaskReader(MaskReaderContract):
    """The reader of masks, on files."""

    @pytest.fixture
    def masks(self) -> LocalMaskReader:
        """The reader."""
        return LocalMaskReader()

    @pytest.fixture
    def black(self, tmp_path: Path) -> Media:
        """Forty black frames, as a codec writes them."""
        return mask_of(tmp_path, np.zeros((40, 32, 64, 3), np.uint8))

    @pytest.fixture
    def mask(self, tmp_path: Path) -> Media:
        """White in one frame alone, which is not among the few that are looked at."""
        frames = np.zeros((40, 32, 64, 3), np.uint8)
        frames[2] = 255
        return mask_of(tmp_path, frames)

    def test_the_white_part_is_that_of_the_picture(
        self, masks: LocalMaskReader, tmp_path: Path
    ) -> None:
        """A quarter of each frame."""
        frames = np.zeros((10, 32, 64, 3), np.uint8)
        frames[:, :16, :32] = 255
        assert masks.white_part(mask_of(tmp_path, frames)) == pytest.approx(0.25, abs=0.02)

    def test_a_mask_that_is_gone_is_an_error(self, masks: LocalMaskReader, mask: Media) -> None:
        """As anything that cannot be read any more."""
        mask.path.unlink()
        with pytest.raises(ProcessingError):
            masks.white_part(mask)


def mask_of(folder: Path, frames: NDArray[np.uint8]) -> Media:
    """Return a mask as a job gets it."""
    write_mp4(folder / "mask.mp4", frames, fps=8, recipe={})
    return LocalMediaReader(folder / "kept").read(folder / "mask.mp4", MediaKind.VIDEO)


def test_one_picture_stands_for_a_video(
    preparation: Preparation, arguments: dict[str, object]
) -> None:
    """It is kept as a video of one frame, without loss; other videos have to move."""
    card = find_model("wan2.2-animate-14b")
    request = preparation.prepare(Feature.POSE_GUIDANCE, card, "local", arguments)
    mask = request.media["mask_video"]
    assert (mask.kind, mask.frames, mask.width, mask.height) == ("video", 1, 64, 32)
    (frame,) = to_mask(load_video(mask))
    assert frame[:, :32].all()
    assert not frame[:, 32:].any()
    assert preparation.restore(request.job, card).media["mask_video"].sha256 == mask.sha256
    with pytest.raises(ValidationError, match="does not move") as caught:
        preparation.prepare(
            Feature.POSE_GUIDANCE,
            card,
            "local",
            {**arguments, "background_video": arguments["mask_video"]},
        )
    assert [problem.field for problem in caught.value.problems] == ["background_video"]


def test_a_mask_grows_to_every_side() -> None:
    """Nine pixels, three times a square of 7, and no further than the picture."""
    mask = np.zeros((40, 60), np.bool_)
    mask[20, 30] = True
    expected = np.zeros_like(mask)
    expected[11:30, 21:40] = True
    assert (grow(mask) == expected).all()
    mask[0, 0] = True
    assert grow(mask)[:10, :10].all()


def test_the_box_of_a_mask_is_full() -> None:
    """From its first to its last row and column; a black mask has none."""
    mask = np.zeros((8, 9), np.bool_)
    assert not fill_box(mask).any()
    mask[2, 3] = mask[5, 7] = True
    expected = np.zeros_like(mask)
    expected[2:6, 3:8] = True
    assert (fill_box(mask) == expected).all()


def test_a_sheet_shows_what_would_be_replaced() -> None:
    """White is red over the frame, half seen through; a mask of one frame lies over all."""
    film = Film(frames=np.full((4, 8, 8, 3), 100, np.uint8), fps=Fraction(8))
    masks = np.zeros((2, 8, 8, 3), np.uint8)
    masks[0, :, :4] = masks[1, :, 4:] = 255
    shown = show_mask(film, Film(frames=masks, fps=Fraction(4))).frames
    red = [100 * 0.45 + part * 0.55 for part in (230, 30, 60)]
    for index, (covered, free) in enumerate(((1, 6), (1, 6), (6, 1), (6, 1))):
        assert shown[index, 4, covered] == pytest.approx(red, abs=1)
        assert tuple(shown[index, 4, free]) == (100, 100, 100)
    still = show_mask(film, Film(frames=masks[:1], fps=Fraction(1))).frames
    assert np.abs(still[:, :, :4] - np.array(red)).max() <= 1
    assert (film.frames == 100).all()
