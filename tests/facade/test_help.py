"""What helps at the command line: examples, completion in a shell, and recipes to begin with."""

import json
import shlex
from pathlib import Path

import pytest
import typer
from tests.facade.conftest import Run

from tiomagic.cli.examples import EXAMPLES
from tiomagic.cli.main import app

PROGRAM = typer.main.get_group(app)
T2V = ("text-to-video", "a fox", "--provider", "fake", "-q")
BASH = {"_TIOMAGIC_COMPLETE": "complete_bash"}


def test_every_command_has_examples() -> None:
    """No command is without one, and none is left of a command that is gone."""
    assert set(EXAMPLES) == set(PROGRAM.commands) - {"modal"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_right(name: str) -> None:
    """Each is a command line that its command understands, and stands on its help page."""
    command = PROGRAM.commands[name]
    for example in EXAMPLES[name]:
        first, *words = shlex.split(example.partition(" < ")[0])
        assert first == name
        command.make_context(name, words, resilient_parsing=False).close()
        assert f"tiomagic {example}" in str(command.epilog)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("text-to-video --model wan2.1-t2v", ["wan2.1-t2v-1.3b", "wan2.1-t2v-14b"]),
        ("schema doodle te", ["text-to-video"]),
        ("jobs --status cance", ["canceling", "canceled"]),
        ("jobs --feature inter", ["interpolate"]),
        ("text-to-video --provider mo", ["modal"]),
        ("status ", []),
    ],
)
def test_a_shell_completes_names(shell: Run, folder: Path, line: str, offered: list[str]) -> None:
    """Models, features, providers and statuses; looking for jobs makes no database."""
    at = str(len(line.split(" ")))
    done = shell(**BASH, COMP_WORDS=f"tiomagic {line}", COMP_CWORD=at)
    assert done.stdout.split() == offered
    assert list(folder.glob(".tiomagic*")) == []


def test_a_shell_completes_jobs_and_videos(shell: Run, folder: Path) -> None:
    """The ids of stored jobs, and the files that have a recipe."""
    shell(*T2V, "-o", "fox.mp4")
    (folder / "fox.txt").write_text("not a video")
    (job_id,) = [job["job_id"] for job in json.loads(shell("jobs", "--json").stdout)]
    done = shell(**BASH, COMP_WORDS=f"tiomagic status {job_id[:4]}", COMP_CWORD="2")
    assert done.stdout.split() == [job_id]
    done = shell(**BASH, COMP_WORDS="tiomagic sheet fo", COMP_CWORD="2")
    assert done.stdout.split() == ["fox.mp4"]


def test_a_broken_store_completes_nothing(shell: Run, folder: Path) -> None:
    """No traceback lands in the line that somebody types."""
    (folder / ".tiomagic").mkdir()
    (folder / ".tiomagic" / "jobs.db").write_text("this is no database, " * 99)
    done = shell(**BASH, COMP_WORDS="tiomagic status ", COMP_CWORD="2")
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_a_recipe_is_where_a_call_begins(shell: Run) -> None:
    """``--from`` takes model, words and settings; what is given beside it wins."""
    first = shell(*T2V, "--seed", "5", "--steps", "2").stdout.strip()
    beside = str(Path(first).with_suffix(".json"))
    made = shell("text-to-video", "--from", beside, "--steps", "3", "-p", "fake", "--json")
    generation = json.loads(made.stdout)["generation"]
    assert generation["required_args"] == {"prompt": "a fox"}
    given = generation["optional_args"]
    assert (given["seed"], given["num_inference_steps"]) == (5, 3)
    planned = shell("text-to-video", "an owl", "--from", beside, "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    # Where no provider is set, it is the one of the recipe.
    assert (plan["provider"], plan["model"]) == ("fake", "fake-wan2.1-t2v-1.3b")
    assert (plan["arguments"]["prompt"], plan["arguments"]["seed"]) == ("an owl", 5)
    assert len(json.loads(shell("jobs", "--json").stdout)) == 2


def test_a_recipe_of_another_feature_is_refused(shell: Run) -> None:
    """It names the command that takes it; and without one, words are required."""
    first = shell(*T2V).stdout.strip()
    done = shell("interpolate", "--from", str(Path(first).with_suffix(".json")))
    assert done.returncode == 3
    assert "use: tiomagic text-to-video" in done.stderr
    done = shell("text-to-video", "-p", "fake")
    assert done.returncode == 2
    assert "--from" in done.stderr
