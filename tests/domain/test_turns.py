"""Runs in their caller's own process take turns on the device with workers and with each other."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.domain.places import CPU, QUEUE, FakeMachine, ProcessExited

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.progress import Phase
from tiomagic_domain.testing.repository import make_job
from tiomagic_domain.workers import device_lock
from tiomagic_domain.workers.leases import queue_position, ticket_name

BOUND_S = 60


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine on which a busy device is looked at often."""
    monkeypatch.setattr(device_lock, "CANCEL_POLL_S", 0.01)
    monkeypatch.setattr(device_lock, "RENEWAL_INTERVAL_S", 0.02)
    monkeypatch.setattr(device_lock.DeviceLock.__init__, "__kwdefaults__", {"poll_s": 0.01})
    return FakeMachine(tmp_path)


def until(condition):
    """Wait for something that another thread does, and return it."""
    deadline = time.monotonic() + BOUND_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def waiting(place, how_many=1):
    """Return the jobs that wait for the device, as soon as there are so many."""

    def look():
        jobs = place.repository.list(JobQuery(status=frozenset({JobStatus.RUNNING})))
        found = [job for job in jobs if job.progress and job.progress.phase is Phase.WAITING]
        return found if len(found) == how_many else []

    return until(look)


@contextmanager
def running(place, *prompts):
    """Let jobs run in threads of the caller's process, the first first; all end in the end."""
    threads = []
    for prompt in prompts:
        known = len(place.leases.leases)
        options = {"prompt": prompt, "detach": False}
        threads.append(threading.Thread(target=place.submit, kwargs=options, daemon=True))
        threads[-1].start()
        # It has the device or a ticket: the order of the prompts is that of the turns.
        until(lambda known=known: len(place.leases.leases) > known)
    yield
    for thread in threads:
        thread.join(BOUND_S)
        assert not thread.is_alive()


def leaving(place, worker):
    """Return a list that gets the names of the leases that are held when the worker leaves."""
    held, leave = [], worker._leave

    def note_and_leave():
        held.extend(name for name in place.leases.leases if not name.startswith("turn:"))
        leave()

    worker._leave = note_and_leave
    return held


def prompts(place):
    """Return what was run, in order."""
    return [request.job.arguments["prompt"] for request in place.provider.submitted]


def test_a_free_device_costs_two_statements(machine):
    """One look, one lease; it is held while the model runs and given back afterwards."""
    asked, held = [], []

    def noted(name):
        ask = getattr(machine.leases, name)

        def note(*given, **more):
            asked.append(name)
            return ask(*given, **more)

        return note

    for name in ("all", "find", "acquire", "release"):
        setattr(machine.leases, name, noted(name))
    machine.provider.during = lambda step: held.append(sorted(machine.leases.leases))
    assert machine.submit(detach=False).status == "completed"
    assert asked == ["all", "acquire", "release"]
    assert held[0] == [CPU]
    assert machine.leases.leases == {}


def test_a_busy_device_is_waited_for_and_the_job_says_for_whom(machine):
    """Another process is found by its job; the run begins when that is through."""
    other = machine.claim_for_worker(machine.submit("theirs"))
    machine.launcher.launched.clear()
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message == f"waiting for the device cpu: job {other.job_id} is running"
        assert job.call_id == "local:here:caller"
        assert prompts(machine) == []
        for lease in machine.leases.all():
            if lease.owner == other.call_id:
                machine.leases.release(lease)
    assert prompts(machine) == ["ours"]
    assert machine.leases.leases == {}


def test_the_device_of_the_dead_is_taken(machine):
    """Killed with the lease in its hand, or with a ticket: nobody waits for it."""
    dead = machine.background("dead")
    dead.acquire(CPU)
    dead.acquire(ticket_name(CPU, machine.submit("earlier")))
    machine.kill("dead")
    machine.submit("ours", detach=False)
    assert prompts(machine) == ["ours"]
    assert machine.leases.leases == {}


def test_a_job_that_waits_is_canceled_at_once(machine):
    """It never runs, and leaves no lease and no ticket."""
    machine.background("other").acquire(CPU)
    with running(machine, "ours"):
        (job,) = waiting(machine)
        machine.caller.cancel(job.job_id)
        machine.clock.advance(1)  # The next look for a call to stop.
    assert machine.repository.get(job.job_id).status == "canceled"
    assert prompts(machine) == []
    assert list(machine.leases.leases) == [CPU]


def test_ctrl_c_while_it_waits_leaves_nothing(machine):
    """The job is canceled; neither lease nor ticket stays."""
    machine.background("other").acquire(CPU)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.submit(detach=False, on_progress=interrupt)
    (job,) = machine.repository.list(JobQuery())
    assert job.status == "canceled"
    assert list(machine.leases.leases) == [CPU]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_however_a_run_ends_the_device_is_free(machine, error):
    """Ctrl-C and a bug in an engine give it back as well."""

    def end(step):
        raise error

    machine.provider.during = end
    with pytest.raises(error):
        machine.submit(detach=False)
    assert machine.leases.leases == {}


def test_threads_take_turns_in_order(machine):
    """Of one process, too: never two at once on one device."""
    at_once, most = [0], [0]
    start = threading.Event()

    def during(step):
        start.wait(BOUND_S)
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.002)
        at_once[0] -= 1

    machine.provider.during = during
    with running(machine, "a", "b", "c"):
        waiting(machine, 2)
        start.set()
    assert prompts(machine) == ["a", "b", "c"]
    assert most == [1]
    assert machine.leases.leases == {}


def test_an_older_job_of_a_living_worker_goes_first(machine):
    """The worker stands at the door of a device that is free by now."""
    worker = machine.background("worker")
    door = worker.acquire(f"worker:{QUEUE}")
    older = machine.submit("older")
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message == f"waiting for the device cpu: job {older.job_id} came first"
        taken = machine.repository.get(older.job_id).to(JobStatus.RUNNING, at=machine.clock.now())
        machine.repository.save(taken)
        worker.leases.release(door)
    assert prompts(machine) == ["ours"]


def test_an_older_job_that_has_no_worker_is_not_waited_for(machine):
    """Nobody may ever come for it."""
    machine.submit("older")
    machine.submit("ours", detach=False)
    assert prompts(machine) == ["ours"]


def test_a_worker_ends_its_older_jobs_and_then_makes_room(machine):
    """It leaves with what it has loaded, and calls another one for what came later."""
    machine.submit("older")
    worker = machine.worker()
    held = leaving(machine, worker)

    def during(step):
        if step == 1:
            machine.clock.advance(1)
            waits = replace(make_job(), creation_time=machine.clock.now())
            machine.background("waiting").acquire(ticket_name(CPU, waits))
            machine.submit("younger")
            machine.launcher.launched.clear()

    machine.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()
    assert prompts(machine) == ["older"]
    assert held == [CPU]  # Free when the process is gone, and its memory with it.
    assert machine.launcher.launched == [QUEUE]


def test_a_worker_without_a_job_makes_room(machine):
    """It keeps a model loaded for a next job that nobody has."""
    machine.submit("first")
    worker = machine.worker(idle_s=1000)
    held = leaving(machine, worker)
    sleep = machine.clock.sleep

    def sleep_and_come(seconds):
        sleep(seconds)
        machine.background("waiting").acquire(
            ticket_name(CPU, machine.repository.list(JobQuery())[0])
        )

    machine.clock.sleep = sleep_and_come
    machine.launcher.launched.clear()
    with pytest.raises(ProcessExited):
        worker.run()
    assert held == [CPU]
    assert machine.launcher.launched == []


def test_a_worker_at_the_door_lets_an_older_run_in(machine):
    """The device is free, and the ticket came before the job of the queue."""
    first = machine.submit("cancel me")
    machine.caller.cancel(first.job_id)
    other = machine.background("other")
    ticket = other.acquire(ticket_name(CPU, first))
    second = machine.submit("younger")
    assert queue_position(first) < queue_position(second)
    sleep, naps = machine.clock.sleep, []

    def sleep_and_leave(seconds):
        sleep(seconds)
        naps.append(list(machine.leases.leases))
        if len(naps) == 3:
            other.leases.release(ticket)

    machine.clock.sleep = sleep_and_leave
    machine.worker(idle_s=1).run()
    assert all(CPU not in names for names in naps[:3])
    assert prompts(machine) == ["younger"]


def test_a_store_that_keeps_no_lease_stops_no_run(machine):
    """The video is worth more than the order; what went wrong is told."""

    def fail(*given, **more):
        raise ProcessingError("the disk is full")

    machine.leases.acquire = fail
    assert machine.submit(detach=False).status == "completed"
    assert [error.message for error in machine.troubles] == ["the disk is full"]


def test_what_cannot_be_given_back_is_given_back_later(machine):
    """The store could not write at the end of the run; this process goes on to live."""
    release, failed = machine.leases.release, []

    def fail_once(lease):
        if not failed:
            failed.append(lease)
            raise ProcessingError("the database is locked")
        release(lease)

    machine.leases.release = fail_once
    machine.submit(detach=False)
    until(lambda: not machine.leases.leases)
    assert [lease.name for lease in failed] == [CPU]


def test_a_lease_is_renewed_while_the_run_lasts(machine):
    """Whoever looks sees that its holder lives."""
    machine.provider.during = lambda step: until(
        lambda: machine.leases.leases[CPU].version > 2 + step
    )
    assert machine.submit(detach=False).status == "completed"


def test_a_run_on_a_group_has_all_of_its_devices(machine, monkeypatch):
    """It waits while one of them is busy, where the worker of that one sees it, then holds all."""
    group, second = "local:here:cuda:0,cuda:1", "local:here:cuda:1"
    held = []
    machine.provider.during = lambda step: held.append(set(machine.leases.leases))
    monkeypatch.setattr("tests.domain.places.CPU", group)
    other = machine.background("other")
    busy = other.acquire(second)
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message.startswith("waiting for the device cuda:0,cuda:1: ")
        until(lambda: other.first_position(second) == queue_position(job))
        assert group not in machine.leases.leases
        other.leases.release(busy)
    assert held[0] == {group, "local:here:cuda:0", second}
    assert machine.leases.leases == {}


@pytest.mark.parametrize("queue", ["cuda:1", "cuda:1,cuda:2", "auto", "cuda"])
def test_a_group_shares_its_devices_with_queues(machine, queue):
    """Whoever serves a queue that may use one of them is seen."""
    background = machine.background("worker")
    background.acquire(f"worker:local:here:{queue}")
    background.acquire("worker:local:here:cuda:3,cuda:4")
    found = background.list_device_workers(background.leases.all(), "local:here:cuda:0,cuda:1")
    assert [name for name, _lease in found] == [f"local:here:{queue}"]
