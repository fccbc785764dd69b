"""doodle goes on, and around: the real model through the whole of ``tm``, looked at in numbers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tiomagic import TioMagic
from tiomagic_domain.lifecycle.observer import CANCEL_INTERVAL_S
from tiomagic_domain.progress import Progress
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.film import read_film

PROMPT = "a red circle moves right on a white background"
RED = np.array([1.0, -0.5, -0.5])


def place(frame: Any) -> float:
    """Return how far right the red of a frame is, in pixels."""
    redness = np.clip(frame.astype(float) @ RED, 0, None).sum(axis=0)
    return float((redness * np.arange(len(redness))).sum() / redness.sum())


@pytest.fixture
def tm(tmp_path: Path) -> TioMagic:
    """A ``tm`` with its own folder."""
    return TioMagic(working_dir=tmp_path, provider="local", announce_jobs=False)


def test_a_circle_goes_on_in_its_direction(tm: TioMagic, tmp_path: Path) -> None:
    """The first half of a clip is as it was; what follows moves right as well, without a jump."""
    clip = tm.text_to_video("doodle", prompt=PROMPT, seed=1, progress=False)
    half = read_film(Path(clip.result())).frames[:9]
    write_mp4(tmp_path / "half.mp4", half, fps=16, recipe={})
    job = tm.extend(tmp_path / "half.mp4", PROMPT, model="doodle", seed=2, progress=False)
    film = read_film(Path(job.result()))
    assert len(film.frames) == 9 + 16
    assert float(np.abs(film.frames[:9].astype(int) - half).mean()) < 3
    places = [place(frame) for frame in film.frames]
    assert places[8] > places[0] + 2
    assert places[-1] > places[8] + 3
    assert job.facts["seam"]["frame"] == 9
    assert job.facts["seam"]["ratio"] < 2


def test_a_bouncing_ball_comes_back_to_where_it_was(tm: TioMagic, tmp_path: Path) -> None:
    """The step from the last frame to the first is no larger than one and a half of the others."""
    prompt = "a red ball bounces on a white background"
    clip = tm.text_to_video("doodle", prompt=prompt, seed=0, progress=False)
    Image.fromarray(read_film(Path(clip.result())).frames[0]).save(tmp_path / "ball.png")
    picture = str(tmp_path / "ball.png")
    loop = tm.image_to_video(
        "doodle", prompt=prompt, image=picture, loop=True, seed=0, progress=False
    )
    assert len(read_film(Path(loop.result())).frames) == 16
    assert loop.facts["seam"]["ratio"] <= 1.5
    assert tm.rerun(loop.job_id, progress=False).facts["seam"] == loop.facts["seam"]


@pytest.mark.parametrize("how", ["extend", "loop"])
def test_a_cancel_in_the_middle_leaves_the_next_run_alone(
    tm: TioMagic, tmp_path: Path, how: str
) -> None:
    """The same call afterwards gives the same frames to the last bit, in the same process."""
    clip = tm.text_to_video("doodle", prompt=PROMPT, seed=1, progress=False)
    picture = str(tm.last_frame(clip, tmp_path / "last.png"))

    def make(**more: Any) -> Any:
        if how == "extend":
            return tm.extend(clip, seed=2, progress=False, **more)
        given: dict[str, Any] = {"prompt": PROMPT, "image": picture, "loop": True, "seed": 2}
        return tm.image_to_video("doodle", progress=False, **given, **more)

    steps: list[int] = []

    def cancel(moment: Progress) -> None:
        steps.append(moment.step)
        if moment.step == 3:
            tm.cancel_job(tm.list_jobs(limit=1)[0].job_id)
            time.sleep(CANCEL_INTERVAL_S)  # Then the next step looks whether it is canceled.

    expected = read_film(Path(make().result())).frames
    assert make(on_progress=cancel).status == "canceled"
    assert 3 in steps
    assert max(steps) < 6
    again = make()
    assert again.status == "completed"
    assert np.array_equal(read_film(Path(again.result())).frames, expected)
