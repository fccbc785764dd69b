"""The job entity: its moves, its notes, and the shapes it is told in."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from tiomagic_domain.errors import InvalidTransitionError, ValidationError
from tiomagic_domain.jobs.job import TERMINAL, Job, JobQuery, JobStatus
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.ports import Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing.repository import NOON, make_job

LATER = NOON + timedelta(minutes=5)

# Typed out, never taken from the product: a mistake in its table must not agree with itself.
LEGAL = {
    ("queued", "running"),
    ("queued", "canceling"),
    ("queued", "completed"),
    ("queued", "failed"),
    ("queued", "canceled"),
    ("running", "queued"),
    ("running", "canceling"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "canceled"),
    ("canceling", "completed"),
    ("canceling", "failed"),
    ("canceling", "canceled"),
}
WORDS = ("queued", "running", "canceling", "completed", "failed", "canceled")


def job_in(word: str) -> Job:
    return make_job(status=JobStatus(word), retry=1)


@pytest.mark.parametrize(("start", "end"), list(itertools.product(WORDS, WORDS)))
def test_a_job_moves_where_it_may_and_nowhere_else(start, end):
    """Of the 36 pairs, the thirteen of the list are moves; the others leave the job as it is."""
    job = job_in(start)
    if (start, end) in LEGAL:
        moved = job.to(JobStatus(end), at=LATER, message="moved")
        assert (moved.status, moved.last_updated, moved.message) == (end, LATER, "moved")
        assert (moved.version, moved.creation_time) == (job.version, job.creation_time)
    else:
        with pytest.raises(InvalidTransitionError) as caught:
            job.to(JobStatus(end), at=LATER)
        assert caught.value.details == {"job_id": job.job_id, "from": start, "to": end}
    assert job.status == start


def test_the_words_are_the_documented_ones():
    """The vocabulary is stored and scripted against, so it does not grow by accident."""
    assert {status.value for status in JobStatus} == set(WORDS)


def test_the_ends_are_ends():
    """Exactly three statuses are terminal."""
    assert {"completed", "failed", "canceled"} == TERMINAL
    assert [word for word in WORDS if JobStatus(word).is_terminal] == [
        "completed",
        "failed",
        "canceled",
    ]


def test_a_job_remembers_when_it_ran():
    """The start and the end of a run are kept; a job that nobody saw running has no start."""
    job = make_job()
    assert (job.started_at, job.ended_at) == (None, None)
    running = job.to(JobStatus.RUNNING, at=NOON)
    assert (running.started_at, running.ended_at) == (NOON, None)
    canceling = running.to(JobStatus.CANCELING, at=LATER)
    assert (canceling.started_at, canceling.ended_at) == (NOON, None)
    canceled = canceling.to(JobStatus.CANCELED, at=LATER)
    assert (canceled.started_at, canceled.ended_at) == (NOON, LATER)
    assert job.to(JobStatus.COMPLETED, at=LATER).started_at is None


def test_a_lost_run_starts_over():
    """Another attempt is counted, uses up a retry, and remembers nothing of the lost run."""
    progress = Progress(phase=Phase.DENOISING, step=2, steps=3)
    job = make_job(retry=1, queue="q").to(JobStatus.RUNNING, at=NOON, call_id="c")
    again = job.with_changes(at=NOON, progress=progress).next_attempt(at=LATER, message="once more")
    assert (again.status, again.attempt, again.retry, again.queue) == ("queued", 2, 0, "q")
    assert (again.call_id, again.progress, again.started_at) == (None, None, None)
    assert (again.message, again.last_updated) == ("once more", LATER)


def test_a_job_runs_again_only_as_often_as_it_may():
    """When its retries are used up, a job does not start over, whichever door is tried."""
    running = make_job(retry=0, status=JobStatus.RUNNING)
    with pytest.raises(InvalidTransitionError, match="may not be run again"):
        running.next_attempt(at=LATER)
    with pytest.raises(InvalidTransitionError, match="may not be run again"):
        running.to(JobStatus.QUEUED, at=LATER)


def test_a_provider_cannot_start_a_run_over():
    """A remote job that was preempted stays running, and what was said of it is kept."""
    running = make_job(retry=3, status=JobStatus.RUNNING, call_id="c")
    said = Report(status=JobStatus.QUEUED, message="preempted, waits again")
    after = apply_report(running, said, at=LATER)
    assert (after.status, after.message) == ("running", "preempted, waits again")
    assert (after.attempt, after.retry, after.call_id) == (1, 3, "c")


@pytest.mark.parametrize("word", WORDS)
def test_labels_are_taken_in_every_status(word):
    """The user's words are the user's: they change on a finished job too, one at a time."""
    job = job_in(word)
    tagged = job.with_labels(at=LATER, tags=[" red ", "big one", "red"])
    assert (tagged.tags, tagged.note) == (("red", "big one"), "")
    noted = tagged.with_labels(at=LATER, note="keep")
    assert (noted.tags, noted.note) == (("red", "big one"), "keep")
    assert noted.with_labels(at=LATER, tags=()).tags == ()
    assert (noted.status, noted.last_updated) == (word, LATER)


@pytest.mark.parametrize("tag", ["", "  ", "two\nlines", "x" * 101, "\0"])
def test_a_tag_that_nobody_could_type_is_refused(tag):
    """The error names the field, and the job is as it was."""
    with pytest.raises(ValidationError) as caught:
        make_job().with_labels(at=LATER, tags=["good", tag])
    assert [problem.field for problem in caught.value.problems] == ["tags"]


@pytest.mark.parametrize("word", WORDS)
def test_notes_are_taken_until_the_end(word):
    """A note changes a job that goes on, and never one that is over."""
    job = job_in(word)
    if word in {"completed", "failed", "canceled"}:
        with pytest.raises(InvalidTransitionError):
            job.with_changes(at=LATER, message="too late")
    else:
        noted = job.with_changes(at=LATER, message="step 3")
        assert (noted.status, noted.message, noted.last_updated) == (word, "step 3", LATER)


def test_a_note_is_no_back_door():
    """The status cannot be changed by a note."""
    with pytest.raises(InvalidTransitionError):
        job_in("queued").with_changes(at=LATER, status=JobStatus.COMPLETED)


def test_the_dict_is_the_documented_one():
    """The dict has the promised keys, and plain ``json.dumps`` takes it."""
    job = make_job(progress=Progress(phase=Phase.LOADING), facts={"device": "cpu"}, call_id="c")
    told = json.loads(json.dumps(job.to_dict()))
    promised = "job_id feature model provider generation creation_time last_updated error"
    assert set(promised.split()) <= set(told)
    within = "call_id status message timestamp required_args optional_args result_video"
    assert set(told["generation"]) == set(within.split())
    assert datetime.fromisoformat(told["creation_time"]) == NOON
    assert datetime.fromisoformat(told["creation_time"]).utcoffset() is not None
    assert (told["tags"], told["note"], told["attempt"], told["retry"]) == ([], "", 1, 0)
    assert (told["queue"], told["started_at"], told["ended_at"]) == (None, None, None)
    ended = job.to(JobStatus.RUNNING, at=NOON).to(JobStatus.FAILED, at=LATER).to_dict()
    assert ended["started_at"] == NOON.isoformat()
    assert ended["ended_at"] == LATER.isoformat()
    assert told["progress"] == {"phase": "loading", "step": 0, "steps": 0}


def test_arguments_are_inputs_and_settings_together():
    """What a rerun starts from is one dict."""
    assert make_job(prompt="owl").arguments == {"prompt": "owl", "seed": 7}


def test_a_query_says_all_that_is_wrong_with_it():
    """A negative limit and times without a zone are refused together, each by name."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValidationError) as caught:
        JobQuery(limit=-1, since=naive, until=naive)
    assert {problem.field for problem in caught.value.problems} == {"limit", "since", "until"}
    assert JobQuery(limit=0, since=NOON, until=datetime.now(UTC)).limit == 0
