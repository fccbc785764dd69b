"""Mistakes on the command line: a sentence and the documented exit code, never a traceback."""

import json
from pathlib import Path

import pytest
from tests.facade.conftest import Run


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
