"""Many requests at once: what fails is told, what is done is not done again."""

import csv
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove
from tests.facade.conftest import MODEL, VACE, FakeApp, Run

from tiomagic.display import journal
from tiomagic.errors import (
    GenerationError,
    ResourceNotFoundError,
    UnknownModelError,
    ValidationError,
)
from tiomagic_domain.testing import FakePictures
from tiomagic_storage import GenerationLog

FOX = {"feature": "text_to_video", "prompt": "a fox"}


def test_a_batch_keeps_the_order_and_the_failures(fake_app: FakeApp) -> None:
    """A refused request is a cell like the others, and the rest is made."""
    fake_app.tm.configure(provider="modal")
    made = fake_app.tm.batch(
        [FOX, {**FOX, "num_frames": 80}, {**FOX, "model": MODEL}], concurrency=3
    )
    assert [cell.error is None for cell in made.cells] == [True, False, True]
    assert "num_frames" in str(made.cells[1].error)
    assert made.cells[1].to_dict()["status"] == "refused"
    assert [job.model for job in made.jobs] == [VACE, MODEL]
    assert {f"batch:{made.name}"} <= set(made.jobs[0].tags)


def test_a_batch_makes_drafts_again_on_another_model(fake_app: FakeApp) -> None:
    """Each request may repeat a job or a file, with what its user chose."""
    tm = fake_app.tm
    tm.configure(provider="local")
    draft = tm.text_to_video("doodle", prompt="a fox", seed=5, seconds=1)
    beside = Path(draft.result_video or "").with_suffix(".json")
    again = [{"from": draft.job_id, "model": VACE}, {"from": str(beside), "model": VACE, "seed": 6}]
    jobs = tm.batch(again).jobs
    assert [(job.model, job.seed, job.prompt) for job in jobs] == [
        (VACE, 5, "a fox"),
        (VACE, 6, "a fox"),
    ]
    assert [job.optional_args["width"] for job in jobs] == [832, 832]
    assert jobs[0].chosen == {"prompt": "a fox", "seed": 5, "seconds": 1.0}
    assert all(cell.found for cell in tm.batch(again).cells)
    with pytest.raises(ResourceNotFoundError):
        tm.batch([{"from": "nothing.mp4"}])


@pytest.mark.parametrize("provider", ["local", "modal"])
def test_a_batch_goes_on_where_it_stopped(fake_app: FakeApp, provider: str) -> None:
    """Done is done; what failed is tried again; the same request twice is made twice."""
    fake_app.tm.configure(provider=provider)
    fake = getattr(fake_app, provider)
    requests = [FOX, FOX, {**FOX, "prompt": "a hare"}]
    fake.failure = GenerationError("the fake broke")
    assert len(fake_app.tm.batch(requests[:1], name="mine").failures) == 1
    fake.failure = None
    assert not fake_app.tm.batch(requests[:2], name="mine").failures
    before = len(fake.submitted)
    made = fake_app.tm.batch(requests, name="mine")
    assert len(fake.submitted) == before + 1
    assert [cell.found for cell in made.cells] == [True, True, False]
    assert len({job.job_id for job in made.jobs}) == 3
    fake_app.tm.batch(requests, name="another")
    assert len(fake.submitted) == before + 4


def test_a_running_job_is_followed_and_not_sent_again(fake_app: FakeApp) -> None:
    """A batch whose caller died finds the job that it left with the provider."""
    fake_app.tm.configure(provider="modal")
    name = "mine"
    made = fake_app.tm.batch([FOX], name=name)
    tags = made.jobs[0].tags
    fake_app.tm.delete_job(made.jobs[0].job_id)
    left = fake_app.tm.text_to_video(prompt="a fox").tag(*tags)
    sent = len(fake_app.modal.submitted)
    again = fake_app.tm.batch([FOX], name=name)
    assert [job.job_id for job in again.jobs] == [left.job_id]
    assert len(fake_app.modal.submitted) == sent


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_batch_asks_again_when_the_service_allows_it(fake_app: FakeApp, concurrency: int) -> None:
    """A limit of requests is no failure; each poll comes when the service has said."""
    fake_app.tm.configure(provider="modal")
    fake_app.modal.rate_limits = [30.0, 60.0]
    (job,) = fake_app.tm.batch([FOX], concurrency=concurrency).jobs
    assert fake_app.clock.monotonic() >= 90
    assert fake_app.modal.polled == [job.job_id] * 4


def test_a_job_of_a_batch_costs_few_writes_and_no_process(
    fake_app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is written for the batch and not for each change; it has the end of every job.

    Each of these is most of what a job costs its caller, so their numbers are what is bounded.
    """
    monkeypatch.setattr(journal, "LOG_OF_MANY_S", 3600.0)
    statements: Counter[str] = Counter()
    started: list[object] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements[statement.split(maxsplit=1)[0]] += 1

    def refuse(*command: object, **_options: object) -> None:
        started.append(command)
        raise OSError("no process")

    tm, jobs = fake_app.tm, 20
    tm.configure(provider="modal")
    tm.batch([FOX])  # Makes the database.
    log = Path("generation_log.json")
    writes: list[str] = []
    real = GenerationLog._write
    monkeypatch.setattr(GenerationLog, "_write", lambda self: (writes.append("log"), real(self))[1])
    monkeypatch.setattr(subprocess, "Popen", refuse)
    listen(Engine, "before_cursor_execute", count)
    try:
        made = tm.batch([{**FOX, "seed": seed} for seed in range(jobs)], concurrency=8)
    finally:
        remove(Engine, "before_cursor_execute", count)
    assert not made.failures
    assert len(writes) == 1
    assert not started
    assert statements["INSERT"] == jobs
    per_job = {word: number / jobs for word, number in statements.items()}
    assert per_job["UPDATE"] <= 4, per_job
    assert per_job["SELECT"] <= 7, per_job
    told = json.loads(log.read_text("utf-8"))["jobs"]
    assert [job["generation"]["status"] for job in told] == ["completed"] * (jobs + 1)


def test_no_more_than_so_many_are_under_way(fake_app: FakeApp) -> None:
    """The bound holds at every moment that a job is handed over."""
    fake_app.tm.configure(provider="modal")
    under_way: list[int] = []
    submit = fake_app.modal.submit

    def counting(request, observer):  # type: ignore[no-untyped-def]
        report = submit(request, observer)
        open_jobs = fake_app.tm.list_jobs(status=["queued", "running"])
        under_way.append(len(open_jobs))
        return report

    fake_app.modal.submit = counting  # type: ignore[method-assign]
    fake_app.tm.batch([{**FOX, "seed": seed} for seed in range(6)], concurrency=2)
    assert len(under_way) == 6
    assert max(under_way) <= 2


def test_what_has_no_lasting_form_is_refused(fake_app: FakeApp) -> None:
    """An object that no later run could recognise, and requests that are none."""
    fake_app.tm.configure(provider="modal")
    for wrong in ({**FOX, "image": object()}, {"prompt": "a fox"}, "a fox"):
        with pytest.raises(ValidationError, match=r"a batch"):
            fake_app.tm.batch([wrong])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match="concurrency"):
        fake_app.tm.batch([FOX], concurrency=0)
    assert fake_app.modal.submitted == []


def test_a_comparison_is_a_labelled_grid_with_its_table(fake_app: FakeApp, folder: Path) -> None:
    """A row a model, a column a seed; a refusing model is an empty row and no end."""
    pictures = FakePictures()
    with fake_app.tm.override(
        providers={"modal": fake_app.modal, "local": fake_app.local},
        media=fake_app.media,
        clock=fake_app.clock,
        pictures=pictures,
    ) as tm:
        tm.configure(provider="modal")
        made = tm.compare(
            "text_to_video",
            prompts=["a fox"],
            models=[MODEL, "nothing"],
            seeds=[1, 2],
            folder="grid",
        )
    assert made.folder == folder / "grid"
    assert made.sheet.is_file()
    assert made.video is not None
    labels = [[cell.label for cell in row] for row in pictures.rows]
    assert labels[0] == [f"{MODEL} · seed 1", f"{MODEL} · seed 2"]
    assert labels[1][0].startswith("nothing · seed 1 · failed: ")
    assert [cell.video is None for row in pictures.rows for cell in row] == [0, 0, 1, 1]
    with made.csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["1", "2", "1", "2"]
    assert rows[0]["seconds"] != ""
    assert "nothing" in rows[2]["error"]
    assert json.loads(made.json.read_text())[0]["prompt"] == "a fox"


def test_a_comparison_of_nothing_but_mistakes_is_refused(fake_app: FakeApp, folder: Path) -> None:
    """Before anything runs or is written: an empty prompt, and models that there are not."""
    fake_app.tm.configure(provider="modal")
    with pytest.raises(ValidationError, match="prompt: must say something"):
        fake_app.tm.compare("text_to_video", prompts=["  "], seeds=[1, 2])
    with pytest.raises(UnknownModelError, match="there is no model 'nothing'"):
        fake_app.tm.compare("text_to_video", prompts=["a fox"], models=["nothing"], seeds=[1])
    assert fake_app.modal.submitted == []
    assert not (folder / "output_videos").exists()


def test_the_command_line_takes_a_file_of_requests(shell: Run, folder: Path) -> None:
    """One path a video on stdout; a failure among them is told and is the exit code."""
    wrong = {**FOX, "num_frames": 80}
    lines = [json.dumps(request) for request in (FOX, wrong, {**FOX, "seed": 2})]
    (folder / "many.jsonl").write_text("\n".join(lines))
    done = shell("batch", "many.jsonl", "--provider", "fake")
    assert done.returncode == 5, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert all(Path(line).is_file() for line in done.stdout.splitlines())
    assert "3/3" in done.stderr
    assert "num_frames" in done.stderr
    (folder / "many.json").write_text("[")
    assert shell("batch", "many.json", "--provider", "fake").returncode == 3


def test_a_comparison_overwrites_no_file_of_others(fake_app: FakeApp, folder: Path) -> None:
    """Where a file of such a name lies it gets a folder of its own; its own files it renews."""
    pictures = FakePictures()
    (folder / "mine").mkdir()
    (folder / "mine" / "sheet.png").write_bytes(b"theirs")
    parts = {"modal": fake_app.modal, "local": fake_app.local}
    with fake_app.tm.override(
        providers=parts, media=fake_app.media, clock=fake_app.clock, pictures=pictures
    ) as tm:
        tm.configure(provider="modal")
        call = {"prompts": ["a fox"], "models": [MODEL], "seeds": [1]}
        kept = [tm.compare("text_to_video", folder="mine", **call) for _ in range(2)]
        made = [tm.compare("text_to_video", folder="new", **call) for _ in range(2)]
    assert {each.folder for each in kept} == {folder / "mine" / kept[0].name}
    assert {each.folder for each in made} == {folder / "new"}
    assert (folder / "mine" / "sheet.png").read_bytes() == b"theirs"
