"""Each feature the whole way: from ``tm`` to an mp4, its recipe, and a job that others find."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from tests.e2e.processes import python

from tiomagic_media.encode.mp4 import read_embedded_recipe, write_mp4

MAKE = """
import json
from tiomagic import tm
tm.configure(provider="local")
calls = json.loads({calls!r})
jobs = []
for feature, model, arguments in calls:
    jobs.append(getattr(tm, feature)(model=model, **arguments).to_dict())
print(json.dumps(jobs))
"""

FIND = """
import json
from tiomagic import tm
print(json.dumps([tm.check_generation_status(job_id).to_dict() for job_id in {ids!r}]))
"""

SMALL = {"num_frames": 5, "num_inference_steps": 2}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call and what its video must be."""

    feature: str
    model: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    size: tuple[int, int] = (48, 32)
    frames: int = 5
    fps: int = 16


CASES = {
    "words": Case(
        feature="text_to_video",
        model="wan2.1-t2v-1.3b",
        inputs={},
        settings={"width": 48, "height": 32},
    ),
    "words, VACE": Case(
        feature="text_to_video",
        model="wan2.1-vace-1.3b",
        inputs={},
        settings={"width": 48, "height": 32, "num_frames": 9, "fps": 8},
        frames=9,
        fps=8,
    ),
    "picture": Case(
        feature="image_to_video",
        model="wan2.1-i2v-14b-480p",
        inputs={"image": "first.png"},
        settings={"width": 48, "height": 32},
    ),
    "picture, VACE": Case(
        feature="image_to_video",
        model="wan2.1-vace-1.3b",
        inputs={"image": "first.png"},
        settings={"width": 64},
        size=(64, 32),
    ),
    "two pictures": Case(
        feature="interpolate",
        model="wan2.1-flf2v-14b-720p",
        inputs={"first_frame": "first.png", "last_frame": "last.png"},
        settings={"width": 48, "height": 32},
    ),
    "two pictures, VACE": Case(
        feature="interpolate",
        model="wan2.1-vace-1.3b",
        inputs={"first_frame": "first.png", "last_frame": "last.png"},
        settings={"width": 48, "height": 32},
    ),
    "skeletons": Case(
        feature="pose_guidance",
        model="wan2.1-vace-1.3b",
        inputs={"image": "first.png", "pose_video": "poses.mp4"},
        settings={"width": 48, "height": 32},
    ),
}


@dataclass(frozen=True, kw_only=True)
class CaseResults:
    """What two processes say of the same jobs."""

    folder: Path
    told: dict[str, dict[str, Any]]
    found: dict[str, dict[str, Any]]
    output: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> CaseResults:
    """One process makes a video of each case; another one looks for the jobs."""
    folder = tmp_path_factory.mktemp("work")
    for name, value in (("first.png", 40), ("last.png", 200)):
        Image.new("RGB", (96, 48), (value, 90, 30)).save(folder / name)
    poses = np.zeros((7, 48, 64, 3), np.uint8)
    poses[:, 10:40, 30:34] = 255
    write_mp4(folder / "poses.mp4", poses, fps=8, recipe={})
    calls = [
        (
            case.feature,
            case.model,
            {"prompt": name, "seed": 3, **SMALL, **case.inputs, **case.settings},
        )
        for name, case in CASES.items()
    ]
    first = python(MAKE.format(calls=json.dumps(calls)), folder=folder, weights_dir=weights_dir)
    told = json.loads(first.stdout)
    ids = [job["job_id"] for job in told]
    second = python(FIND.format(ids=ids), folder=folder, weights_dir=weights_dir)
    return CaseResults(
        folder=folder,
        told=dict(zip(CASES, told, strict=True)),
        found=dict(zip(CASES, json.loads(second.stdout), strict=True)),
        output=first.stdout + first.stderr,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_video_is_as_asked(made: CaseResults, name: str) -> None:
    """PyAV opens it: right codec, size, number of frames and rate."""
    case = CASES[name]
    with av.open(made.told[name]["result_video"]) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == case.size
        assert stream.average_rate == case.fps
        assert sum(1 for _frame in container.decode(stream)) == case.frames


@pytest.mark.parametrize("name", CASES)
def test_the_recipe_is_inside_and_beside(made: CaseResults, name: str) -> None:
    """The file says what it was made from, and the side-car says the same."""
    case, job = CASES[name], made.told[name]
    video = Path(job["result_video"])
    inside = read_embedded_recipe(video)
    assert (inside["feature"], inside["model"]) == (case.feature, case.model)
    assert inside["required_args"]["prompt"] == name
    assert inside["optional_args"]["seed"] == 3
    assert inside["facts"]["device"] == "cpu"
    assert str(made.folder) not in json.dumps(inside)
    assert json.loads(video.with_suffix(".json").read_text()) == inside


@pytest.mark.parametrize("name", CASES)
def test_another_process_finds_the_job(made: CaseResults, name: str) -> None:
    """The job is completed in the database, with its video and how it ran."""
    told, found = made.told[name], made.found[name]
    assert told["status"] == found["status"] == "completed"
    assert found["result_video"] == told["result_video"]
    assert Path(found["result_video"]).parent == made.folder / "output_videos"
    assert found["facts"]["memory"]["plan"] == "resident"
    assert found["facts"]["seconds"]["denoising"] > 0
    assert found["facts"] == told["facts"]


def test_nothing_is_left_over(made: CaseResults) -> None:
    """No unfinished file stays, and the libraries have printed nothing of their own."""
    assert not list(made.folder.rglob("*.part"))
    assert not list(made.folder.rglob("*.run"))
    # The skeletons lie where they were given and where inputs are kept.
    assert len(list(made.folder.rglob("*.mp4"))) == len(CASES) + 2
    assert "torchvision" not in made.output
    assert "it/s" not in made.output
