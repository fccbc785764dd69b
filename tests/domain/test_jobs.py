"""The job entity: its moves, its notes, and the shapes it is told in."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from tiomagic_domain.errors import InvalidTransitionError, ValidationError
from tiomagic_domain.jobs import TERMINAL, Job, JobQuery, JobStatus
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
    return make_job(status=JobStatus(word))


@pytest.mark.parametrize(("start", "end"), list(itertools.product(WORDS, WORDS)))
def test_a_job_moves_where_it_may_and_nowhere_else(start, end):
    """Of the 36 pairs, the twelve of the list are moves; the others leave the job as it is."""
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


@pytest.mark.parametrize("word", WORDS)
def test_notes_are_taken_until_the_end(word):
    """A note changes a job that goes on, and never one that is over."""
    job = job_in(word)
    if word in {"completed", "failed", "canceled"}:
        with pytest.raises(InvalidTransitionError):
            job.note(at=LATER, message="too late")
    else:
        noted = job.note(at=LATER, message="step 3")
        assert (noted.status, noted.message, noted.last_updated) == (word, "step 3", LATER)


def test_a_note_is_no_back_door():
    """The status cannot be changed by a note."""
    with pytest.raises(InvalidTransitionError):
        job_in("queued").note(at=LATER, status=JobStatus.COMPLETED)


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
