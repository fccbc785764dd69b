"""The command line before a run and after it: prompts from elsewhere, plans, opening."""

import io
import json
import sys
from pathlib import Path

import pytest
from tests.facade.conftest import FakeApp, Run

from tiomagic.errors import ValidationError
from tiomagic_domain.catalogue.families.doodle import SIDE


def planned(shell: Run, *words: str, **environment: str) -> dict[str, object]:
    """Return the plan of a call that is to succeed."""
    done = shell(*words, "--dry-run", "--json", **environment)
    assert done.returncode == 0, done.stderr
    plan: dict[str, object] = json.loads(done.stdout)
    return plan


def test_a_dry_run_shows_the_whole_and_runs_nothing(shell: Run, folder: Path) -> None:
    """Size, frames, seconds, memory, provider and device; no job, no database."""
    words = ("text-to-video", "a red circle", "-m", "doodle")
    plan = planned(shell, *words, TIOMAGIC_DEVICE="cpu")
    assert (plan["provider"], plan["gpu"], plan["model"]) == ("local", "cpu", "doodle")
    assert (plan["width"], plan["height"], plan["num_frames"]) == (SIDE, SIDE, 17)
    assert plan["seconds"] == pytest.approx(17 / 16, abs=0.001)
    assert "seed" not in plan["arguments"]  # type: ignore[operator]
    said = shell(*words, "--dry-run", TIOMAGIC_DEVICE="cpu").stdout
    assert f"{SIDE} x {SIDE} pixels" in said
    assert "no GPU needed" in said
    assert not (folder / ".tiomagic" / "jobs.db").exists()
    assert not (folder / "output_videos").exists()


def test_python_gives_the_same_plan(fake_app: FakeApp) -> None:
    """``tm.plan`` takes what the call takes, refuses what it refuses, and stores nothing."""
    tm = fake_app.tm
    tm.configure(provider="local")
    plan = tm.plan("text_to_video", "doodle", prompt="a red circle", seed=None, wait=False)
    assert (plan["feature"], plan["model"], plan["provider"]) == (
        "text_to_video",
        "doodle",
        "local",
    )
    assert (plan["width"], plan["height"], plan["num_frames"], plan["fps"]) == (SIDE, SIDE, 17, 16)
    assert plan["seconds"] == pytest.approx(17 / 16, abs=0.001)
    assert plan["arguments"]["prompt"] == "a red circle"
    assert "seed" not in plan["arguments"]
    with pytest.raises(ValidationError) as refused:
        tm.plan("text_to_video", "wan2.1-t2v-1.3b", prompt="a fox", num_frames=80)
    assert refused.value.problems[0].nearest == 81
    with pytest.raises(ValidationError):
        tm.plan("text_to_vide", prompt="a fox")  # type: ignore[arg-type]
    assert tm.list_jobs() == []


def test_seconds_and_shape_are_flags(shell: Run) -> None:
    """The plan has frames and pixels, and what was asked for."""
    words = ("text-to-video", "a fox", "-m", "fake-wan2.1-t2v-1.3b", "-p", "fake")
    plan = planned(shell, *words, "--seconds", "3", "--aspect", "9:16", "--resolution", "720p")
    assert (plan["width"], plan["height"], plan["num_frames"]) == (720, 1280, 49)
    assert plan["asked"] == {"seconds": 3.0, "aspect": "9:16", "resolution": "720p"}
    refused = shell(*words, "--seconds", "3", "--num-frames", "49", "--resolution", "wide")
    assert refused.returncode == 3
    assert "--seconds and --num-frames" in refused.stderr
    assert '--resolution must be such as "480p"' in refused.stderr


def test_a_recipe_on_another_model_leaves_the_defaults_of_its_own(shell: Run, folder: Path) -> None:
    """What was chosen goes with ``--from``; the first model's size and steps do not."""
    chosen = {"seed": 5, "width": SIDE, "height": SIDE, "num_frames": 17, "negative_prompt": "snow"}
    recipe = {
        "tiomagic_recipe": 1,
        "feature": "text_to_video",
        "model": "doodle",
        "provider": "fake",
    }
    inside = {**recipe, "required_args": {"prompt": "a fox"}, "optional_args": chosen, "facts": {}}
    (folder / "clip.json").write_text(json.dumps(inside), encoding="utf-8")
    plan = planned(shell, "text-to-video", "--from", "clip.json", "-m", "fake-wan2.1-t2v-1.3b")
    assert (plan["width"], plan["height"], plan["num_frames"]) == (832, 480, 81)
    assert plan["arguments"]["seed"] == 5  # type: ignore[index]
    assert plan["arguments"]["negative_prompt"] == "snow"  # type: ignore[index]
    again = planned(shell, "rerun", "clip.json", "-m", "fake-wan2.1-t2v-1.3b", "--seconds", "2")
    assert (again["num_frames"], again["asked"]) == (33, {"seconds": 2})


def test_a_dry_run_refuses_as_the_run_would(shell: Run) -> None:
    """Every problem with its nearest value and the same code."""
    done = shell("text-to-video", "a fox", "-p", "fake", "--num-frames", "80", "--dry-run")
    assert (done.returncode, done.stdout) == (3, "")
    assert "nearest: 81" in done.stderr


def test_a_prompt_comes_from_a_file(shell: Run, folder: Path) -> None:
    """``@file`` is its words without the line end, ``@@`` an @, and a missing file is told."""
    (folder / "words.txt").write_text("a fox\nin snow\n", encoding="utf-8")
    for given, meant in (("@words.txt", "a fox\nin snow"), ("@@home", "@home")):
        plan = planned(shell, "text-to-video", given, "-p", "fake")
        assert plan["arguments"]["prompt"] == meant  # type: ignore[index]
    done = shell("text-to-video", "@nowhere.txt", "-p", "fake")
    assert done.returncode == 3
    assert "nowhere.txt" in done.stderr


def test_a_prompt_comes_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` reads what is piped in."""
    from tiomagic.cli._text_input import read_prompt

    monkeypatch.setattr(sys, "stdin", io.StringIO("a fox in snow\n"))
    assert read_prompt("-") == "a fox in snow"


def test_open_starts_a_player(shell: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The video's path is the data; a machine without a player says so."""
    nothing = shell("open")
    assert (nothing.returncode, "no job with a video" in nothing.stderr) == (3, True)
    video = shell("text-to-video", "a fox", "-p", "fake", "-q").stdout.strip()
    job_id = json.loads(shell("jobs", "--json").stdout)[0]["job_id"]
    started: list[str] = []

    def launch(path: str) -> int:
        started.append(path)
        return 0

    monkeypatch.setattr("tiomagic.display.player._has_desktop", lambda: True)
    monkeypatch.setattr("typer.launch", launch)
    done = shell("open", job_id)
    assert (done.returncode, done.stdout, started) == (0, f"{video}\n", [video])
    assert shell("open").stdout == f"{video}\n"
    assert started == [video, video]
    monkeypatch.setattr("typer.launch", lambda path: 1)
    assert shell("open", job_id).returncode == 5
    monkeypatch.undo()
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert shell("open", "nothing").returncode == 3
