"""What differs when a video is made again."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.facade.conftest import MODEL, FakeApp, Run

from tiomagic.results.recipe_diff import Difference, diff_recipes

RECIPE: dict[str, Any] = {
    "tiomagic_recipe": 1,
    "feature": "text_to_video",
    "model": MODEL,
    "provider": "local",
    "required_args": {"prompt": "a fox"},
    "optional_args": {"seed": 5},
    "versions": {"tiomagic": "2.0.0", "torch": "2.8.0"},
    "facts": {
        "device": "NVIDIA H100",
        "dtype": "bfloat16",
        "weights": {"origin": "hub", "revision": "abc"},
        "seconds": {"denoising": 5},
    },
}


def describe_differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [str(difference) for difference in diff_recipes(first, second)]


def test_what_made_the_frames_is_compared_and_nothing_else() -> None:
    """Versions, device, dtype and the revision of the weights; not the seconds, nor the seed."""
    other = json.loads(json.dumps(RECIPE))
    assert describe_differences(RECIPE, other) == []
    other["optional_args"]["seed"] = 6
    other["facts"]["seconds"] = {"denoising": 9}
    assert describe_differences(RECIPE, other) == []
    other["provider"] = "modal"
    other["versions"] = {"tiomagic": "2.1.0", "torch": "2.8.0", "peft": "0.17"}
    other["facts"] |= {"device": "cpu", "dtype": "float32"}
    other["facts"]["weights"]["revision"] = "def"
    assert describe_differences(RECIPE, other) == [
        "device: NVIDIA H100 before, cpu now",
        "dtype: bfloat16 before, float32 now",
        "provider: local before, modal now",
        "versions.peft: not known before, 0.17 now",
        "versions.tiomagic: 2.0.0 before, 2.1.0 now",
        "weights.revision: abc before, def now",
    ]


def test_a_stored_job_and_a_recipe_compare() -> None:
    """A job has its versions among its facts; that is no difference."""
    job = {**RECIPE, "facts": {**RECIPE["facts"], "versions": RECIPE["versions"]}}
    del job["versions"]
    assert describe_differences(RECIPE, job) == []


@pytest.mark.parametrize("broken", [{}, {"facts": [], "versions": "x"}, {"facts": None}])
def test_a_recipe_that_tells_nothing_is_no_error(broken: dict[str, Any]) -> None:
    """What somebody else has written may lack or bend these fields."""
    assert "provider: not known before, local now" in describe_differences(broken, RECIPE)


def test_the_handle_of_a_rerun_tells_them(fake_app: FakeApp, tmp_path: Path) -> None:
    """The fake tells no device, so the recipe's own differ; an ordinary job has none."""
    path = tmp_path / "sent.json"
    path.write_text(json.dumps(RECIPE))
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.rerun(path)
    assert job.differences == []  # Not over yet.
    found = job.wait().differences
    assert Difference(name="device", before="NVIDIA H100", after=None) in found
    assert Difference(name="provider", before="local", after="modal") in found
    assert json.dumps([difference.to_dict() for difference in found])
    assert fake_app.tm.text_to_video(prompt="a fox", wait=True).differences == []


def test_a_shell_tells_them_on_stderr(shell: Run, folder: Path) -> None:
    """Stdout stays the path of the video."""
    recipe = {**RECIPE, "model": "fake-wan2.1-t2v-1.3b", "provider": "fake"}
    (folder / "sent.json").write_text(json.dumps(recipe))
    done = shell("rerun", "sent.json", "-p", "fake", "-q")
    assert done.returncode == 0, done.stderr
    assert "not as before: dtype: bfloat16 before, not known now\n" in done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_json_has_them_as_data(shell: Run, folder: Path) -> None:
    """One object on stdout with all that is not as before, and not a word beside it."""
    recipe = {**RECIPE, "model": "fake-wan2.1-t2v-1.3b", "provider": "fake"}
    (folder / "sent.json").write_text(json.dumps(recipe))
    done = shell("rerun", "sent.json", "-p", "fake", "--json")
    found = json.loads(done.stdout)["differences"]
    assert {"name": "dtype", "before": "bfloat16", "after": None} in found
    assert done.stderr == ""
