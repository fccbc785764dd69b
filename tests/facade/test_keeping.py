"""The user's own words on jobs, deleting them, and taking them elsewhere; over a real database."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.facade.conftest import MODEL, FakeApp, Run

from tiomagic import JobHandle
from tiomagic.errors import ProcessingError, ResourceNotFoundError, ValidationError
from tiomagic.results.export import EXPORT_COLUMNS


def make(fake_app: FakeApp, prompt: str = "a fox", provider: str = "local") -> JobHandle:
    fake_app.tm.configure(provider=provider)
    fake_app.clock.advance(1)
    return fake_app.tm.text_to_video(prompt=prompt, seed=5)


def test_tags_and_a_note_are_found_again(fake_app: FakeApp) -> None:
    """What one handle wrote another one has, the list filters by it, and the log shows it."""
    job, other = make(fake_app), make(fake_app, provider="modal")
    assert job.tag("snow", "keep").untag("snow", "rain").set_note("the best one") is job
    assert (job.tags, job.note, job.status) == (["keep"], "the best one", "completed")
    assert [found.job_id for found in fake_app.tm.list_jobs(tag="keep")] == [job.job_id]
    assert fake_app.tm.list_jobs(tag="kee") == []
    assert fake_app.tm.get_job(job.job_id).note == "the best one"
    log = json.loads(Path("generation_log.json").read_text())
    assert {entry["job_id"]: entry["tags"] for entry in log["jobs"]} == {
        job.job_id: ["keep"],
        other.job_id: [],
    }
    with pytest.raises(ValidationError, match="tags"):
        job.tag("")


def test_a_label_is_no_news_of_the_run(fake_app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Tagging a finished job does not tell once more that it was completed."""
    job = make(fake_app)
    caplog.clear()
    with caplog.at_level("INFO", logger="tiomagic"):
        job.tag("keep")
    assert caplog.records == []


def test_an_unknown_filter_is_named(fake_app: FakeApp) -> None:
    """A misspelt filter does not list everything."""
    with pytest.raises(TypeError, match="Did you mean 'status'"):
        fake_app.tm.list_jobs(statuss="failed")  # type: ignore[call-arg]


def test_a_deleted_job_is_gone_with_its_files_when_told(fake_app: FakeApp) -> None:
    """The record goes, the video only with ``files``, and the log no longer shows it."""
    kept, gone = make(fake_app), make(fake_app)
    assert fake_app.tm.delete_job(kept.job_id) == []
    video = Path(gone.result_video or "")
    assert set(fake_app.tm.delete_job(gone.job_id, files=True)) == {
        video,
        video.with_suffix(".json"),
    }
    assert Path(kept.result_video or "").exists()
    assert not video.exists()
    assert json.loads(Path("generation_log.json").read_text()) == {"jobs": []}
    with pytest.raises(ResourceNotFoundError):
        fake_app.tm.get_job(gone.job_id)


def test_a_job_that_is_not_over_stays(fake_app: FakeApp) -> None:
    """The error says what to do first, and doing it helps."""
    job = make(fake_app, provider="modal")
    with pytest.raises(ValidationError, match="cancel it first"):
        fake_app.tm.delete_job(job.job_id)
    job.cancel().refresh()
    fake_app.tm.delete_job(job.job_id)
    assert fake_app.tm.list_jobs() == []


def test_an_export_has_every_job_that_matches(fake_app: FakeApp) -> None:
    """JSON has the jobs' own dicts, newest first; a filter narrows, and nothing is left out."""
    jobs = [make(fake_app, f"fox {number}") for number in range(3)]
    assert fake_app.tm.export_jobs("all.json") == 3
    written = json.loads(Path("all.json").read_text())
    assert written == [job._job.to_dict() for job in reversed(jobs)]
    assert fake_app.tm.export_jobs("some.json", text="2 FOX") == 1
    assert fake_app.tm.export_jobs("none.json", status="failed") == 0
    assert json.loads(Path("none.json").read_text()) == []
    assert fake_app.tm.export_jobs("two.csv", limit=2) == 2


def test_a_csv_survives_what_people_write(fake_app: FakeApp) -> None:
    """Quotes, line breaks and commas come back from the CSV, under the promised columns."""
    prompt = 'a "fox", in\nsnow; 狐'
    job = make(fake_app, prompt).tag("a, b").set_note('say "cheese"\nnow')
    fake_app.tm.export_jobs("jobs.csv")
    with Path("jobs.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        (row,) = list(reader)
    assert tuple(reader.fieldnames or ()) == EXPORT_COLUMNS
    assert (row["prompt"], row["note"]) == (prompt, 'say "cheese"\nnow')
    assert json.loads(row["tags"]) == ["a, b"]
    assert (row["job_id"], row["status"], row["seed"]) == (job.job_id, "completed", "5")
    assert row["result_video"] == job.result_video
    assert json.loads(row["arguments"])["prompt"] == prompt


def test_an_export_goes_to_an_open_file_too(fake_app: FakeApp) -> None:
    """A text stream needs the format by name."""
    make(fake_app)
    stream = io.StringIO()
    assert fake_app.tm.export_jobs(stream, "csv") == 1
    assert stream.getvalue().startswith(",".join(EXPORT_COLUMNS) + "\n")
    with pytest.raises(ValidationError, match="format"):
        fake_app.tm.export_jobs(stream)


@pytest.mark.parametrize(("path", "form"), [("jobs", None), ("jobs.txt", None), ("jobs", "xml")])
def test_a_format_that_is_none_is_refused(fake_app: FakeApp, path: str, form: str | None) -> None:
    """Nothing is written when it is not known how."""
    with pytest.raises(ValidationError, match="json"):
        fake_app.tm.export_jobs(path, form)
    assert not Path(path).exists()


def test_an_export_that_fails_leaves_what_was_there(fake_app: FakeApp, folder: Path) -> None:
    """The file is replaced whole or not at all, and nothing lies around."""
    make(fake_app)
    (folder / "jobs.csv").mkdir()
    (folder / "jobs.csv" / "mine").touch()
    with pytest.raises(ProcessingError, match=r"jobs\.csv"):
        fake_app.tm.export_jobs("jobs.csv")
    assert (folder / "jobs.csv" / "mine").exists()
    assert list(folder.glob(".jobs*")) == []


def test_the_same_from_a_shell(shell: Run, folder: Path) -> None:
    """Tag, note, list by tag, export and delete as commands."""
    video = shell("text-to-video", "a fox", "-p", "fake", "-q").stdout.strip()
    job_id = shell("jobs").stdout.splitlines()[1].split()[0]
    assert shell("tag", job_id, "snow", "keep", "--remove", "snow").stdout == "keep\n"
    assert shell("note", job_id, "the best").stdout == "the best\n"
    assert shell("note", job_id).stdout == "the best\n"
    assert job_id in shell("jobs", "--tag", "keep").stdout
    assert job_id not in shell("jobs", "--tag", "snow").stdout
    done = shell("export", "jobs.csv", "--tag", "keep")
    assert (done.returncode, done.stdout, done.stderr) == (0, "jobs.csv\n", "1 job\n")
    assert json.loads(shell("export", "-").stdout)[0]["note"] == "the best"
    assert shell("export", "jobs.txt").returncode == 3
    done = shell("delete", job_id, "--files")
    assert done.stdout.splitlines() == [video, str(Path(video).with_suffix(".json"))]
    assert shell("delete", job_id).returncode == 3
    assert not Path(video).exists()


def test_deleting_a_running_job_says_what_to_do(shell: Run) -> None:
    """The command ends with 3 and one line that a person can act on."""
    job_id = shell("text-to-video", "a fox", "-p", "fake", "--no-wait", FAKE="remote").stdout
    done = shell("delete", job_id.strip(), FAKE="remote")
    assert done.returncode == 3
    assert "cancel it first, or wait for its end" in done.stderr
    assert MODEL in shell("jobs", FAKE="remote").stdout


def test_only_a_waiting_job_is_moved_to_the_front(shell: Run) -> None:
    """The command says why not, and ends with the code of a refused request."""
    shell("text-to-video", "a fox", "-p", "fake", "-q")
    done = shell("run-next", "@last")
    assert done.returncode == 3
    assert "is completed: rerun it" in done.stderr


def test_canceling_what_is_over_says_so(shell: Run) -> None:
    """The status is the result, and stderr says that nothing has changed."""
    shell("text-to-video", "a fox", "-p", "fake", "-q")
    job_id = shell("jobs").stdout.splitlines()[1].split()[0]
    done = shell("cancel", job_id)
    assert (done.returncode, done.stdout) == (0, "completed\n")
    assert done.stderr == f"job {job_id} was over already; nothing has changed\n"
