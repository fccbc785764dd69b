"""Loading, cropping and fitting of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.media.conftest import as_media
from tests.media.files import animation, grey_steps, moving_square, png, write_video

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.media import MediaKind
from tiomagic_media.decode.frames import (
    cover,
    load_image,
    load_video,
    real_time_indices,
    resample,
    resample_in_time,
)

sides = st.integers(8, 200)


@settings(max_examples=60, deadline=None)
@given(wide=sides, tall=sides, width=sides, height=sides)
def test_cover_gives_exactly_the_wanted_size(wide, tall, width, height):
    """Whatever the aspect, the result has the size that was asked for, and no edge is black."""
    result = cover(Image.new("RGB", (wide, tall), "white"), width, height)
    assert result.size == (width, height)
    assert result.getextrema() == ((255, 255),) * 3


@settings(max_examples=40, deadline=None)
@given(wide=st.integers(80, 400), tall=st.integers(80, 400), width=sides, height=sides)
def test_cover_never_stretches(wide, tall, width, height):
    """A disc in the middle stays a disc, in the middle."""
    radius = min(wide, tall) / 5
    x, y = np.meshgrid(np.arange(wide) + 0.5 - wide / 2, np.arange(tall) + 0.5 - tall / 2)
    disc = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)
    picture = Image.fromarray((disc * 255).astype(np.uint8)).convert("RGB")
    light = np.asarray(cover(picture, width, height).convert("L"), dtype=float) / 255
    scale = max(width / wide, height / tall)
    # The disc may be cut by the frame only when it is larger than the frame.
    if 2 * radius * scale + 2 > min(width, height):
        return
    across, down = light.sum(axis=0).max(), light.sum(axis=1).max()
    assert across == pytest.approx(down, abs=1.5)
    assert across == pytest.approx(2 * radius * scale, abs=2.5)
    centre = (light.sum(axis=0) @ np.arange(width)) / light.sum()
    assert centre == pytest.approx((width - 1) / 2, abs=1.0 + scale)


def test_cover_leaves_a_fitting_picture_alone():
    """A picture of the right size is not filtered once more."""
    picture = Image.fromarray(moving_square(1)[0])
    assert cover(picture, 64, 48) is picture


@given(length=st.integers(1, 300), count=st.integers(2, 300))
def test_resample_keeps_first_and_last_and_is_even(length, count):
    """The ends stay, the order stays, and no gap is larger than another by more than one."""
    picked = resample(np.arange(length), count)
    assert len(picked) == count
    assert picked[0] == 0
    assert picked[-1] == length - 1
    gaps = np.diff(picked)
    assert gaps.min() >= 0
    assert gaps.max() - gaps.min() <= 1


def test_resample_to_one_frame_takes_the_first():
    """One frame cannot be both ends."""
    assert resample(np.arange(9), 1).tolist() == [0]


@pytest.mark.parametrize(
    ("length", "source_fps", "fps", "count", "expected"),
    [
        (6, 30, 30, 6, [0, 1, 2, 3, 4, 5]),
        (6, 30, 15, 3, [0, 2, 4]),
        (3, 15, 30, 6, [0, 0, 1, 1, 2, 2]),
        (5, 25, 10, 2, [0, 2]),
        (4, 24, 16, 5, [0, 1, 3, 3, 3]),
        (3, 10, 10, 5, [0, 1, 2, 2, 2]),
        (61, 60, 30, 3, [0, 2, 4]),
        (10, 30000 / 1001, 29.97002997, 10, list(range(10))),
        (8, 16, 8, None, [0, 2, 4, 6]),
        (1, 25, 16, None, [0]),
    ],
)
def test_frames_of_another_rate_keep_their_pace(length, source_fps, fps, count, expected):
    """At each moment the frame that is shown then; after the end, the last."""
    assert real_time_indices(length, source_fps, fps, count) == expected
    assert resample_in_time(np.arange(length), source_fps, fps, count).tolist() == expected


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 60))
def test_another_rate_lasts_as_long(length, source_fps, fps):
    """Without a count, the result lasts as long as the video, to within half a frame."""
    picked = real_time_indices(length, source_fps, fps)
    assert len(picked) / fps == pytest.approx(length / source_fps, abs=max(0.51, 1) / fps)
    assert picked == sorted(picked)


def test_load_video_keeps_the_pace_of_the_video(tmp_path: Path):
    """Twenty frames at ten a second are two seconds: at five a second, every other frame."""
    media = as_media(write_video(tmp_path / "a.mp4", grey_steps(20), fps=10))
    levels = load_video(media, count=12, fps=5).mean(axis=(1, 2, 3))
    expected = 20 + 8 * np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19, 19])
    assert np.abs(levels - expected).max() < 3


def test_resample_copies_nothing_when_the_length_is_right():
    """A clip of gigabytes is not copied for nothing."""
    frames = np.zeros((5, 2, 2, 3))
    assert resample(frames, 5) is frames


def test_load_video_gives_all_frames_in_order(tmp_path: Path):
    """Each frame of a video arrives once, in its place, as RGB."""
    path = write_video(tmp_path / "a.mp4", grey_steps(20))
    frames = load_video(as_media(path))
    assert frames.shape == (20, 16, 16, 3)
    assert frames.dtype == np.uint8
    assert np.abs(frames.mean(axis=(1, 2, 3)) - (20 + 8 * np.arange(20))).max() < 3


def test_load_video_picks_and_crops_while_it_reads(tmp_path: Path):
    """Count and size give what resample and cover would give, without the whole clip."""
    path = write_video(tmp_path / "a.mp4", moving_square(20))
    media = as_media(path)
    whole = resample(load_video(media), 7)
    expected = np.stack([np.asarray(cover(Image.fromarray(f), 32, 32)) for f in whole])
    assert np.array_equal(load_video(media, count=7, size=(32, 32)), expected)


def test_load_video_can_give_more_frames_than_there_are(tmp_path: Path):
    """A short video is made longer by repeating frames evenly."""
    path = write_video(tmp_path / "a.mp4", grey_steps(3))
    levels = load_video(as_media(path), count=6).mean(axis=(1, 2, 3))
    assert np.abs(levels - [20, 20, 28, 28, 36, 36]).max() < 3


def test_frames_of_an_animation_stay_as_long_as_they_should(tmp_path: Path):
    """A GIF frame that stays twice as long is there twice."""
    path = animation(tmp_path / "a.gif", [0, 100, 200], [100, 200, 100])
    assert load_video(as_media(path)).mean(axis=(1, 2, 3)).round().tolist() == [0, 100, 100, 200]


def test_a_picture_that_is_gone_is_an_error(tmp_path: Path):
    """A file that was damaged after it had been read is named."""
    broken = tmp_path / "a.png"
    broken.write_bytes(png()[:40])
    with pytest.raises(ProcessingError, match="cannot be decoded"):
        load_image(as_media(broken, MediaKind.IMAGE))


@pytest.mark.parametrize("content", [b"nothing", b""])
def test_a_video_that_is_gone_is_an_error(tmp_path: Path, content):
    """The same for videos."""
    broken = tmp_path / "a.mp4"
    broken.write_bytes(content)
    with pytest.raises(ProcessingError, match="cannot be decoded"):
        load_video(as_media(broken))
