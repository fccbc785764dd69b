"""Masks of people: the segmenter is led by the right points, and the mask fits its video."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.media import graphs

from tiomagic import TioMagic
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, GenerationError, MissingDependencyError
from tiomagic_domain.extras import INSTALL_COMMAND
from tiomagic_local import plugin
from tiomagic_local.masks.maker import NAME
from tiomagic_local.masks.segmenter import DEVIATION, MEAN, Segmenter, leading_points
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.masks.masks import to_mask
from tiomagic_media.pictures.film import read_film
from tiomagic_media.pose.models import DETECTOR_FILE, FOLDER_VARIABLE, POSE_FILE
from tiomagic_media.pose.networks import Pose

SIDE = 64
"""Pixels of the square that the tiny segmenter sees, 1024 in the real one."""


def save_segmenter(folder: Path) -> Path:
    """Save a tiny SAM 2.1 of random weights, for videos as the published ones are."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    width = 32
    config = Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [SIDE, SIDE],
                "hidden_size": 8,
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 1, 1],
                "window_size_per_stage": [4, 4, 4, 2],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"hidden_size": width, "image_size": SIDE, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
        image_size=SIDE,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_num_attention_heads=1,
        memory_attention_feed_forward_hidden_size=16,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=width,
        memory_encoder_output_channels=16,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    Sam2VideoModel(config).eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with the tiny segmenter, and beside them the tiny pose networks."""
    folder = tmp_path_factory.mktemp("weights")
    save_segmenter(folder / NAME)
    graphs.detector(folder / DETECTOR_FILE)
    graphs.estimator(folder / POSE_FILE)
    return folder


@pytest.fixture(scope="module")
def segmenter(weights: Path) -> Segmenter:
    """The loaded segmenter."""
    return Segmenter(weights / NAME, torch.device("cpu"))


def pose_with(*seen: int) -> Pose:
    """Return a pose whose point of number n lies at (n, 2n), and of which some are seen."""
    points = np.array([(n, 2 * n) for n in range(133)], np.float32)
    scores = np.zeros(133, np.float32)
    scores[list(seen)] = 1
    return Pose(points=points, scores=scores)


def test_the_segmenter_is_led_by_the_body() -> None:
    """Nose, shoulders, hips and ankles, and the neck between the shoulders; only what is seen."""
    body = (0, 5, 6, 11, 12, 15, 16)
    expected = [(float(n), float(2 * n)) for n in body] + [(5.5, 11.0)]
    assert leading_points(pose_with(*range(133))).tolist() == [list(point) for point in expected]
    assert leading_points(pose_with(0, 6, 40)).tolist() == [[0, 0], [6, 12]]
    assert leading_points(pose_with(40)).shape == (0, 2)


def test_points_and_colours_reach_it_as_it_was_trained(segmenter: Segmenter) -> None:
    """Points are in pixels of its square, and colours are ImageNet's."""
    calls: list[dict[str, Any]] = []
    handle = segmenter._model.register_forward_pre_hook(
        lambda _module, _args, kwargs: calls.append(kwargs), with_kwargs=True
    )
    frame = np.zeros((32, 128, 3), np.uint8)
    frame[...] = (255, 0, 51)
    try:
        mask = segmenter.segment(frame, pose_with(15, 16))
    finally:
        handle.remove()
    assert mask.shape == (32, 128)
    assert mask.dtype == np.bool_
    (call,) = calls
    # Half as wide and twice as high.
    assert call["input_points"].tolist() == [[[[7.5, 60.0], [8.0, 64.0]]]]
    assert call["input_labels"].tolist() == [[[1, 1]]]
    assert call["pixel_values"].shape == (1, 3, SIDE, SIDE)
    for channel, value in enumerate((1.0, 0.0, 0.2)):
        wanted = (value - MEAN[channel]) / DEVIATION[channel]
        assert call["pixel_values"][0, channel].numpy() == pytest.approx(wanted, abs=1e-5)


def test_a_person_of_whom_nothing_is_seen_has_no_mask(segmenter: Segmenter) -> None:
    """Without a point the segmenter would choose something by itself."""
    assert not segmenter.segment(np.zeros((32, 32, 3), np.uint8), pose_with()).any()


def test_a_folder_without_the_model_is_named(tmp_path: Path) -> None:
    """It is a setting that is wrong."""
    with pytest.raises(ConfigurationError, match="has no SAM"):
        Segmenter(tmp_path, torch.device("cpu"))


@pytest.fixture
def tm(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TioMagic]:
    """Tiomagic with the tiny networks."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(weights))
    tm = TioMagic(working_dir=tmp_path, weights_dir=weights, device="cpu")
    yield tm
    tm.close()


def film(path: Path, *, person: bool) -> Path:
    """Write a film in which the tiny networks find a person, or none."""
    frames = np.zeros((5, 96, 129, 3), np.uint8)[:, :, :128]
    if person:
        # They find one where it is green, and every joint where it is brightest.
        frames[:, :64, :64, 1] = 255
        frames[:, 13:19, 29:35] = 255
    write_mp4(path, frames, fps=8, recipe={})
    return path


def test_a_mask_has_the_length_and_the_shape_of_its_video(tm: TioMagic, tmp_path: Path) -> None:
    """It lies beside the video, is the same again, and can be shown over it."""
    video = film(tmp_path / "dance.mp4", person=True)
    path = tm.make_mask(video, progress=False)
    again = tm.make_mask(video, tmp_path / "again.mp4", progress=False)
    outlined = tm.make_mask(video, tmp_path / "outline.mp4", outline=True, progress=False)
    sheet = tm.contact_sheet(video, mask=path)
    assert path == tmp_path / "dance_mask.mp4"
    made, repeated, outline = (read_film(one) for one in (path, again, outlined))
    assert made.frames.shape == (5, 96, 128, 3)
    assert made.fps == 8
    assert (made.frames == repeated.frames).all()
    assert sheet.is_file()
    for box, shape in zip(to_mask(made.frames), to_mask(outline.frames), strict=True):
        rows, columns = np.nonzero(box)
        # The box around something is full.
        assert box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].mean() > 0.99
        assert (box | shape).sum() <= box.sum() + 64


def test_a_video_without_a_person_has_no_mask(tm: TioMagic, tmp_path: Path) -> None:
    """Nothing is written, and the error says what else there is."""
    video = film(tmp_path / "empty.mp4", person=False)
    with pytest.raises(GenerationError, match="no person was found in the 5 frames") as caught:
        tm.make_mask(video, progress=False)
    assert caught.value.code == ErrorCode.NOBODY_FOUND
    assert not (tmp_path / "empty_mask.mp4").exists()


@pytest.mark.parametrize("module", ["torch", "transformers", "onnxruntime", "huggingface_hub"])
def test_without_the_extra_the_error_has_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """Before anything is read or loaded; the command in the shell says the same."""
    find = importlib.util.find_spec
    monkeypatch.setattr(plugin, "find_spec", lambda name: None if name == module else find(name))
    tm = TioMagic(working_dir=tmp_path)
    with pytest.raises(MissingDependencyError, match=f"making a mask .*{module}") as caught:
        tm.make_mask(film(tmp_path / "clip.mp4", person=True))
    command = INSTALL_COMMAND.format(extra="masks")
    assert command.endswith("./packages/facade[masks]'")
    assert command in str(caught.value)
    assert caught.value.details == {"extra": "masks", "command": command, "module": module}
    assert list(tmp_path.glob("*mask*")) == []
    tm.close()
