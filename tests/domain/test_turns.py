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
from tiomagic_domain.workers.leases import queue_position

BOUND_S = 60


@pytest.fixture
def machine(tmp_path):
    """A machine with one device."""
    return FakeMachine(tmp_path)


def until(condition):
    """Wait for something that another thread does, and return it."""
    deadline = time.monotonic() + BOUND_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def waiting(machine, how_many=1):
    """Return the jobs that wait for the device, as soon as there are so many."""

    def look():
        jobs = machine.repository.list(JobQuery(status=frozenset({JobStatus.RUNNING})))
        found = [job for job in jobs if job.progress and job.progress.phase is Phase.WAITING]
        return found if len(found) == how_many else []

    return until(look)


@contextmanager
def running(machine, *prompts):
    """Let jobs run in threads of the caller's process, the first first; all end in the end."""
    threads = []
    for prompt in prompts:
        known = len(machine.device_locks.held)
        options = {"prompt": prompt, "detach": False}
        threads.append(threading.Thread(target=machine.submit, kwargs=options, daemon=True))
        threads[-1].start()
        # It has the device or a ticket: the order of the prompts is that of the turns.
        until(lambda known=known: len(machine.device_locks.held) > known)
    yield
    for thread in threads:
        thread.join(BOUND_S)
        assert not thread.is_alive()


def leaving(machine, worker):
    """Return a list that gets the devices that are locked when the worker leaves."""
    held, leave = [], worker._leave

    def note_and_leave():
        held.extend(name for name in machine.device_locks.held if "@" not in name)
        leave()

    worker._leave = note_and_leave
    return held


def busy(machine, by="other", slot=CPU):
    """Return the lock of a device that another process holds."""
    lock = machine.lock_device(by, slot)
    machine.alive.add(lock.owner)
    assert lock.acquire()
    return lock


def prompts(machine):
    """Return what was run, in order."""
    return [request.job.arguments["prompt"] for request in machine.provider.submitted]


def test_a_free_device_costs_no_statement(machine):
    """It is locked while the model runs and free afterwards, and no lease is stored."""
    held = []
    machine.provider.during = lambda step: held.append(sorted(machine.device_locks.held))
    machine.leases.all = machine.leases.find = machine.leases.acquire = None  # Not called.
    assert machine.submit(detach=False).status == "completed"
    assert held[0] == [CPU]
    assert machine.device_locks.held == {}


def test_a_busy_device_is_waited_for_and_the_job_says_for_whom(machine):
    """Another process is found by its job; the run begins when that is through."""
    other = machine.claim_for_worker(machine.submit("theirs"))
    machine.launcher.launched.clear()
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message == f"waiting for the device cpu: job {other.job_id} is running"
        assert job.call_id == "local:here:caller"
        assert prompts(machine) == []
        machine.device_locks.held[CPU].release()
    assert prompts(machine) == ["ours"]
    assert machine.device_locks.held == {}


def test_a_device_of_another_project_is_waited_for(machine):
    """Its jobs are in another database: the message says which process has the device."""
    other = busy(machine)
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message == "waiting for the device cpu: process other uses it"
        other.release()
    assert prompts(machine) == ["ours"]


def test_the_device_of_the_dead_is_taken(machine):
    """Killed while it had the device, or a ticket: nobody waits for it."""
    busy(machine, "dead")
    machine.ticket("dead", machine.submit("earlier")).acquire()
    machine.kill("dead")
    machine.submit("ours", detach=False)
    assert prompts(machine) == ["ours"]
    assert machine.device_locks.is_free(CPU)


def test_a_job_that_waits_is_canceled_at_once(machine):
    """It never runs, and leaves no lock and no ticket."""
    busy(machine)
    with running(machine, "ours"):
        (job,) = waiting(machine)
        machine.caller.cancel(job.job_id)
        machine.clock.advance(1)  # The next look for a call to stop.
    assert machine.repository.get(job.job_id).status == "canceled"
    assert prompts(machine) == []
    assert list(machine.device_locks.held) == [CPU]


def test_ctrl_c_while_it_waits_leaves_nothing(machine):
    """The job is canceled; neither lock nor ticket stays."""
    busy(machine)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.submit(detach=False, on_progress=interrupt)
    (job,) = machine.repository.list(JobQuery())
    assert job.status == "canceled"
    assert list(machine.device_locks.held) == [CPU]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_however_a_run_ends_the_device_is_free(machine, error):
    """Ctrl-C and a bug in an engine give it back as well."""

    def end(step):
        raise error

    machine.provider.during = end
    with pytest.raises(error):
        machine.submit(detach=False)
    assert machine.device_locks.held == {}


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
    assert machine.device_locks.held == {}


def test_an_older_job_of_a_waiting_worker_goes_first(machine):
    """The worker has a ticket for a device that is free by now."""
    older = machine.submit("older")
    ticket = machine.ticket("worker", older)
    assert ticket.acquire()
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message == f"waiting for the device cpu: job {older.job_id} came first"
        ticket.release()
    assert prompts(machine) == ["ours"]


def test_a_worker_shows_that_it_waits(machine):
    """With the place of its oldest job, until it has the device."""
    first, second = machine.submit("first"), machine.submit("second")
    held = busy(machine)
    sleep, seen = machine.clock.sleep, []

    def sleep_and_look(seconds):
        sleep(seconds)
        seen.append(machine.device_locks.list_waiting(CPU))
        if len(seen) == 1:
            machine.caller.cancel(first.job_id)
        elif len(seen) == 3:
            held.release()

    machine.clock.sleep = sleep_and_look
    machine.worker(idle_s=1).run()
    assert seen[0] == [queue_position(first)]
    assert seen[2] == [queue_position(second)]
    assert seen[-1] == []
    assert prompts(machine) == ["second"]


def test_a_job_says_who_has_the_device_that_its_worker_waits_for(machine):
    """All that wait say so, also after a check; whoever is checked while it runs, does not."""
    first, second = machine.submit("first"), machine.submit("second")
    held = busy(machine)
    sleep, seen = machine.clock.sleep, []

    def sleep_and_look(seconds):
        sleep(seconds)
        jobs = [machine.caller.check(one.job_id) for one in (first, second)]
        seen.append([job.message for job in jobs])
        if len(seen) == 2:
            held.release()

    machine.clock.sleep = sleep_and_look
    machine.provider.during = lambda _step: seen.append(machine.repository.get(second.job_id))
    machine.worker(idle_s=1).run()
    assert seen[:2] == [["waits: the device cpu is busy: process other uses it"] * 2] * 2
    assert seen[2].message == "waits for a worker"
    assert prompts(machine) == ["first", "second"]


def test_a_worker_does_not_make_room_for_its_own_queue(machine):
    """Another worker waits for a job of the same queue: this one runs it itself."""
    job = machine.submit("a")
    machine.provider.during = lambda step: machine.ticket("second", job).acquire()
    machine.submit("b")
    machine.worker(idle_s=3).run()
    assert prompts(machine) == ["a", "b"]


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
            machine.ticket("waiting", waits).acquire()
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
        waits = replace(make_job(), creation_time=machine.clock.now())
        machine.ticket("waiting", waits).acquire()

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
    waits = replace(make_job(), creation_time=first.creation_time)
    ticket = machine.ticket("other", waits)
    assert ticket.acquire()
    second = machine.submit("younger")
    assert queue_position(waits) < queue_position(second)
    sleep, naps = machine.clock.sleep, []

    def sleep_and_leave(seconds):
        sleep(seconds)
        naps.append(list(machine.device_locks.held))
        if len(naps) == 3:
            ticket.release()

    machine.clock.sleep = sleep_and_leave
    machine.worker(idle_s=1).run()
    assert all(CPU not in names for names in naps[:3])
    assert prompts(machine) == ["younger"]


def test_a_device_that_cannot_be_locked_stops_no_run(machine):
    """The video is worth more than the order; what went wrong is told."""

    def fail(*_names):
        raise ProcessingError("the disk is full")

    machine.device_locks.list_waiting = fail
    assert machine.submit(detach=False).status == "completed"
    assert [error.message for error in machine.troubles] == ["the disk is full"]


def test_a_run_that_waits_goes_on_to_wait_when_the_locks_fail(machine):
    """It is known that the device is busy."""
    other = busy(machine)
    look, waits, failures = machine.device_locks.list_waiting, [], []

    def fail_once(slot):
        if waits and not failures:
            failures.append(slot)
            raise ProcessingError("the disk is full")
        return look(slot)

    machine.device_locks.list_waiting = fail_once
    with running(machine, "ours"):
        waits.extend(waiting(machine))
        until(lambda: failures)
        assert prompts(machine) == []
        other.release()
    assert prompts(machine) == ["ours"]


def test_a_run_on_a_group_has_all_of_its_devices(machine, monkeypatch):
    """It waits while one of them is busy, where the worker of that one sees it, then holds all."""
    first, second = "local:here:cuda:0", "local:here:cuda:1"
    held = []
    machine.provider.during = lambda step: held.append(set(machine.device_locks.held))
    monkeypatch.setattr("tests.domain.places.CPU", f"{first},cuda:1")
    other = busy(machine, slot=second)
    with running(machine, "ours"):
        (job,) = waiting(machine)
        assert job.message.startswith("waiting for the device cuda:0,cuda:1: ")
        until(lambda: machine.device_locks.list_waiting(second) == [queue_position(job)])
        assert machine.device_locks.is_free(first)
        other.release()
    assert held[0] == {first, second}
    assert machine.device_locks.held == {}
