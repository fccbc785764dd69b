"""The user's own words on jobs, deleting them, and taking them elsewhere; over a real database."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.facade.conftest import MODEL, Run, Stage

from tiomagic import JobHandle
from tiomagic.errors import ProcessingError, ResourceNotFoundError, ValidationError
from tiomagic.results.export import COLUMNS


def make(stage: Stage, prompt: str = "a fox", provider: str = "local") -> JobHandle:
    stage.tm.configure(provider=provider)
    stage.clock.advance(1)
    return stage.tm.text_to_video(prompt=prompt, seed=5)


def test_tags_and_a_note_are_found_again(stage: Stage) -> None:
    """What one handle wrote another one has, the list filters by it, and the log shows it."""
    job, other = make(stage), make(stage, provider="modal")
    assert job.tag("snow", "keep").untag("snow", "rain").set_note("the best one") is job
    assert (job.tags, job.note, job.status) == (["keep"], "the best one", "completed")
    assert [found.job_id for found in stage.tm.list_jobs(tag="keep")] == [job.job_id]
    assert stage.tm.list_jobs(tag="kee") == []
    assert stage.tm.get_job(job.job_id).note == "the best one"
    log = json.loads(Path("generation_log.json").read_text())
    assert {entry["job_id"]: entry["tags"] for entry in log["jobs"]} == {
        job.job_id: ["keep"],
        other.job_id: [],
    }
    with pytest.raises(ValidationError, match="tags"):
        job.tag("")


def test_a_label_is_no_news_of_the_run(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Tagging a finished job does not tell once more that it was completed."""
    job = make(stage)
    caplog.clear()
    with caplog.at_level("INFO", logger="tiomagic"):
        job.tag("keep")
    assert caplog.records == []


def test_an_unknown_filter_is_named(stage: Stage) -> None:
    """A misspelt filter does not list everything."""
    with pytest.raises(TypeError, match="Did you mean 'status'"):
        stage.tm.list_jobs(statuss="failed")  # type: ignore[call-arg]


def test_a_deleted_job_is_gone_with_its_files_when_told(stage: Stage) -> None:
    """The record goes, the video only with ``files``, and the log no longer shows it."""
    kept, gone = make(stage), make(stage)
    assert stage.tm.delete_job(kept.job_id) == []
    video = Path(gone.result_video or "")
    assert set(stage.tm.delete_job(gone.job_id, files=True)) == {video, video.with_suffix(".json")}
    assert Path(kept.result_video or "").exists()
    assert not video.exists()
    assert json.loads(Path("generation_log.json").read_text()) == {"jobs": []}
    with pytest.raises(ResourceNotFoundError):
        stage.tm.get_job(gone.job_id)


def test_a_job_that_is_not_over_stays(stage: Stage) -> None:
    """The error says what to do first, and doing it helps."""
    job = make(stage, provider="modal")
    with pytest.raises(ValidationError, match="cancel it first"):
        stage.tm.delete_job(job.job_id)
    job.cancel().refresh()
    stage.tm.delete_job(job.job_id)
    assert stage.tm.list_jobs() == []


def test_an_export_has_every_job_that_matches(stage: Stage) -> None:
    """JSON has the jobs' own dicts, newest first; a filter narrows, and nothing is left out."""
    jobs = [make(stage, f"fox {number}") for number in range(3)]
    assert stage.tm.export_jobs("all.json") == 3
    written = json.loads(Path("all.json").read_text())
    assert written == [job._job.to_dict() for job in reversed(jobs)]
    assert stage.tm.export_jobs("some.json", text="2 FOX") == 1
    assert stage.tm.export_jobs("none.json", status="failed") == 0
    assert json.loads(Path("none.json").read_text()) == []
    assert stage.tm.export_jobs("two.csv", limit=2) == 2


def test_a_csv_survives_what_people_write(stage: Stage) -> None:
    """Quotes, line breaks and commas come back from the CSV, under the promised columns."""
    prompt = 'a "fox", in\nsnow; 狐'
    job = make(stage, prompt).tag("a, b").set_note('say "cheese"\nnow')
    stage.tm.export_jobs("jobs.csv")
    with Path("jobs.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        (row,) = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert (row["prompt"], row["note"]) == (prompt, 'say "cheese"\nnow')
    assert json.loads(row["tags"]) == ["a, b"]
    assert (row["job_id"], row["status"], row["seed"]) == (job.job_id, "completed", "5")
    assert row["result_video"] == job.result_video
    assert json.loads(row["arguments"])["prompt"] == prompt


def test_an_export_goes_to_an_open_file_too(stage: Stage) -> None:
    """A text stream needs the format by name."""
    make(stage)
    stream = io.StringIO()
    assert stage.tm.export_jobs(stream, "csv") == 1
    assert stream.getvalue().startswith(",".join(COLUMNS) + "\n")
    with pytest.raises(ValidationError, match="format"):
        stage.tm.export_jobs(stream)


@pytest.mark.parametrize(("path", "form"), [("jobs", None), ("jobs.txt", None), ("jobs", "xml")])
def test_a_format_that_is_none_is_refused(stage: Stage, path: str, form: str | None) -> None:
    """Nothing is written when it is not known how."""
    with pytest.raises(ValidationError, match="json"):
        stage.tm.export_jobs(path, form)
    assert not Path(path).exists()


def test_an_export_that_fails_leaves_what_was_there(stage: Stage, folder: Path) -> None:
    """The file is replaced whole or not at all, and nothing lies around."""
    make(stage)
    (folder / "jobs.csv").mkdir()
    (folder / "jobs.csv" / "mine").touch()
    with pytest.raises(ProcessingError, match=r"jobs\.csv"):
        stage.tm.export_jobs("jobs.csv")
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


def test_canceling_what_is_over_says_so(shell: Run) -> None:
    """The status is the result, and stderr says that nothing has changed."""
    shell("text-to-video", "a fox", "-p", "fake", "-q")
    job_id = shell("jobs").stdout.splitlines()[1].split()[0]
    done = shell("cancel", job_id)
    assert (done.returncode, done.stdout) == (0, "completed\n")
    assert done.stderr == f"job {job_id} was over already; nothing has changed\n"
