"""A model with sound, the whole way: from ``tm`` to an mp4 that plays both."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.tiny import save

from tiomagic import TioMagic
from tiomagic_media.encode.mp4 import read_embedded_recipe

SMALLEST = {"width": 64, "height": 64, "num_frames": 17, "num_inference_steps": 2, "seed": 3}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of LTX-2."""
    return save(tmp_path_factory.mktemp("weights"), ["ltx-2"])


def test_the_video_has_a_sound_track_of_its_own_length(weights: Path, tmp_path: Path) -> None:
    """Both streams are there and last as long as the frames; the record says that it is heard."""
    Image.new("RGB", (96, 96), "orange").save(tmp_path / "first.png")
    Image.new("RGB", (96, 96), "blue").save(tmp_path / "last.png")
    tm = TioMagic(working_dir=tmp_path, provider="local", device="cpu", weights_dir=weights)
    try:
        job = tm.interpolate(
            "ltx-2",
            {
                "prompt": "rain on a roof",
                "first_frame": str(tmp_path / "first.png"),
                "last_frame": str(tmp_path / "last.png"),
            },
            fps=12,
            **SMALLEST,
        )
    finally:
        tm.close()
    assert job.status == "completed", job.error
    seconds = 17 / 12
    with av.open(job.result_video) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (64, 64, 12)
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 24_000, 2)
        for stream in (video, sound):
            assert float(stream.duration * stream.time_base) == pytest.approx(seconds, abs=1e-4)
        frames = [frame.to_ndarray() for frame in container.decode(sound)]
    assert np.abs(np.concatenate(frames, axis=1)).max() > 0
    facts = read_embedded_recipe(Path(job.result_video))["facts"]
    assert (facts["audio_rate"], facts["audio_channels"]) == (24_000, 2)
