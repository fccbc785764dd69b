"""Failures that are the machine's and not the job's, and workers that do not start."""

import errno
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.domain.places import CPU, QUEUE, FakeMachine

from tiomagic_domain.errors import (
    APIError,
    ConfigurationError,
    GenerationError,
    ProcessingError,
)
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.workers.environmental_errors import is_environmental


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


def test_a_failure_of_the_machine_costs_no_job(place):
    """A folder that cannot be written for a while: all are made afterwards, in their order."""
    jobs = [place.submit(name) for name in "abc"]
    place.provider.failure = ProcessingError("no space", code="spool_unwritable")
    pauses = []
    sleep = place.clock.sleep

    def mend(seconds):
        sleep(seconds)
        pauses.append(seconds)
        if sum(pauses) > 20:
            place.provider.failure = None

    place.clock.sleep = mend
    place.worker().run()
    done = [place.repository.get(job.job_id) for job in jobs]
    assert [(job.status, job.error) for job in done] == [("completed", None)] * 3
    assert [(job.attempt, job.retry) for job in done] == [(1, 0)] * 3
    assert len(place.provider.submitted) < 12  # The pauses grow.


def test_why_nothing_goes_on_is_said_on_each_job_that_waits(place):
    """On the one that was in hand at once, on another when it is looked at; and no longer then."""
    first, second = place.submit("a"), place.submit("b")
    place.provider.failure = ProcessingError("no space is left", code="spool_unwritable")
    told = []
    sleep = place.clock.sleep

    def look(seconds):
        sleep(seconds)
        if not told:
            told.extend(place.caller.check(job.job_id) for job in (first, second))
            assert place.caller.explain_waiting(QUEUE) == told[0].message
            place.provider.failure = None

    place.clock.sleep = look
    place.worker().run()
    assert [job.status for job in told] == ["queued", "queued"]
    assert all("no space is left" in job.message for job in told)
    for job in (first, second):
        assert place.repository.get(job.job_id).status == "completed"


class DiskError(Exception):
    """What a library raises, with the number of the system."""

    def __init__(self, number):
        super().__init__(f"error {number}")
        self.errno = number


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (DiskError(errno.ENOSPC), True),
        (MemoryError(), True),
        (ValueError("a size"), False),
        (APIError("the hub is away", retryable=True), True),
        (APIError("there is no such repository"), False),
        (GenerationError("too large", code="out_of_memory"), False),
        (GenerationError("gone", code="device_lost"), True),
    ],
)
@pytest.mark.parametrize("wrapped", [0, 1, 3])
def test_whose_failure_it_is(error, answer, wrapped):
    """Told by the causes, however often an error was translated."""
    for _ in range(wrapped):
        try:
            raise GenerationError("the model stopped") from error
        except GenerationError as outer:
            error = outer
    assert is_environmental(error) is answer


def test_a_job_that_is_the_cause_itself_fails(place):
    """Others work while it meets the same failure again: it alone ends."""
    place.submit("huge")
    other = place.submit("small")
    submit = place.provider.submit

    def submit_or_fail(request, observer):
        if request.job.arguments["prompt"] == "huge":
            raise GenerationError("it stopped") from OSError(errno.ENOSPC, "no space")
        return submit(request, observer)

    place.provider.submit = submit_or_fail
    place.worker().run()
    (failed,) = place.repository.list(JobQuery(status=frozenset({JobStatus.FAILED})))
    assert failed.arguments["prompt"] == "huge"
    assert place.repository.get(other.job_id).status == "completed"


def test_a_run_that_eats_the_machine_is_not_tried_for_ever(place):
    """Alone in its queue, in the middle of its work: it fails after some whole runs."""
    job = place.submit()
    tries = []

    def submit(request, observer):
        tries.append(request)
        raise GenerationError("it stopped") from MemoryError()

    place.provider.submit = submit
    place.worker().run()
    assert place.repository.get(job.job_id).status == "failed"
    assert 2 <= len(tries) <= 10


def test_a_lost_device_needs_another_process(place):
    """The job waits, a successor is started, and this one goes."""
    job = place.submit()
    place.provider.failure = GenerationError("CUDA error", code="device_lost")
    launched = len(place.launcher.launched)
    place.worker().run()
    assert place.repository.get(job.job_id).status == "queued"
    assert len(place.launcher.launched) == launched + 1
    assert place.leases.all() == []


def test_a_job_that_was_to_stop_meets_a_full_disk(place):
    """It is canceled, and does not wait again."""
    job = place.submit()

    def during(step):
        place.caller.cancel(job.job_id)
        raise OSError(errno.ENOSPC, "no space")

    place.provider.during = during
    place.worker().run()
    assert place.repository.get(job.job_id).status == "canceled"


def test_a_store_that_cannot_be_read_for_a_while_ends_no_worker(place):
    """It waits and goes on; with a bound."""
    jobs = [place.submit(name) for name in "ab"]
    save, broken = place.repository.save, []

    def save_later(job):
        if len(broken) < 4:
            broken.append(job)
            raise ProcessingError("the disk is full", code="disk_full")
        return save(job)

    place.repository.save = save_later
    place.worker().run()
    assert [place.repository.get(job.job_id).status for job in jobs] == ["completed"] * 2
    broken.clear()
    place.submit("c")

    def refuse(_job):
        raise ProcessingError("the disk is full", code="disk_full")

    place.repository.save = refuse
    began = place.clock.monotonic()
    with pytest.raises(ProcessingError):
        place.worker("second").run()
    assert 500 < place.clock.monotonic() - began < 800


def test_the_machine_is_asked_before_the_next_try(place):
    """While the probe says no, nothing is run."""
    place.submit()
    place.provider.failure = ProcessingError("no space", code="disk_full")
    worker, answers = place.worker(), []

    def probe():
        answers.append(len(place.provider.submitted))
        if len(answers) < 5:
            raise ProcessingError("still none", code="disk_full")
        place.provider.failure = None

    worker._probe = probe
    worker.run()
    assert answers == [1] * 5
    assert len(place.provider.submitted) == 2


def test_a_worker_that_does_not_start_is_said_and_not_started_at_each_look(place):
    """The job says why; the pauses grow; a worker that comes up ends it."""
    job = place.submit()
    tries, launch = [], place.launcher.launch

    def refuse(queue):
        tries.append(place.clock.monotonic())
        raise ConfigurationError("broken installation", code="no_worker")

    place.launcher.launch = refuse
    for _ in range(600):
        found = place.caller.check(job.job_id)
        assert (found.status, "broken installation" in found.message) == ("queued", True)
        place.clock.advance(1)
    pauses = [later - sooner for sooner, later in pairwise(tries)]
    assert len(tries) <= 8
    assert pauses == sorted(pauses)
    place.launcher.launch = launch
    place.clock.advance(300)
    place.caller.check(job.job_id)
    assert place.launcher.launched[-1] == QUEUE
    place.worker().run()
    assert place.repository.get(job.job_id).status == "completed"


def test_one_at_a_time_starts_a_worker(place):
    """Two look at the same moment; the one who starts it has died on another machine's watch."""
    job = place.submit()
    launched, during = place.launcher.launch, []

    def launch(queue):
        launched(queue)
        other = place.generation(place.background("other"))
        during.append(other.check(job.job_id).message)

    place.launcher.launch = launch
    count = len(place.launcher.launched)
    place.caller.check(job.job_id)
    assert len(place.launcher.launched) == count + 1
    assert during == ["waits for a worker"]
    stuck = place.background("stuck").begin_start(QUEUE)
    assert stuck is not None
    place.processes.hidden.add("local:here:stuck")
    assert place.background("third").begin_start(QUEUE) is None
    place.clock.advance(121)
    assert place.background("third").begin_start(QUEUE) is not None


def test_a_queue_of_another_machine_says_so(place):
    """Nobody here can start its worker."""
    job = place.submit()
    moved = place.repository.save(replace(job, queue="local:there:auto"))
    found = place.caller.check(moved.job_id)
    assert (found.status, "'there'" in found.message) == ("queued", True)


def test_a_worker_says_when_it_has_come_up(place):
    """Once it knows its devices, or that another one serves."""
    ready = []
    worker = place.worker()
    worker._on_ready = lambda: ready.append(worker.slot)
    worker.run()
    assert ready == [None]
    place.submit()
    worker._find_slots = lambda: ready.append("looked") or (CPU,)
    worker.run()
    assert ready[:3] == [None, "looked", None]
