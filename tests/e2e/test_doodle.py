"""The shipped model does what words and pictures say, through `tm`, on held-out prompts.

Half of the pictures have colours without a name. The bounds are
below the figures in docs/doodle.md by what so few clips may vary.
"""

import pytest

pytest.importorskip("torch")

from training import check
from training.config import SMALL
from training.through_tm import ThroughTm

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Clips through `tm` in a folder of their own."""
    return ThroughTm(tmp_path_factory.mktemp("doodle"), device="cpu")


def test_text_to_video_shows_the_colour_shape_and_direction_asked_for(make):
    result, _ = check.check_text(make, SMALL, 12)
    assert result["colour"] >= 0.8
    assert result["direction"] >= 0.9
    assert result["shape"] >= 0.9


def test_image_to_video_begins_with_the_picture_and_keeps_its_colour(make):
    result, _ = check.check_image(make, SMALL, 5)
    assert result["first_frame_psnr"] >= 23
    assert result["colour_kept"] >= 0.8


def test_interpolate_keeps_both_ends_and_moves_between_them(make):
    result, _ = check.check_interpolate(make, SMALL, 5)
    assert result["first_frame_psnr"] >= 23
    assert result["last_frame_psnr"] >= 23
    assert result["monotone"] >= 0.8


def test_pose_guidance_puts_the_figure_on_the_skeleton(make):
    result, _ = check.check_pose(make, SMALL, 5)
    assert result["skeleton_covered"] >= 0.9
    assert result["figure_overlap"] >= 0.7
    assert result["colour_kept"] >= 0.8
