"""The life of jobs that run without their caller: workers, leases, loss, recovery; no process."""

from dataclasses import replace

import pytest
from tests.domain.places import CPU, QUEUE, FakeLocalProvider, FakeMachine, ProcessExited

from tiomagic_domain.errors import (
    ConfigurationError,
    GenerationError,
    ProcessingError,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.lifecycle.job_updater import hash_file
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.testing.repository import make_job
from tiomagic_domain.usecases.tracking import MAX_JOBS_RECOVERED_ON_LIST


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


def test_a_detached_job_is_queued_and_a_worker_is_called(machine):
    """Nothing runs in the caller; the job says where it waits."""
    job = machine.submit(retry=2)
    assert (job.status, job.queue, job.retry) == ("queued", QUEUE, 2)
    assert machine.launcher.launched == [QUEUE]
    assert machine.provider.submitted == []


def test_without_its_parts_no_job_is_detached(machine):
    """Said before anything is stored."""
    machine.caller = machine.generation(None)
    with pytest.raises(ConfigurationError, match="without its caller"):
        machine.submit()
    assert machine.repository.count(JobQuery()) == 0


def test_a_job_that_no_worker_can_be_started_for_fails(machine):
    """It does not wait for ever."""
    machine.launcher.refused = True
    with pytest.raises(ConfigurationError) as caught:
        machine.submit()
    assert machine.repository.get(caught.value.details["job_id"]).status == "failed"


def test_a_worker_runs_jobs_in_order_and_goes_away(machine):
    """The oldest first; then it waits its idle time and gives everything back."""
    jobs = []
    for name in "abc":
        jobs.append(machine.submit(name))
        machine.clock.advance(1)
    began = machine.clock.monotonic()
    machine.worker().run()
    assert [r.job.job_id for r in machine.provider.submitted] == [j.job_id for j in jobs]
    for job in jobs:
        done = machine.repository.get(job.job_id)
        assert done.status == "completed"
        assert done.facts["sha256"] == hash_file(machine.outputs.find(done).path)
    assert (machine.leases.all(), machine.device_locks.held) == ([], {})
    assert machine.clock.monotonic() - began >= 10


def test_a_living_worker_is_not_called_twice(machine):
    """Whoever submits sees its lease."""
    machine.claim_for_worker(machine.submit())
    machine.submit()
    assert machine.launcher.launched == [QUEUE]


def test_a_job_that_comes_when_the_worker_leaves_is_not_left(machine):
    """Stored between the last look and the end of the lease: the worker looks once more."""
    worker = machine.worker()
    machine.submit("first")
    release, late = machine.leases.release, []

    def release_late(lease):
        if not late:
            late.append(machine.submit("late"))
        release(lease)

    machine.leases.release = release_late
    worker.run()
    assert len(machine.provider.submitted) == 2


def test_of_two_workers_one_stands_at_the_door(machine):
    """A third one goes away at once."""
    machine.submit()
    machine.background("other").acquire(f"worker:{QUEUE}")
    machine.worker().run()
    assert machine.provider.submitted == []


def test_a_busy_device_is_waited_for(machine):
    """Another process runs on it: the worker takes it when it is free."""
    held = machine.lock_device("other")
    machine.alive.add(held.owner)
    assert held.acquire()
    machine.submit()
    worker = machine.worker()
    sleep = machine.clock.sleep

    def sleep_and_free(seconds):
        sleep(seconds)
        held.release()

    machine.clock.sleep = sleep_and_free
    worker.run()
    assert len(machine.provider.submitted) == 1


def test_a_device_of_the_dead_is_free(machine):
    """Its process was killed while it had the device."""
    machine.claim_for_worker(machine.submit())
    machine.kill()
    machine.submit("second")
    machine.worker("next").run()
    assert [r.job.arguments["prompt"] for r in machine.provider.submitted] == ["second"]


def test_two_devices_run_two(machine):
    """With more jobs waiting and a device free, a worker calls for another one."""
    machine.submit("a")
    machine.submit("b")
    slots = ("local:here:cuda:0", "local:here:cuda:1")
    first, second = machine.worker("w1", slots=slots), machine.worker("w2", slots=slots)
    seen = []

    def during(step):
        if not seen:
            seen.append(first.slot)
            assert machine.launcher.launched[-1] == QUEUE
            second.run()
            seen.append(second.slot)

    launched = len(machine.launcher.launched)
    slots_of_second = []
    serve = second._serve
    second._serve = lambda: (slots_of_second.append(second.slot), serve())
    machine.provider.during = during
    first.run()
    assert len(machine.launcher.launched) == launched + 1
    assert (seen[0], slots_of_second) == (slots[0], [slots[1]])


def test_a_failed_job_does_not_stop_the_worker(machine):
    """The next one runs."""
    machine.submit("a")
    machine.submit("b")
    machine.provider.failure = GenerationError("too large", code="out_of_memory")
    machine.worker().run()
    assert len(machine.provider.submitted) == 2
    assert [error.code for error in machine.troubles] == ["out_of_memory"] * 2


def test_a_worker_whose_job_cannot_be_stored_goes_away(machine):
    """Its death is how others learn of it."""
    machine.submit("a")
    machine.submit("b")
    save = machine.repository.save

    def save_beginnings(job):
        if job.status is not JobStatus.RUNNING or job.progress is not None:
            raise ProcessingError("the disk is full")
        return save(job)

    machine.repository.save = save_beginnings
    machine.worker().run()
    assert len(machine.provider.submitted) == 1


def test_a_queued_job_is_canceled_at_once(machine):
    """No worker starts it afterwards."""
    job = machine.submit()
    assert machine.caller.cancel(job.job_id).status == "canceled"
    machine.worker().run()
    assert machine.provider.submitted == []


def test_a_running_job_is_canceled_at_its_next_step(machine):
    """The caller hears ``canceling``; the worker confirms, with the seconds used."""
    job = machine.submit()

    def during(step):
        machine.clock.advance(2)
        if step == 1:
            assert machine.caller.cancel(job.job_id).status == "canceling"

    machine.provider.during = during
    machine.worker().run()
    done = machine.repository.get(job.job_id)
    assert (done.status, done.facts["seconds_used"]) == ("canceled", 4.0)


def test_a_finished_job_is_not_canceled(machine):
    """It stays as it is."""
    job = machine.submit()
    machine.worker().run()
    before = machine.repository.get(job.job_id)
    assert machine.caller.cancel(job.job_id) == before


def test_a_run_that_does_not_hear_is_ended_with_its_process(machine):
    """In loading or decoding nobody asks: after the bound the job is canceled, the process gone."""
    job = machine.submit()
    machine.submit("next")
    worker = machine.worker(cancel_timeout_s=20)

    def during(step):
        machine.caller.cancel(job.job_id)
        worker.send_heartbeat()
        machine.clock.advance(19)
        worker.send_heartbeat()
        machine.clock.advance(2)
        launched = len(machine.launcher.launched)
        with pytest.raises(ProcessExited):
            worker.send_heartbeat()
        assert machine.leases.all() == []
        assert len(machine.launcher.launched) == launched + 1
        raise ProcessExited

    machine.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()
    done = machine.repository.get(job.job_id)
    assert (done.status, done.facts["seconds_used"]) == ("canceled", 21.0)


@pytest.mark.parametrize(("retry", "status"), [(0, "failed"), (1, "queued")])
def test_a_worker_that_is_stop_requested_gives_its_job_back(machine, retry, status):
    """With a retry left the job waits again, else it says what happened."""
    job = machine.submit(retry=retry)
    worker = machine.worker()
    machine.provider.during = lambda step: worker.end() if step == 1 else None
    worker.run()
    stored = machine.repository.get(job.job_id)
    assert stored.status == status
    assert stored.error_code == ("worker_lost" if status == "failed" else None)


@pytest.mark.parametrize(("retry", "status"), [(0, "failed"), (1, "queued")])
def test_a_job_of_a_dead_worker_is_found_out(machine, retry, status):
    """By whoever asks; with a retry left another worker is called."""
    job = machine.submit(retry=retry)
    machine.claim_for_worker(job)
    machine.kill()
    launched = len(machine.launcher.launched)
    (found,) = machine.caller.recover()
    assert found.status == status
    assert found.attempt == 1 + retry
    assert len(machine.launcher.launched) == launched + retry
    if retry:
        machine.provider.runs.clear()
        machine.worker("next").run()
        assert machine.repository.get(job.job_id).status == "completed"


def test_a_silent_worker_is_ended(machine):
    """Stopped for longer than the bound: it must not wake up beside its successor."""
    job = machine.submit()
    running = machine.claim_for_worker(job)
    machine.clock.advance(59)
    assert machine.caller.check(job.job_id).status == "running"
    machine.clock.advance(2)
    assert machine.caller.check(job.job_id).error_code == "worker_lost"
    assert machine.processes.alive.isdisjoint({running.call_id})


def test_a_clock_that_jumps_kills_nobody(machine):
    """Only the machine's own seconds count."""
    job = machine.submit()
    machine.claim_for_worker(job)
    machine.clock.set(machine.clock.now().replace(year=2031))
    assert machine.caller.check(job.job_id).status == "running"


def test_a_restart_of_the_machine_is_noticed(machine):
    """Its processes are dead, and no mark of the boot before is compared with one of this."""
    job = machine.submit()
    machine.claim_for_worker(job)
    machine.kill()
    caller = machine.background("caller")
    caller.processes.boot = "boot-2"
    assert machine.generation(caller).check(job.job_id).error_code == "worker_lost"


def test_a_mark_of_another_boot_says_nothing_of_silence(machine):
    """A worker that lives is not ended because its clock began elsewhere."""
    job = machine.submit()
    machine.claim_for_worker(job)
    machine.clock.advance(1000)
    caller = machine.background("caller")
    caller.processes.boot = "boot-2"
    assert machine.generation(caller).check(job.job_id).status == "running"


@pytest.mark.parametrize("silent_s", [0, 1000])
def test_a_worker_that_cannot_be_seen_is_not_dead(machine, silent_s):
    """It is in another container: its lease and its job are left alone."""
    running = machine.claim_for_worker(machine.submit())
    machine.clock.advance(silent_s)
    caller = machine.background("caller")
    caller.processes.hidden.add(running.call_id)
    held = machine.leases.all()
    assert machine.generation(caller).check(running.job_id).status == "running"
    assert caller.acquire(f"worker:{QUEUE}@{CPU}") is None
    assert (machine.leases.all(), caller.processes.ended) == (held, [])


def test_a_silent_worker_of_another_user_keeps_its_lease(machine):
    """It cannot be ended, so what it holds is not free."""
    running = machine.claim_for_worker(machine.submit())
    machine.clock.advance(1000)
    caller = machine.background("caller")
    caller.processes.foreign.add(running.call_id)
    held = machine.leases.all()
    assert not any(caller.reclaim(lease) for lease in held)
    assert machine.leases.all() == held


class Unseen(FakeLocalProvider):
    """A provider whose runs cannot be seen from here."""

    def poll(self, job):
        return Report(status=job.status, message="cannot tell", is_reachable=False)


def test_a_job_that_is_lost_for_good_is_ended_by_its_owner(machine):
    """The lease of its process is free; the run, should it come back, finds it canceled."""
    running = machine.claim_for_worker(machine.submit())
    caller = machine.background("caller")
    caller.processes.hidden.add(running.call_id)
    machine.provider = Unseen(machine.folder / "spool", machine.processes)
    generation = machine.generation(caller)
    assert generation.check(running.job_id).status == "running"
    ended = generation.cancel(running.job_id, lost=True)
    assert (ended.status, ended.retry) == ("canceled", 0)
    assert "lost" in ended.message
    assert machine.leases.all() == []
    assert generation.cancel(running.job_id, lost=True) == ended


def test_a_job_that_is_seen_is_not_lost(machine):
    """The plain command is for it; nothing has changed."""
    running = machine.claim_for_worker(machine.submit())
    held = machine.leases.all()
    with pytest.raises(ValidationError) as caught:
        machine.caller.cancel(running.job_id, lost=True)
    assert caught.value.code == "not_lost"
    assert machine.repository.get(running.job_id).status == "running"
    assert machine.leases.all() == held


def test_a_queue_whose_worker_is_lost_for_good_is_freed(machine):
    """A job that waits for it is canceled, and the next one gets a worker."""
    machine.claim_for_worker(machine.submit())
    waiting = machine.submit("b")
    caller = machine.background("caller")
    caller.processes.hidden.add("local:here:worker")
    generation = machine.generation(caller)
    assert generation.cancel(waiting.job_id, lost=True).status == "canceled"
    assert machine.leases.all() == []


def test_a_worker_that_comes_back_just_in_time_lives(machine):
    """It has renewed its lease after it was judged: the verdict no longer holds."""
    background = machine.background("worker")
    lease = background.acquire(f"worker:{QUEUE}")
    machine.clock.advance(100)
    background.renew(lease)
    assert not machine.background("caller").reclaim(lease)
    assert "local:here:worker" in machine.alive


def test_a_worker_that_was_thought_dead_leaves(machine):
    """Its job is somebody else's by now."""
    machine.submit()
    worker = machine.worker()

    def during(step):
        machine.leases.leases.clear()
        worker.send_heartbeat()

    machine.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()


def test_a_worker_of_another_machine_is_left_alone(machine):
    """Nobody here can say whether it lives."""
    background = machine.background("caller")
    there = machine.leases.acquire(
        f"worker:{QUEUE}", "local:there:1:2", heartbeat="boot-0 0", at=machine.clock.now()
    )
    assert not background.reclaim(there)


def test_an_older_verdict_does_not_touch_a_new_attempt(machine):
    """Two find the same worker dead; the slower one finds the job with its next worker."""
    job = machine.submit(retry=1)
    judged = machine.claim_for_worker(job)
    lost = Report(status=JobStatus.FAILED, error="it died", error_code="worker_lost")
    supervisor = machine.caller._supervisor
    assert supervisor.handle_lost_worker(judged, lost).status == "queued"
    machine.claim_for_worker(job, by="next")
    assert supervisor.handle_lost_worker(judged, lost).status == "running"


def test_recovery_goes_on_after_a_failure(machine):
    """One job that cannot be looked at keeps no other one from it."""
    jobs = [machine.submit("a"), machine.submit("b")]
    for job in jobs:
        machine.claim_for_worker(job)
    machine.kill()
    find = machine.outputs.find

    def find_or_not(job):
        if job.job_id == jobs[0].job_id:
            raise ProcessingError("the folder cannot be read")
        return find(job)

    machine.outputs.find = find_or_not
    assert [job.job_id for job in machine.caller.recover()] == [jobs[1].job_id]
    assert [error.code for error in machine.troubles] == ["processing"]


def test_what_is_half_written_goes_at_recovery(machine):
    """Also at the first listing of a process, and not at every one."""
    machine.caller.recover()
    assert machine.outputs.tidied == 1
    machine.caller.list(JobQuery())
    machine.caller.list(JobQuery())
    assert machine.outputs.tidied == 2


def test_a_deleted_job_is_not_run(machine):
    """A worker that had just read of it takes the next one."""
    job, second = machine.submit("a"), machine.submit("b")
    save = machine.repository.save

    def save_late(changed):
        if changed.job_id == job.job_id:
            machine.repository.save = save
            machine.repository.delete(job.job_id)
            raise ResourceNotFoundError("it is gone")
        return save(changed)

    machine.repository.save = save_late
    machine.worker().run()
    assert [r.job.job_id for r in machine.provider.submitted] == [second.job_id]


def test_the_first_listing_finds_the_dead_and_looks_no_second_time(machine):
    """So many at the most, and nobody far away is asked: a listing stays cheap."""
    jobs = [machine.submit(str(number)) for number in range(MAX_JOBS_RECOVERED_ON_LIST + 5)]
    for job in jobs:
        machine.claim_for_worker(job)
    machine.kill()
    gets, get = [], machine.repository.get
    machine.repository.get = lambda job_id: gets.append(job_id) or get(job_id)
    failed = machine.caller.list(JobQuery(status=frozenset({JobStatus.FAILED}), limit=None))
    assert {job.job_id for job in failed} == {
        job.job_id for job in jobs[:MAX_JOBS_RECOVERED_ON_LIST]
    }
    assert len(gets) <= 4 * MAX_JOBS_RECOVERED_ON_LIST
    gets.clear()
    machine.caller.list(JobQuery())
    assert gets == []


def locked(machine):
    """Return the devices that are locked."""
    return {name for name in machine.device_locks.held if "@" not in name}


GROUP = "local:here:cuda:0,cuda:1"
FIRST, SECOND = "local:here:cuda:0", "local:here:cuda:1"


@pytest.mark.parametrize("device", ["cuda:1", "cuda:0,cuda:1"])
def test_a_queue_of_a_numbered_device_gets_a_worker(machine, device):
    """The name of its queue has a colon more than others."""
    machine.caller = machine.generation(
        replace(machine.background("caller"), device=lambda: device)
    )
    assert machine.submit().queue == f"local:here:{device}"
    assert machine.launcher.launched == [f"local:here:{device}"]


@pytest.mark.parametrize("busy", [FIRST, SECOND])
def test_a_group_waits_for_each_of_its_devices(machine, busy):
    """It takes all of them or none: nobody waits for what a waiting group holds."""
    held = machine.lock_device("other", busy)
    machine.alive.add(held.owner)
    assert held.acquire()
    machine.submit()
    worker, seen = machine.worker(slots=(GROUP,)), []
    sleep = machine.clock.sleep

    def sleep_and_free(seconds):
        sleep(seconds)
        seen.append(locked(machine))
        held.release()

    machine.clock.sleep = sleep_and_free
    machine.provider.during = lambda step: seen.append(locked(machine))
    worker.run()
    assert seen[0] == {busy}
    assert {FIRST, SECOND} in seen
    assert (machine.leases.all(), machine.device_locks.held) == ([], {})


def test_a_device_of_a_running_group_is_busy(machine):
    """The worker of one device does not run beside a group that has it."""
    machine.submit()
    single, tried = machine.worker("single", slots=(SECOND,)), []
    machine.provider.during = lambda step: tried.append(single._take_device(SECOND))
    machine.worker("group", slots=(GROUP,)).run()
    assert set(tried) == {False}


def test_a_group_makes_room_with_all_of_its_devices(machine):
    """They are free when its process is gone, and the memory that it uses."""
    machine.submit("group's")
    machine.provider.during = lambda step: machine.ticket(
        "waiting", make_job(creation_time=machine.clock.now()), SECOND
    ).acquire()
    worker, held = machine.worker("group", slots=(GROUP,)), []
    leave = worker._leave
    worker._leave = lambda: (held.extend(locked(machine)), leave())
    with pytest.raises(ProcessExited):
        worker.run()
    assert {FIRST, SECOND} == set(held)
