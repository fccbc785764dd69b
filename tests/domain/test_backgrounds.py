"""Backgrounds and masks: what does not fit is known before anything runs."""

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.media import MediaKind
from tiomagic_domain.requests.preparation import INPUT_NOTES_FACT, Preparation
from tiomagic_domain.testing import FakeClock, FakeMaskReader, FakeMediaReader

ANIMATE = models()["wan2.2-animate-14b"]


@pytest.fixture
def media(tmp_path):
    """A picture, and videos of two shapes and two lengths at 16 frames a second."""
    reader = FakeMediaReader(tmp_path / "inputs")
    reader.add("hero.png")
    for name, frames, width in (("dance", 48, 832), ("mask", 48, 832), ("short", 16, 832)):
        reader.add(f"{name}.mp4", MediaKind.VIDEO, frames=frames, width=width, height=480)
    reader.add("square.mp4", MediaKind.VIDEO, frames=48, width=480, height=480)
    reader.add("still.mp4", MediaKind.VIDEO, frames=1, width=832, height=480)
    return reader


@pytest.fixture
def masks():
    """Says how white each mask is."""
    return FakeMaskReader()


@pytest.fixture
def prepare(media, masks):
    """Return the notes of a call that replaces somebody."""
    preparation = Preparation(media, FakeClock(), masks=masks)

    def notes(**changes):
        films = dict.fromkeys(("guiding_video", "background_video"), "dance.mp4")
        call = {"prompt": "a robot", "image": "hero.png", "mask_video": "mask.mp4", **films}
        request = preparation.prepare(Feature.POSE_GUIDANCE, ANIMATE, "modal", {**call, **changes})
        return request.job.facts.get(INPUT_NOTES_FACT, [])

    return notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"mask_video": "still.mp4"}, []),
        ({"mask_video": "square.mp4"}, ["mask_video: is 480x480 and the background 832x480"]),
        ({"guiding_video": "square.mp4"}, ["guiding_video: is 480x480 and the background"]),
        ({"mask_video": "short.mp4"}, ["mask_video: lasts 1.0 s and the background 3.0 s"]),
        ({"guiding_video": "short.mp4"}, ["guiding_video: lasts 1.0 s and the background 3.0 s"]),
    ],
)
def test_inputs_that_do_not_lie_on_each_other_are_told(prepare, changes, said):
    """Other shapes and other lengths; a mask of one frame is for the whole video."""
    found = prepare(**changes)
    assert len(found) == len(said)
    for note, begins in zip(found, said, strict=True):
        assert note.startswith(begins)


def test_a_mask_that_is_mostly_white_may_be_the_wrong_way_round(prepare, media, masks):
    """Most of a picture is its background."""
    masks.white_parts[media.read("mask.mp4", MediaKind.VIDEO).sha256] = 0.75
    (note,) = prepare()
    assert "white in 75%" in note


def test_a_black_mask_is_refused_before_anything_is_rented(prepare, media, masks):
    """It would cost a whole run and give the background."""
    masks.white_parts[media.read("mask.mp4", MediaKind.VIDEO).sha256] = 0.0
    with pytest.raises(ValidationError, match="mask_video: is black in all frames") as caught:
        prepare()
    assert caught.value.code == ErrorCode.EMPTY_MASK
