"""What helps at the command line: examples, completion in a shell, and recipes to begin with."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from tests.facade.conftest import Run, clean_environment
from typer.testing import CliRunner

from tiomagic.cli._examples import EXAMPLES
from tiomagic.cli.completion.bash import rejoin_split_words
from tiomagic.cli.main import app
from tiomagic_domain.catalogue.families.doodle import SIDE

PROGRAM = typer.main.get_group(app)
T2V = ("text-to-video", "a fox", "--provider", "fake", "-q")
BASH = {"_TIOMAGIC_COMPLETE": "complete_bash"}


def test_every_command_has_examples() -> None:
    """No command is without one, and none is left of a command that is gone."""
    assert set(EXAMPLES) == set(PROGRAM.commands) - {"modal"}


def test_no_summary_is_cut_at_80_columns() -> None:
    """The list of commands has each one's whole first sentence."""
    context = typer.Context(PROGRAM, info_name="tiomagic", terminal_width=80)
    listed = PROGRAM.get_help(context).partition("Make videos")[2]
    assert "Draw frames of a video" in listed
    assert "..." not in listed


@pytest.mark.parametrize(
    ("alias", "command"),
    [
        ("t2v", "text-to-video"),
        ("i2v", "image-to-video"),
        ("flf2v", "interpolate"),
        ("pose", "pose-guidance"),
    ],
)
def test_short_names_work_and_are_not_listed(alias: str, command: str) -> None:
    """The same command, whose own name its help says; ``-h`` works as ``--help``."""
    short, whole = (
        CliRunner().invoke(app, [name, option], prog_name="tiomagic")
        for name, option in ((alias, "-h"), (command, "--help"))
    )
    assert (short.exit_code, whole.exit_code) == (0, 0)
    assert short.stdout.partition("\n")[2] == whole.stdout.partition("\n")[2]
    assert alias not in PROGRAM.list_commands(typer.Context(PROGRAM))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_right(name: str) -> None:
    """Each is a command line that its command understands, and stands on its help page."""
    command = PROGRAM.get_command(typer.Context(PROGRAM), name)
    assert command is not None
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
        ("convert clip.mp4 --to f", ["frames", "ffv1"]),
        ("export jobs --format c", ["csv"]),
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


MODEL = "--model wan2.1-vace-14b"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("text-to-video --set me", ["memory=", "memory=auto", "memory=resident", ...]),
        (f"text-to-video {MODEL} --set acceleration=", ["exact", "fast", "turbo"]),
        (f"text-to-video {MODEL} --set acceleration=t", ["turbo"]),
        (f"text-to-video {MODEL} --set=acceleration=t", ["turbo"]),
        ("text-to-video --model=wan2.1-vace-14b --set acceleration=t", ["turbo"]),
        ("text-to-video -m wan2.1-t2v-1.3b --set fps=20 --set nu", ["num_frames=", ...]),
        ("text-to-video --set num_f", ["num_frames=", "num_frames=17"]),
        ("text-to-video --set num-f", ["num-frames=", "num-frames=17"]),
        ("text-to-video --set fps=20 --set fp", []),
        ("text-to-video --steps 4 --set num_i", []),
        ("text-to-video --set w", ["width=", "weights="]),
        ("text-to-video --set wi", ["width=", f"width={SIDE}"]),
        ("image-to-video --set im", ["image="]),
        (f"compare interpolate {MODEL} -m doodle --set la", ["last_frame="]),
        ("text-to-video --resolution 7", ["720p"]),
        ("text-to-video --aspect 1", ["16:9", "1:1"]),
        ("text-to-video --set resol", ["resolution=", ...]),
        ("text-to-video --set resolution=5", ["540p"]),
        ("text-to-video --model nothing --set ", []),
        ("text-to-video --set nothing=", []),
        ("rerun clip.mp4 --set acceleration=t", ["turbo"]),
        ("rerun clip.mp4 --set=acceleration=t", ["turbo"]),
        ("rerun clip.mp4 --set fps= --set accel", ["acceleration=", ...]),
        ("text-to-video --from clip.json --set acceleration=t", ["turbo"]),
        ("rerun nothing.mp4 --set ", []),
        ("rerun 0123 --set ", []),
    ],
)
def test_a_shell_completes_settings(
    shell: Run, folder: Path, line: str, offered: list[str]
) -> None:
    """The parameters of the model that is meant, and their values; nothing is made."""
    recipe = {"feature": "text_to_video", "model": "wan2.1-vace-14b", "provider": "local"}
    recipe |= {"required_args": {"prompt": "a fox"}, "optional_args": {}}
    (folder / "clip.json").write_text(json.dumps({"tiomagic_recipe": 1, **recipe}))
    words = split_as_bash_does(f"tiomagic {line}")
    environment = {**BASH, "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    rejoin_split_words(environment)
    found = shell(**environment).stdout.split()
    if offered[-1:] == [...]:
        assert found[: len(offered) - 1] == offered[:-1]
    else:
        assert found == offered
    assert [path.name for path in folder.iterdir()] == ["clip.json"]


def split_as_bash_does(line: str) -> list[str]:
    """Return the words of a line as readline makes them: each = is one of its own."""
    words = [word for word in re.split(r"(=)| ", line) if word is not None]
    return words[:-1] if words[-2:] == ["=", ""] else words


def test_bash_itself_completes_settings(folder: Path) -> None:
    """The program that users have, called by the function that it makes for bash."""
    program = Path(sys.executable).with_name("tiomagic")
    lines = ["tiomagic text-to-video --set acceleration=f", "tiomagic text-to-video --model=dood"]
    asked = [split_as_bash_does(line) for line in lines]
    script = ['source <("$PROGRAM" --show-completion bash)']
    for words in asked:
        script.append(f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}")
        script.append('_tiomagic_completion "$PROGRAM"; echo "${COMPREPLY[*]}"')
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=clean_environment(
            PROGRAM=str(program), _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
        ),
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["fast", "doodle"], "")


def test_other_shells_complete_whole_words(shell: Run) -> None:
    """Shells such as zsh and fish take a word with its = as one."""
    line = "tiomagic text-to-video --set acceleration=f"
    zsh = shell(_TIOMAGIC_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    assert "acceleration=fast" in zsh.stdout
    assert "exact" not in zsh.stdout
    fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": line}
    assert "acceleration=fast" in shell(_TIOMAGIC_COMPLETE="complete_fish", **fish).stdout


def test_settings_are_completed_from_a_stored_job(shell: Run) -> None:
    """``rerun JOB --set`` knows the model that made the job."""
    shell(*T2V)
    (job_id,) = [job["job_id"] for job in json.loads(shell("jobs", "--json").stdout)]
    line = f"tiomagic rerun {job_id} --set flow_"
    done = shell(_TIOMAGIC_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    assert "flow_shift=" in done.stdout


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


INPUTS_OF_COMMANDS = {
    "text-to-video": "prompt",
    "image-to-video": "prompt --image --loop",
    "interpolate": "prompt --first-frame --last-frame --keyframe --loop",
    "pose-guidance": "prompt --image --guiding-video --pose-video --control-video --last-frame "
    "--background-video --mask-video --control",
}
OPTIONS_OF_ALL = (
    "--from --model --provider --seed --seconds --aspect --resolution --width --height "
    "--num-frames --steps --guidance-scale --negative-prompt --lora --set --output --preview "
    "--model-path --wait --retry --max-cost --timeout "
    "--dry-run --trust --force --yes --accept-terms --quiet --json --debug --help"
)


@pytest.mark.parametrize("name", INPUTS_OF_COMMANDS)
def test_the_feature_commands_differ_in_their_inputs_alone(name: str) -> None:
    """Each takes the inputs of its feature, and then the same options in the same order."""
    context = typer.Context(PROGRAM)
    command = PROGRAM.get_command(context, name)
    assert command is not None
    taken = [parameter.opts[0] for parameter in command.get_params(context)]
    assert " ".join(taken) == f"{INPUTS_OF_COMMANDS[name]} {OPTIONS_OF_ALL}"


def test_a_server_is_not_started_with_a_word_too_many():
    answer = CliRunner().invoke(app, ["serve", "run", "log"])
    assert answer.exit_code == 2
    assert "serve webhooks log" in answer.output
