"""Mistakes on the command line: a sentence and the documented exit code, never a traceback."""

import json
from pathlib import Path

import pytest
from tests.facade.conftest import Run

from tiomagic.cli._values import loras_text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("demo", "/proc/nowhere"), 3, "cannot be made"),
        (("ui", "--port", "99999", "--no-browser"), 3, "0 to 65535"),
        (("convert", "clip.mp4"), 2, "--to"),
        (("convert", "clip.mp4", "-o", "clip.xyz"), 2, "gif"),
        (("sheet", "notes.md"), 3, "notes.md"),
        (("status", "@last"), 3, "there are 0 jobs"),
        (("open", "@last~x"), 3, "there is no job"),
    ],
)
def test_a_mistake_is_a_sentence(
    shell: Run, folder: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    """Paths, ports, formats and names of jobs."""
    (folder / "notes.md").write_text("# Notes")
    done = shell(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "there is no job 'notes.md'" not in done.stderr


def test_a_batch_names_every_request_that_cannot_be_used(shell: Run, folder: Path) -> None:
    """And takes the names of the commands."""
    requests = [{"feature": "text-to-video", "prompt": "a fox"}, {"prompt": "x"}, {"feature": "no"}]
    (folder / "bad.json").write_text(json.dumps(requests))
    done = shell("batch", "bad.json", "-p", "fake")
    assert done.returncode == 3
    assert "requests[1]" in done.stderr
    assert "requests[2]" in done.stderr
    assert "requests[0]" not in done.stderr
    (folder / "good.json").write_text(json.dumps(requests[:1]))
    assert shell("batch", "good.json", "-p", "fake", "-q").returncode == 0


def test_a_listing_says_what_it_leaves_out(shell: Run, folder: Path) -> None:
    """An empty one says so; a short one says how many there are, and how to see them."""
    assert "there is no job in" in shell("jobs").stderr
    for _ in range(3):
        shell("text-to-video", "a fox", "-p", "fake", "-q")
    done = shell("jobs", "--limit", "2")
    last = done.stdout.splitlines()[-1].split()[0]
    assert f"2 of 3 jobs; older ones: --after {last[:8]}, or --limit 3" in done.stderr
    rest = shell("jobs", "--after", last[:8])
    assert (len(rest.stdout.splitlines()), rest.stderr) == (2, "")
    assert "no job fits" in shell("jobs", "--status", "failed").stderr
    assert shell("jobs", "--status", "failed", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tv2", "a fox"), "Did you mean 't2v'?"),
        (("text2video", "a fox"), "Did you mean 'text-to-video'?"),
        (("t2v", "--size", "832x480", "a fox"), "Did you mean --resolution?"),
        (("t2v", "--fps", "8", "a fox"), "--set fps=VALUE"),
        (("t2v", "--cfg", "3", "a fox"), "Did you mean --guidance-scale?"),
        (("t2v", "--zzz", "a fox"), "No such option: --zzz\n"),
        (("jobs", "--featur", "t2v"), "Did you mean --feature?"),
        (("i2v", "--keyframe", "a.png@1"), "an option of tiomagic interpolate."),
        (("t2v", "--loop"), "an option of tiomagic image-to-video and tiomagic interpolate."),
        (("extend", "a.mp4", "--image", "b.png"), "an option of tiomagic image-to-video"),
    ],
)
def test_a_command_or_option_that_is_missed_is_answered_with_what_is_meant(
    shell: Run, words: tuple[str, ...], said: str
) -> None:
    """Also by the names of other tools, and never with a far-fetched one."""
    done = shell(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Possible options" not in done.stderr


@pytest.mark.parametrize("feature", ["t2v", "text-to-video", "Text_To_Video"])
def test_a_feature_is_taken_by_each_of_its_names(shell: Run, feature: str) -> None:
    """In filters and arguments, as it is for commands."""
    for words in (
        ("models", "--feature", feature, "-p", "fake"),
        ("jobs", "--feature", feature),
        ("schema", "doodle", feature),
    ):
        done = shell(*words)
        assert done.returncode == 0, done.stderr


def test_a_lora_is_an_option(shell: Run) -> None:
    """A file with its strength behind an @; what is wrong with it is said of that option."""
    done = shell("t2v", "a fox", "-m", "wan2.1-t2v-1.3b", "--lora", "a@home.safetensors@0.8")
    assert done.returncode == 3
    assert "--lora: a@home.safetensors: there is no such file" in done.stderr
    assert loras_text(["style.safetensors@0.8", "ada/style", "a@b"]) == (
        '[{"source": "style.safetensors", "scale": 0.8}, {"source": "ada/style"}, '
        '{"source": "a@b"}]'
    )


BAD_PATHS = ("missing/none.mp4", "/proc/nowhere/x", ".", "/dev/null", "notes.md", "x" * 300)
PATH_COMMANDS = {
    "prompt": ("t2v", "@{}", "-p", "fake"),
    "output": ("t2v", "a fox", "-p", "fake", "-q", "-o", "{}/deep/x.mp4"),
    "recipe": ("t2v", "--from", "{}", "-p", "fake"),
    "weights": ("t2v", "a fox", "-m", "wan2.1-t2v-1.3b", "--model-path", "{}", "--dry-run"),
    "lora": ("t2v", "a fox", "-m", "wan2.1-t2v-1.3b", "--lora", "{}", "--dry-run", "--force"),
    "image": ("i2v", "a fox", "-m", "wan2.1-vace-1.3b", "--image", "{}", "--force"),
    "frames": ("interpolate", "x", "--first-frame", "{}", "--last-frame", "{}", "--force"),
    "video": ("pose", "x", "--image", "{}", "--guiding-video", "{}", "--force"),
    "rerun": ("rerun", "{}", "-p", "fake"),
    "batch": ("batch", "{}", "-p", "fake"),
    "compare": ("compare", "t2v", "--prompt", "x", "-p", "fake", "-q", "-o", "{}/deep"),
    "demo": ("demo", "{}/deep", "-p", "fake", "-q"),
    "export": ("export", "{}/deep/jobs.csv"),
    "convert": ("convert", "{}", "--to", "gif"),
    "sheet": ("sheet", "{}"),
    "inspect": ("inspect", "{}"),
    "open": ("open", "{}"),
    "job": ("status", "{}"),
    "cancel": ("cancel", "{}"),
    "logs": ("logs", "{}"),
    "delete": ("delete", "{}"),
    "note": ("note", "{}", "x"),
    "tag": ("tag", "{}", "x"),
    "download": ("download", "{}"),
    "verify": ("weights", "verify", "{}"),
    "remove": ("weights", "remove", "{}", "--yes"),
}


@pytest.mark.parametrize("command", PATH_COMMANDS)
def test_no_bad_path_makes_a_traceback(shell: Run, folder: Path, command: str) -> None:
    """A file that is not there, a folder, a device, a text, a name that is too long."""
    (folder / "notes.md").write_text("# Notes")
    for path in BAD_PATHS:
        done = shell(*(word.format(path) for word in PATH_COMMANDS[command]))
        told = f"{path[:20]!r}: {done.returncode} {done.stderr}"
        assert done.returncode in {0, 2, 3, 4, 5}, told
        assert done.returncode == 0 or done.stderr.strip(), told
        assert "Traceback" not in done.stderr, told
