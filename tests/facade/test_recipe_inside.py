"""The recipe is inside the mp4 of every provider, also of one that knows nothing of recipes."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tiomagic import TioMagic
from tiomagic_domain.files.mp4_metadata import embed_recipe
from tiomagic_domain.testing import FakeMediaReader, InstantProvider
from tiomagic_media.encode.mp4 import read_embedded_recipe

TEXT = json.dumps({"tiomagic_recipe": 1, "prompt": "右 \N{LARGE RED CIRCLE}", "long": "x" * 9000})


def make_video(path: Path, movflags: str, *, comment: str = "", sound: bool = False) -> None:
    """Write 40 frames with an index before or behind them."""
    options = {"movflags": movflags} if movflags else {}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        if comment:
            container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("aac", rate=48_000) if sound else None
        for number in range(40):
            pixels = np.full((48, 64, 3), number * 6, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
        if voice is not None:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "fltp", "mono")
            frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), 0
            container.mux(voice.encode(frame))
            container.mux(voice.encode(None))


def pictures_of(path: Path) -> list[str]:
    """Return what each frame looks like and when it is shown; every packet is read."""
    with av.open(str(path)) as container:
        return [
            f"{frame.pts} {hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()}"
            for frame in container.decode()
        ]


@pytest.mark.parametrize("movflags", ["", "faststart", "use_metadata_tags+faststart"])
@pytest.mark.parametrize("comment", ["", "made by hand"])
@pytest.mark.parametrize("sound", [False, True])
def test_a_recipe_is_put_into_any_usual_mp4(
    tmp_path: Path, movflags: str, comment: str, sound: bool
) -> None:
    """FFmpeg reads it, the frames are the same to the last bit, and nothing is left beside."""
    path = tmp_path / "clip.mp4"
    make_video(path, movflags, comment=comment, sound=sound)
    before = pictures_of(path)
    assert embed_recipe(path, TEXT)
    with av.open(str(path)) as container:
        assert container.metadata["tiomagic"] == TEXT
    assert pictures_of(path) == before
    assert [entry.name for entry in tmp_path.glob("*clip*")] == ["clip.mp4"]
    once = path.read_bytes()
    assert embed_recipe(path, "another")
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a video of a job",
        b"\x00\x00\x00\x08moov",
        b"\x00\x00\x00\x00ftyp" + bytes(100),
        b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\xff\xff\xff\xffmoov" + bytes(16),
    ],
    ids=["empty", "text", "no type", "endless", "lying"],
)
def test_what_is_no_mp4_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Whatever a provider has written."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert not embed_recipe(path, TEXT)
    assert path.read_bytes() == content


def test_a_video_in_fragments_is_left_alone(tmp_path: Path) -> None:
    """Its places are counted in another way."""
    path = tmp_path / "clip.mp4"
    make_video(path, "frag_keyframe+empty_moov")
    before = path.read_bytes()
    assert not embed_recipe(path, TEXT)
    assert path.read_bytes() == before


def test_a_provider_that_knows_no_recipe_has_one(tmp_path: Path) -> None:
    """Beside the video and inside, enough to make it again."""
    parts: dict[str, Any] = {
        "providers": {"local": InstantProvider(tmp_path / "spool", name="local")},
        "media": FakeMediaReader(tmp_path / "media"),
    }
    tm = TioMagic(working_dir=tmp_path, provider="local", overrides=parts)
    job = tm.text_to_video("doodle", prompt="a red circle", seed=5)
    video = Path(job.result_video or "")
    inside = read_embedded_recipe(video)
    assert inside == json.loads(video.with_suffix(".json").read_text("utf-8"))
    assert inside["optional_args"]["seed"] == 5
    assert inside["job_id"] == job.job_id
    moved = video.rename(tmp_path / "sent.mp4")
    assert tm.rerun(moved, seed=6).optional_args["seed"] == 6
    tm.close()
