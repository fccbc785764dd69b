"""EasyAnimate: skeletons and a picture reach the model, and a stop leaves nothing in its VAE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.local.materials import Materials, settings_of

from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import CancelAt, PoseGuidanceContract, bytes_of
from tiomagic_local.engines.easyanimate_control import as_video

MODEL, FEATURE = "easyanimate-v5.1-12b-control", Feature.POSE_GUIDANCE
SMALLEST = {"width": 16, "height": 16, "num_frames": 9}


class TestPoses(PoseGuidanceContract):
    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, FEATURE).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE, **SMALLEST)


def make(engine: Any, inputs: Any, cancel: Any = None) -> bytes:
    """Return the pixels of a video."""
    settings = settings_of(MODEL, FEATURE, **SMALLEST)
    clip = engine.pose_guidance(inputs, settings, ignore_progress, cancel or NeverCanceled())
    return bytes_of(clip).tobytes()


def test_the_picture_and_the_motion_change_the_video(engine: Any, studio: Materials) -> None:
    """Each by itself, and the words do too."""
    motion, picture = studio.video(), studio.picture()
    still = studio.film(np.stack([np.asarray(Image.new("RGB", (64, 48), "white"))] * 9))
    calls = [
        {"pose_video": motion, "image": picture},
        {"pose_video": motion, "image": studio.picture(colour="blue")},
        {"pose_video": still, "image": picture},
    ]
    videos = [make(engine, studio.request(MODEL, FEATURE, media=media).inputs) for media in calls]
    words = studio.request(MODEL, FEATURE, media=calls[0], prompt="a bear").inputs
    videos.append(make(engine, words))
    assert len(set(videos)) == len(videos)


def test_a_stop_in_the_encoder_is_forgotten(engine: Any, studio: Materials) -> None:
    """The VAE keeps frames for its next piece: those of a stopped run must not be among them."""
    inputs = studio.request(MODEL, FEATURE).inputs
    expected = make(engine, inputs)
    vae = engine._pipeline.vae

    def busy() -> bool:
        return any(getattr(module, "prev_features", None) is not None for module in vae.modules())

    for nth in range(2, 10):
        with pytest.raises(GenerationCanceledError):
            make(engine, inputs, CancelAt(nth))
        assert not busy(), nth
    assert make(engine, inputs) == expected


def test_pictures_become_one_video() -> None:
    """In their order, in the range of the pipeline."""
    video = as_video([Image.new("RGB", (2, 3), colour) for colour in ("black", "white")])
    assert video.shape == (1, 3, 2, 3, 2)
    assert torch.equal(video[0, :, 0], torch.zeros(3, 3, 2))
    assert torch.equal(video[0, :, 1], torch.ones(3, 3, 2))
