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


def test_a_free_device_costs_two_statements(place):
    """One look, one lease; it is held while the model runs and given back afterwards."""
    asked, held = [], []

    def noted(name):
        ask = getattr(place.leases, name)

        def note(*given, **more):
            asked.append(name)
            return ask(*given, **more)

        return note

    for name in ("all", "find", "acquire", "release"):
        setattr(place.leases, name, noted(name))
    place.provider.during = lambda step: held.append(sorted(place.leases.leases))
    assert place.submit(detach=False).status == "completed"
    assert asked == ["all", "acquire", "release"]
    assert held[0] == [CPU]
    assert place.leases.leases == {}


def test_a_busy_device_is_waited_for_and_the_job_says_for_whom(place):
    """Another process is found by its job; the run begins when that is through."""
    other = place.claim_for_worker(place.submit("theirs"))
    place.launcher.launched.clear()
    with running(place, "ours"):
        (job,) = waiting(place)
        assert job.message == f"waiting for the device cpu: job {other.job_id} is running"
        assert job.call_id == "local:here:caller"
        assert prompts(place) == []
        for lease in place.leases.all():
            if lease.owner == other.call_id:
                place.leases.release(lease)
    assert prompts(place) == ["ours"]
    assert place.leases.leases == {}


def test_the_device_of_the_dead_is_taken(place):
    """Killed with the lease in its hand, or with a ticket: nobody waits for it."""
    dead = place.background("dead")
    dead.acquire(CPU)
    dead.acquire(ticket_name(CPU, place.submit("earlier")))
    place.kill("dead")
    place.submit("ours", detach=False)
    assert prompts(place) == ["ours"]
    assert place.leases.leases == {}


def test_a_job_that_waits_is_canceled_at_once(place):
    """It never runs, and leaves no lease and no ticket."""
    place.background("other").acquire(CPU)
    with running(place, "ours"):
        (job,) = waiting(place)
        place.caller.cancel(job.job_id)
        place.clock.advance(1)  # The next look for a call to stop.
    assert place.repository.get(job.job_id).status == "canceled"
    assert prompts(place) == []
    assert list(place.leases.leases) == [CPU]


def test_ctrl_c_while_it_waits_leaves_nothing(place):
    """The job is canceled; neither lease nor ticket stays."""
    place.background("other").acquire(CPU)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.submit(detach=False, on_progress=interrupt)
    (job,) = place.repository.list(JobQuery())
    assert job.status == "canceled"
    assert list(place.leases.leases) == [CPU]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_however_a_run_ends_the_device_is_free(place, error):
    """Ctrl-C and a bug in an engine give it back as well."""

    def end(step):
        raise error

    place.provider.during = end
    with pytest.raises(error):
        place.submit(detach=False)
    assert place.leases.leases == {}


def test_threads_take_turns_in_order(place):
    """Of one process, too: never two at once on one device."""
    at_once, most = [0], [0]
    start = threading.Event()

    def during(step):
        start.wait(BOUND_S)
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.002)
        at_once[0] -= 1

    place.provider.during = during
    with running(place, "a", "b", "c"):
        waiting(place, 2)
        start.set()
    assert prompts(place) == ["a", "b", "c"]
    assert most == [1]
    assert place.leases.leases == {}


def test_an_older_job_of_a_living_worker_goes_first(place):
    """The worker stands at the door of a device that is free by now."""
    worker = place.background("worker")
    door = worker.acquire(f"worker:{QUEUE}")
    older = place.submit("older")
    with running(place, "ours"):
        (job,) = waiting(place)
        assert job.message == f"waiting for the device cpu: job {older.job_id} came first"
        taken = place.repository.get(older.job_id).to(JobStatus.RUNNING, at=place.clock.now())
        place.repository.save(taken)
        worker.leases.release(door)
    assert prompts(place) == ["ours"]


def test_an_older_job_that_has_no_worker_is_not_waited_for(place):
    """Nobody may ever come for it."""
    place.submit("older")
    place.submit("ours", detach=False)
    assert prompts(place) == ["ours"]


def test_a_worker_ends_its_older_jobs_and_then_makes_room(place):
    """It leaves with what it has loaded, and calls another one for what came later."""
    place.submit("older")
    worker = place.worker()
    held = leaving(place, worker)

    def during(step):
        if step == 1:
            place.clock.advance(1)
            waits = replace(make_job(), creation_time=place.clock.now())
            place.background("waiting").acquire(ticket_name(CPU, waits))
            place.submit("younger")
            place.launcher.launched.clear()

    place.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()
    assert prompts(place) == ["older"]
    assert held == [CPU]  # Free when the process is gone, and its memory with it.
    assert place.launcher.launched == [QUEUE]


def test_a_worker_without_a_job_makes_room(place):
    """It keeps a model loaded for a next job that nobody has."""
    place.submit("first")
    worker = place.worker(idle_s=1000)
    held = leaving(place, worker)
    sleep = place.clock.sleep

    def sleep_and_come(seconds):
        sleep(seconds)
        place.background("waiting").acquire(ticket_name(CPU, place.repository.list(JobQuery())[0]))

    place.clock.sleep = sleep_and_come
    place.launcher.launched.clear()
    with pytest.raises(ProcessExited):
        worker.run()
    assert held == [CPU]
    assert place.launcher.launched == []


def test_a_worker_at_the_door_lets_an_older_run_in(place):
    """The device is free, and the ticket came before the job of the queue."""
    first = place.submit("cancel me")
    place.caller.cancel(first.job_id)
    other = place.background("other")
    ticket = other.acquire(ticket_name(CPU, first))
    second = place.submit("younger")
    assert queue_position(first) < queue_position(second)
    sleep, naps = place.clock.sleep, []

    def sleep_and_leave(seconds):
        sleep(seconds)
        naps.append(list(place.leases.leases))
        if len(naps) == 3:
            other.leases.release(ticket)

    place.clock.sleep = sleep_and_leave
    place.worker(idle_s=1).run()
    assert all(CPU not in names for names in naps[:3])
    assert prompts(place) == ["younger"]


def test_a_store_that_keeps_no_lease_stops_no_run(place):
    """The video is worth more than the order; what went wrong is told."""

    def fail(*given, **more):
        raise ProcessingError("the disk is full")

    place.leases.acquire = fail
    assert place.submit(detach=False).status == "completed"
    assert [error.message for error in place.troubles] == ["the disk is full"]


def test_what_cannot_be_given_back_is_given_back_later(place):
    """The store could not write at the end of the run; this process goes on to live."""
    release, failed = place.leases.release, []

    def fail_once(lease):
        if not failed:
            failed.append(lease)
            raise ProcessingError("the database is locked")
        release(lease)

    place.leases.release = fail_once
    place.submit(detach=False)
    until(lambda: not place.leases.leases)
    assert [lease.name for lease in failed] == [CPU]


def test_a_lease_is_renewed_while_the_run_lasts(place):
    """Whoever looks sees that its holder lives."""
    place.provider.during = lambda step: until(lambda: place.leases.leases[CPU].version > 2 + step)
    assert place.submit(detach=False).status == "completed"


def test_a_run_on_a_group_has_all_of_its_devices(place, monkeypatch):
    """It waits while one of them is busy, where the worker of that one sees it, then holds all."""
    group, second = "local:here:cuda:0,cuda:1", "local:here:cuda:1"
    held = []
    place.provider.during = lambda step: held.append(set(place.leases.leases))
    monkeypatch.setattr("tests.domain.places.CPU", group)
    other = place.background("other")
    busy = other.acquire(second)
    with running(place, "ours"):
        (job,) = waiting(place)
        assert job.message.startswith("waiting for the device cuda:0,cuda:1: ")
        until(lambda: other.first_position(second) == queue_position(job))
        assert group not in place.leases.leases
        other.leases.release(busy)
    assert held[0] == {group, "local:here:cuda:0", second}
    assert place.leases.leases == {}


@pytest.mark.parametrize("queue", ["cuda:1", "cuda:1,cuda:2", "auto", "cuda"])
def test_a_group_shares_its_devices_with_queues(place, queue):
    """Whoever serves a queue that may use one of them is seen."""
    background = place.background("worker")
    background.acquire(f"worker:local:here:{queue}")
    background.acquire("worker:local:here:cuda:3,cuda:4")
    found = background.list_device_workers(background.leases.all(), "local:here:cuda:0,cuda:1")
    assert [name for name, _lease in found] == [f"local:here:{queue}"]
