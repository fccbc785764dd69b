"""``tm.extend`` and loops: a job like any other, with a provider whose videos play."""

import asyncio
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.facade.conftest import Run

from tiomagic import AsyncTioMagic, TioMagic
from tiomagic.cli.commands.status import describe_job, describe_seam
from tiomagic.display.plans import describe_plan
from tiomagic.errors import ResourceNotFoundError, UnknownModelError, ValidationError
from tiomagic.results.pictures import find_seam
from tiomagic_domain.media import VideoFile
from tiomagic_domain.testing import InstantProvider
from tiomagic_domain.testing.tiny_mp4 import MP4
from tiomagic_media.pictures.film import read_film
from tiomagic_media.pictures.sheet import GAP, LINE

OWN = 8
"""Frames of each of the provider's videos, at 8 a second; a red square moves right."""
PROMPT = "a red square moves right"


@pytest.fixture
def fake_provider(tmp_path: Path) -> InstantProvider:
    """A provider whose jobs are over at once."""
    return InstantProvider(tmp_path / "spool", name="local")


@pytest.fixture
def tm(tmp_path: Path, fake_provider: InstantProvider) -> Iterator[TioMagic]:
    """``tm`` over it."""
    made = TioMagic(provider="local", overrides={"providers": {"local": fake_provider}})
    yield made
    made.close()


def first_of(tm: TioMagic) -> Any:
    """Return a job with a video."""
    return tm.text_to_video("doodle", prompt=PROMPT, seed=1)


def test_a_job_goes_on(tm: TioMagic, fake_provider: InstantProvider) -> None:
    """One video with both parts and no doubled frame, by the same model with the same prompt."""
    first = first_of(tm)
    job = tm.extend(first.job_id, seed=2)
    sent = fake_provider.submitted[-1]
    assert (job.feature, job.model, sent.inputs.prompt) == ("image_to_video", "doodle", PROMPT)
    film = read_film(Path(job.result_video))
    assert (len(film.frames), film.fps) == (OWN + OWN - 1, Fraction(8))
    assert job.facts["frames"] == OWN + OWN - 1
    assert job.facts["seam"]["frame"] == OWN
    assert job.status == "completed"
    again = tm.rerun(job.result_video)
    assert again.facts["seam"] == job.facts["seam"]
    assert len(read_film(Path(tm.extend(job, seconds=1).result_video)).frames) == 3 * OWN - 2


@pytest.mark.parametrize("form", ["handle", "path", "text", "bytes", "file", "start of an id"])
def test_a_video_may_be_given_in_any_form(tm: TioMagic, form: str) -> None:
    """A job's handle or its id, a path, or bytes, which have no prompt to go on with."""
    first = first_of(tm)
    path = Path(first.result_video)
    forms = {
        "handle": first,
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "file": VideoFile(path=path),
        "start of an id": first.job_id[:8],
    }
    job = tm.extend(forms[form], "it stops", model="doodle")
    assert job.facts["seam"]["frame"] == OWN
    assert job.required_args["prompt"] == "it stops"


def test_what_cannot_go_on_is_refused(tm: TioMagic, fake_provider: InstantProvider) -> None:
    """Before anything runs: no such job, a model for words, no prompt, and too long."""
    first = first_of(tm)
    video = Path(first.result_video).read_bytes()
    before = len(fake_provider.submitted)
    with pytest.raises(ResourceNotFoundError):
        tm.extend("no-such-job")
    with pytest.raises(UnknownModelError, match="doodle"):
        tm.extend(first, model="cogvideox-5b")
    with pytest.raises(ValidationError, match="prompt"):
        tm.extend(video)
    with pytest.raises(ValidationError, match="again"):
        tm.extend(first, seconds=9)
    assert len(fake_provider.submitted) == before


def test_the_sheet_shows_the_seam(tm: TioMagic, tmp_path: Path) -> None:
    """With the first frame once more after the last, the sheet of a loop is a cell longer."""
    picture = tm.last_frame(first_of(tm), tmp_path / "last.png")
    loop = tm.image_to_video("doodle", prompt=PROMPT, image=picture, loop=True)
    assert (loop.feature, loop.facts["seam"]["frame"]) == ("interpolate", 0)
    assert len(read_film(Path(loop.result_video)).frames) == OWN - 1
    from PIL import Image  # Heavy.

    with Image.open(tm.contact_sheet(loop, columns=12, width=24)) as sheet:
        assert sheet.width == 12 + OWN * (24 + 12)


def test_the_sheet_of_a_file_shows_what_its_recipe_says(tm: TioMagic, tmp_path: Path) -> None:
    """As that of the job but for the title; a file with another recipe shows frames alone."""
    import numpy as np  # Heavy.
    from PIL import Image  # The same.

    first = first_of(tm)
    picture = tm.last_frame(first, tmp_path / "last.png")
    loop = tm.image_to_video("doodle", prompt=PROMPT, image=picture, loop=True)
    moved = tm.extend(first)

    def cells(source: object, name: str) -> Any:
        path = tm.contact_sheet(source, tmp_path / name, frames=5, columns=9, width=24)
        with Image.open(path) as sheet:
            return np.asarray(sheet)[LINE + 2 * GAP :]

    for job in (loop, moved):
        copy = tmp_path / f"sent {job.job_id[:4]}.mp4"
        copy.write_bytes(Path(job.result_video).read_bytes())
        assert np.array_equal(cells(job, "job.png"), cells(copy, "file.png"))
        # The same frames without a recipe have no seam to show.
        bare = copy.with_name("bare.mp4")
        bare.write_bytes(copy.read_bytes().replace(b"tiomagic_recipe", b"something_other"))
        assert not np.array_equal(cells(job, "job.png"), cells(bare, "bare.png"))


@pytest.mark.parametrize("seam", [None, 3, {"frame": "1"}, {"frame": True}, {}, {"ratio": 1.0}])
def test_a_seam_that_is_none_is_not_shown(seam: object) -> None:
    """A recipe may come from anybody."""
    assert find_seam({"seam": seam}) is None
    assert find_seam([seam]) is None


def test_the_status_says_how_well_the_parts_meet(tm: TioMagic) -> None:
    """The place and the score; nothing for a video of one piece."""
    first = first_of(tm)
    said = describe_job(tm.extend(first))
    assert re.search(rf"^seam +at frame {OWN}, \d+\.\d\d times the median step", said, re.MULTILINE)
    assert "seam" not in describe_job(first)
    assert describe_seam({"frame": 0, "ratio": 1.25}) == (
        "from the last frame to the first, 1.25 times the median step of the video"
    )
    assert describe_seam({"frame": 9, "ratio": None}) == "at frame 9; nothing else moves"


def test_a_plan_has_the_length_that_one_gets(tm: TioMagic) -> None:
    """Of 17 frames of a loop 16 are shown, a second; as of a continuation."""
    first = first_of(tm)
    picture = tm.last_frame(first)
    loop = tm.plan("image_to_video", "doodle", prompt=PROMPT, image=picture, loop=True)
    assert (loop["feature"], loop["num_frames"], loop["seconds"]) == ("interpolate", 17, 1.0)
    assert "17 frames at 16 a second, 16 of them new, 1 s" in describe_plan(loop)
    more: dict[str, Any] = {"prompt": PROMPT, "continued_video": first.result_video}
    assert tm.plan("image_to_video", "doodle", **more)["seconds"] == 1.0


def test_it_can_be_awaited(tm: TioMagic) -> None:
    """The asynchronous twin gives the same job."""

    async def extend() -> Any:
        job = await AsyncTioMagic(tm).text_to_video("doodle", prompt=PROMPT)
        return await AsyncTioMagic(tm).extend(job)

    assert asyncio.run(extend()).facts["seam"]["frame"] == OWN


WAYS = ("-p", "fake", "-m", "fake-wan2.1-vace-14b", "--dry-run", "--json")


def test_the_command_continues_a_video(shell: Run, folder: Path) -> None:
    """Seconds are those of the new part, and the video is among the inputs."""
    (folder / "clip.mp4").write_bytes(MP4)
    done = shell("extend", "clip.mp4", "--prompt", "it stops", "--seconds", "2", *WAYS)
    planned = json.loads(done.stdout)
    assert (planned["feature"], planned["seconds"]) == ("image_to_video", 2.0)
    assert planned["arguments"]["continued_video"]["name"] == "clip.mp4"
    assert planned["arguments"]["prompt"] == "it stops"


def test_the_command_makes_a_loop(shell: Run, folder: Path) -> None:
    """Of one picture, by interpolation."""
    from PIL import Image  # Heavy.

    Image.new("RGB", (64, 64), "red").save(folder / "star.png")
    done = shell("image-to-video", "a star", "--image", "star.png", "--loop", *WAYS)
    planned = json.loads(done.stdout)
    assert planned["feature"] == "interpolate"
    assert planned["arguments"]["last_frame"] == planned["arguments"]["first_frame"]


def test_the_command_says_what_is_wrong(shell: Run, folder: Path) -> None:
    """A video without a recipe has no prompt to go on with; a model for words makes no loop."""
    (folder / "clip.mp4").write_bytes(MP4)
    done = shell("extend", "clip.mp4", *WAYS)
    assert done.returncode
    assert "prompt" in done.stderr
    done = shell("extend", "gone.mp4", "--prompt", "it stops", *WAYS)
    assert done.returncode
    assert "gone.mp4" in done.stderr
    done = shell("extend", "gone.mp4", *WAYS)
    assert "gone.mp4" in done.stderr
    # It may bring its prompt, once it is read.
    assert "prompt" not in done.stderr
