"""Many jobs at once on Modal: side by side, a failing one among them, and on where it stopped."""

import csv
import json
import signal
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import av
import pytest
from tests.modal.conftest import SMALL_VIDEO, TEXT_MODEL, TIMEOUT_S, VACE_MODEL
from tests.modal.test_story import caller, finish, start

GOOD = json.dumps({"frames": 4})
"""Orders for a real video: pictures are made of it."""
BAD = json.dumps({"error": "ValueError", "text": "no such fox"})
FOX = {"feature": "text_to_video", "model": TEXT_MODEL, **SMALL_VIDEO}

COMMAND = """
import sys
from tiomagic.cli.main import run
sys.argv = ["tiomagic", *{words!r}]
run()
"""


@pytest.fixture
def tm(fake, tmp_path):
    """A caller in the working directory."""
    with closing(caller(fake, tmp_path)) as tm:
        yield tm


def open_calls(fake):
    return [call for call in fake.calls.values() if call.status in {"queued", "running"}]


def runs(fake):
    """Return how often each call ran."""
    return sorted(call.runs for call in fake.calls.values())


def held_back(fake, count, doing):
    """Do something in a thread while Modal starts nothing; return it when so many calls are open.

    The calls are then let go.
    """
    fake.hold()
    found = []
    thread = threading.Thread(target=lambda: found.append(doing()), daemon=True)
    thread.start()
    try:
        fake.wait_for(lambda: len(open_calls(fake)) == count, TIMEOUT_S)
        # One look later there are no more: the others wait until one of these is over.
        looks = fake.rpc_counts["FunctionGetOutputs"]
        fake.wait_for(lambda: fake.rpc_counts["FunctionGetOutputs"] > looks + count, TIMEOUT_S)
        assert len(fake.calls) == count
    finally:
        fake.release()
    thread.join(TIMEOUT_S)
    (made,) = found
    return made


def test_a_batch_is_open_side_by_side_and_goes_on_where_it_stopped(fake, tm):
    """As many calls as are allowed are with Modal at once, and one that fails is only itself.

    The same batch again sends what has failed, and nothing else.
    """
    prompts = [GOOD, GOOD, BAD, GOOD, GOOD]
    requests = [{**FOX, "prompt": prompt, "seed": n} for n, prompt in enumerate(prompts)]
    made = held_back(fake, 3, lambda: tm.batch(requests, concurrency=3, progress=False))
    assert [cell.error is None for cell in made.cells] == [True, True, False, True, True]
    assert "no such fox" in made.failures[0].error
    assert [job.generation["optional_args"]["seed"] for job in made.jobs] == [0, 1, 3, 4]
    videos = [Path(job.result_video) for job in made.jobs]
    assert len(set(videos)) == 4
    for job, video in zip(made.jobs, videos, strict=True):
        assert frames_of(video) == 4
        assert job.job_id[:8] in video.name
    assert runs(fake) == [1] * 5

    again = tm.batch(requests, concurrency=3, progress=False)
    assert [cell.found for cell in again.cells] == [True, True, False, True, True]
    assert [Path(job.result_video) for job in again.jobs] == videos
    assert runs(fake) == [1] * 6
    assert len(again.failures) == 1


def frames_of(video):
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_comparison_that_was_killed_is_finished_by_the_same_command(fake, tmp_path):
    """``kill -9`` with four calls open; then each of them is there once, and so are the files."""
    words = ["compare", "text-to-video", "--provider", "modal", "--output", "grid", "--quiet"]
    words += ["-m", TEXT_MODEL, "-m", VACE_MODEL, "--seed", "1", "--seed", "2"]
    words += ["--prompt", GOOD, *(f"--set={name}={value}" for name, value in SMALL_VIDEO.items())]
    code = COMMAND.format(words=words)
    fake.hold()
    process = start(code, fake, tmp_path)
    fake.wait_for(lambda: len(open_calls(fake)) == 4, TIMEOUT_S)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "grid").exists()
    fake.release()
    told = finish(start(code, fake, tmp_path)).split()
    assert [Path(line).name for line in told] == [
        *("comparison.mp4", "sheet.png", "cells.csv", "cells.json"),
    ]
    with (tmp_path / "grid" / "cells.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"], row["status"]) for row in rows] == [
        (model, seed, "completed") for model in (TEXT_MODEL, VACE_MODEL) for seed in ("1", "2")
    ]
    assert runs(fake) == [1] * 4
    assert frames_of(tmp_path / "grid" / "comparison.mp4") == 4


def test_the_command_line_makes_a_batch_on_modal(fake, tmp_path):
    """A path for each video; the code and a line for the one that failed."""
    requests = [{**FOX, "prompt": prompt} for prompt in (GOOD, BAD, GOOD)]
    (tmp_path / "many.jsonl").write_text("\n".join(json.dumps(request) for request in requests))
    words = ["batch", "many.jsonl", "--provider", "modal", "--concurrency", "2"]
    process = start(COMMAND.format(words=words), fake, tmp_path)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 5, err
    assert len([line for line in out.splitlines() if Path(line).is_file()]) == 2
    assert "3/3" in err
    assert "no such fox" in err
    with closing(caller(fake, tmp_path)) as tm:
        statuses = Counter(job.status for job in tm.list_jobs())
    assert statuses == {"completed": 2, "failed": 1}
