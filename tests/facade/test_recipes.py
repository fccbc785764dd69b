"""Making a video again: from a job, from the file beside it, from the video itself."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.facade.conftest import MODEL, VACE, FakeApp

from tiomagic import JobHandle
from tiomagic.errors import MissingDependencyError, UnknownProviderError, ValidationError

RECIPE = {
    "tiomagic_recipe": 1,
    "feature": "text_to_video",
    "model": MODEL,
    "provider": "modal",
    "required_args": {"prompt": "a fox"},
    "optional_args": {"seed": 5},
}


@pytest.fixture
def job(fake_app: FakeApp) -> JobHandle:
    """A finished video from a picture."""
    fake_app.media.add("fox.png")
    fake_app.tm.configure(provider="local")
    return fake_app.tm.image_to_video(VACE, prompt="a fox", image="fox.png", seed=5, num_frames=17)


def settings_of(job: JobHandle) -> dict[str, Any]:
    assert job.generation is not None
    return {**job.generation["required_args"], **job.generation["optional_args"]}


def test_a_job_runs_again_with_its_seed_and_picture(fake_app: FakeApp, job: JobHandle) -> None:
    """The picture is found by its hash, and every setting is the same."""
    again = fake_app.tm.rerun(job.job_id)
    assert again.job_id != job.job_id
    assert (again.model, again.feature) == (job.model, job.feature)
    assert settings_of(again) == settings_of(job)


def test_overrides_replace_and_none_takes_away(fake_app: FakeApp, job: JobHandle) -> None:
    """Another seed is taken; no seed means a fresh one."""
    assert settings_of(fake_app.tm.rerun(job.job_id, seed=7))["seed"] == 7
    fake_app.tm.configure(provider="local")
    again = settings_of(fake_app.tm.rerun(job.job_id, num_frames=None))
    assert again["num_frames"] == 81


def test_the_file_beside_the_video_is_enough(fake_app: FakeApp, job: JobHandle) -> None:
    """``rerun`` and ``inspect`` take the JSON that lies beside each video."""
    beside = Path(job.result_video or "").with_suffix(".json")
    assert fake_app.tm.inspect(beside)["model"] == VACE
    assert settings_of(fake_app.tm.rerun(str(beside), seed=8)) == {**settings_of(job), "seed": 8}


def test_a_video_that_somebody_sent_is_enough(fake_app: FakeApp, tmp_path: Path) -> None:
    """The recipe inside a real mp4 makes the video again on the configured provider."""
    from tiomagic_media.encode.mp4 import write_mp4

    path = tmp_path / "sent.mp4"
    write_mp4(path, np.zeros((5, 32, 32, 3), np.uint8), fps=8, recipe=RECIPE)
    assert fake_app.tm.inspect(path) == RECIPE
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.rerun(path, seed=7)
    assert (job.provider, job.status, settings_of(job)["seed"]) == ("local", "completed", 7)
    assert fake_app.tm.rerun(path, provider="modal", wait=True).provider == "modal"


def test_without_a_configured_provider_the_recipes_own_runs(
    fake_app: FakeApp, tmp_path: Path
) -> None:
    """The provider of the recipe is taken when nobody has said another."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(RECIPE))
    assert fake_app.tm.rerun(path).provider == "modal"
    path.write_text(json.dumps({**RECIPE, "provider": "nobody"}))
    with pytest.raises(UnknownProviderError):
        fake_app.tm.rerun(path)


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        '{"tiomagic_recipe": 99}',
        '{"tiomagic_recipe": 1, "feature": "interpolate"}',
        json.dumps({**RECIPE, "feature": "x"}),
        json.dumps({**RECIPE, "required_args": []}),
        "\x00\xff",
    ],
)
def test_what_is_no_recipe_is_refused(fake_app: FakeApp, tmp_path: Path, content: str) -> None:
    """Whatever a file holds, the error says that it is no recipe, and nothing runs."""
    path = tmp_path / "r.json"
    path.write_text(content, encoding="latin-1")
    fake_app.tm.configure(provider="local")
    with pytest.raises(ValidationError):
        fake_app.tm.rerun(path)
    assert fake_app.local.submitted == []


def test_reading_a_video_needs_its_package(
    fake_app: FakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the package the error says how to get it."""
    monkeypatch.setitem(sys.modules, "tiomagic_media.encode.mp4", None)
    path = tmp_path / "sent.mp4"
    path.write_bytes(b"x")
    with pytest.raises(MissingDependencyError, match="pip install"):
        fake_app.tm.inspect(path)
