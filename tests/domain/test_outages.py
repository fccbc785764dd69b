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


def test_a_failure_of_the_machine_costs_no_job(machine):
    """A folder that cannot be written for a while: all are made afterwards, in their order."""
    jobs = [machine.submit(name) for name in "abc"]
    machine.provider.failure = ProcessingError("no space", code="spool_unwritable")
    pauses = []
    sleep = machine.clock.sleep

    def mend(seconds):
        sleep(seconds)
        pauses.append(seconds)
        if sum(pauses) > 20:
            machine.provider.failure = None

    machine.clock.sleep = mend
    machine.worker().run()
    done = [machine.repository.get(job.job_id) for job in jobs]
    assert [(job.status, job.error) for job in done] == [("completed", None)] * 3
    assert [(job.attempt, job.retry) for job in done] == [(1, 0)] * 3
    assert len(machine.provider.submitted) < 12  # The pauses grow.


def test_why_nothing_goes_on_is_said_on_each_job_that_waits(machine):
    """On the one that was in hand at once, on another when it is looked at; and no longer then."""
    first, second = machine.submit("a"), machine.submit("b")
    machine.provider.failure = ProcessingError("no space is left", code="spool_unwritable")
    told = []
    sleep = machine.clock.sleep

    def look(seconds):
        sleep(seconds)
        if not told:
            told.extend(machine.caller.check(job.job_id) for job in (first, second))
            assert machine.caller.explain_waiting(QUEUE) == told[0].message
            machine.provider.failure = None

    machine.clock.sleep = look
    machine.worker().run()
    assert [job.status for job in told] == ["queued", "queued"]
    assert all("no space is left" in job.message for job in told)
    for job in (first, second):
        assert machine.repository.get(job.job_id).status == "completed"


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


def test_a_job_that_is_the_cause_itself_fails(machine):
    """Others work while it meets the same failure again: it alone ends."""
    machine.submit("huge")
    other = machine.submit("small")
    submit = machine.provider.submit

    def submit_or_fail(request, observer):
        if request.job.arguments["prompt"] == "huge":
            raise GenerationError("it stopped") from OSError(errno.ENOSPC, "no space")
        return submit(request, observer)

    machine.provider.submit = submit_or_fail
    machine.worker().run()
    (failed,) = machine.repository.list(JobQuery(status=frozenset({JobStatus.FAILED})))
    assert failed.arguments["prompt"] == "huge"
    assert machine.repository.get(other.job_id).status == "completed"


def test_a_run_that_eats_the_machine_is_not_tried_for_ever(machine):
    """Alone in its queue, in the middle of its work: it fails after some whole runs."""
    job = machine.submit()
    tries = []

    def submit(request, observer):
        tries.append(request)
        raise GenerationError("it stopped") from MemoryError()

    machine.provider.submit = submit
    machine.worker().run()
    assert machine.repository.get(job.job_id).status == "failed"
    assert 2 <= len(tries) <= 10


def test_a_lost_device_needs_another_process(machine):
    """The job waits, a successor is started, and this one goes."""
    job = machine.submit()
    machine.provider.failure = GenerationError("CUDA error", code="device_lost")
    launched = len(machine.launcher.launched)
    machine.worker().run()
    assert machine.repository.get(job.job_id).status == "queued"
    assert len(machine.launcher.launched) == launched + 1
    assert machine.leases.all() == []


def test_a_job_that_was_to_stop_meets_a_full_disk(machine):
    """It is canceled, and does not wait again."""
    job = machine.submit()

    def during(step):
        machine.caller.cancel(job.job_id)
        raise OSError(errno.ENOSPC, "no space")

    machine.provider.during = during
    machine.worker().run()
    assert machine.repository.get(job.job_id).status == "canceled"


def test_a_store_that_cannot_be_read_for_a_while_ends_no_worker(machine):
    """It waits and goes on; with a bound."""
    jobs = [machine.submit(name) for name in "ab"]
    save, broken = machine.repository.save, []

    def save_later(job):
        if len(broken) < 4:
            broken.append(job)
            raise ProcessingError("the disk is full", code="disk_full")
        return save(job)

    machine.repository.save = save_later
    machine.worker().run()
    assert [machine.repository.get(job.job_id).status for job in jobs] == ["completed"] * 2
    broken.clear()
    machine.submit("c")

    def refuse(_job):
        raise ProcessingError("the disk is full", code="disk_full")

    machine.repository.save = refuse
    began = machine.clock.monotonic()
    with pytest.raises(ProcessingError):
        machine.worker("second").run()
    assert 500 < machine.clock.monotonic() - began < 800


def test_the_machine_is_asked_before_the_next_try(machine):
    """While the probe says no, nothing is run."""
    machine.submit()
    machine.provider.failure = ProcessingError("no space", code="disk_full")
    worker, answers = machine.worker(), []

    def probe():
        answers.append(len(machine.provider.submitted))
        if len(answers) < 5:
            raise ProcessingError("still none", code="disk_full")
        machine.provider.failure = None

    worker._probe = probe
    worker.run()
    assert answers == [1] * 5
    assert len(machine.provider.submitted) == 2


def test_a_worker_that_does_not_start_is_said_and_not_started_at_each_look(machine):
    """The job says why; the pauses grow; a worker that comes up ends it."""
    job = machine.submit()
    tries, launch = [], machine.launcher.launch

    def refuse(queue):
        tries.append(machine.clock.monotonic())
        raise ConfigurationError("broken installation", code="no_worker")

    machine.launcher.launch = refuse
    for _ in range(600):
        found = machine.caller.check(job.job_id)
        assert (found.status, "broken installation" in found.message) == ("queued", True)
        machine.clock.advance(1)
    pauses = [later - sooner for sooner, later in pairwise(tries)]
    assert len(tries) <= 8
    assert pauses == sorted(pauses)
    machine.launcher.launch = launch
    machine.clock.advance(300)
    machine.caller.check(job.job_id)
    assert machine.launcher.launched[-1] == QUEUE
    machine.worker().run()
    assert machine.repository.get(job.job_id).status == "completed"


def test_one_at_a_time_starts_a_worker(machine):
    """Two look at the same moment; the one who starts it has died on another machine's watch."""
    job = machine.submit()
    launched, during = machine.launcher.launch, []

    def launch(queue):
        launched(queue)
        other = machine.generation(machine.background("other"))
        during.append(other.check(job.job_id).message)

    machine.launcher.launch = launch
    count = len(machine.launcher.launched)
    machine.caller.check(job.job_id)
    assert len(machine.launcher.launched) == count + 1
    assert during == ["waits for a worker"]
    stuck = machine.background("stuck").begin_start(QUEUE)
    assert stuck is not None
    machine.processes.hidden.add("local:here:stuck")
    assert machine.background("third").begin_start(QUEUE) is None
    machine.clock.advance(121)
    assert machine.background("third").begin_start(QUEUE) is not None


def test_a_queue_of_another_machine_says_so(machine):
    """Nobody here can start its worker."""
    job = machine.submit()
    moved = machine.repository.save(replace(job, queue="local:there:auto"))
    found = machine.caller.check(moved.job_id)
    assert (found.status, "'there'" in found.message) == ("queued", True)


def test_a_worker_says_when_it_has_come_up(machine):
    """Once it knows its devices, or that another one serves."""
    ready = []
    worker = machine.worker()
    worker._on_ready = lambda: ready.append(worker.slot)
    worker.run()
    assert ready == [None]
    machine.submit()
    worker._find_slots = lambda: ready.append("looked") or (CPU,)
    worker.run()
    assert ready[:3] == [None, "looked", None]
