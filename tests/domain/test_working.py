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
from tiomagic_domain.lifecycle.outcome import hash_file
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.testing.repository import make_job
from tiomagic_domain.usecases.tracking import MAX_JOBS_RECOVERED_ON_LIST
from tiomagic_domain.workers.leases import ticket_name


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


def test_a_detached_job_is_queued_and_a_worker_is_called(place):
    """Nothing runs in the caller; the job says where it waits."""
    job = place.submit(retry=2)
    assert (job.status, job.queue, job.retry) == ("queued", QUEUE, 2)
    assert place.launcher.launched == [QUEUE]
    assert place.provider.submitted == []


def test_without_its_parts_no_job_is_detached(place):
    """Said before anything is stored."""
    place.caller = place.generation(None)
    with pytest.raises(ConfigurationError, match="without its caller"):
        place.submit()
    assert place.repository.count(JobQuery()) == 0


def test_a_job_that_no_worker_can_be_started_for_fails(place):
    """It does not wait for ever."""
    place.launcher.refused = True
    with pytest.raises(ConfigurationError) as caught:
        place.submit()
    assert place.repository.get(caught.value.details["job_id"]).status == "failed"


def test_a_worker_runs_jobs_in_order_and_goes_away(place):
    """The oldest first; then it waits its idle time and gives everything back."""
    jobs = []
    for name in "abc":
        jobs.append(place.submit(name))
        place.clock.advance(1)
    began = place.clock.monotonic()
    place.worker().run()
    assert [r.job.job_id for r in place.provider.submitted] == [j.job_id for j in jobs]
    for job in jobs:
        done = place.repository.get(job.job_id)
        assert done.status == "completed"
        assert done.facts["sha256"] == hash_file(place.outputs.find(done).path)
    assert place.leases.all() == []
    assert place.clock.monotonic() - began >= 10


def test_a_living_worker_is_not_called_twice(place):
    """Whoever submits sees its lease."""
    place.claim_for_worker(place.submit())
    place.submit()
    assert place.launcher.launched == [QUEUE]


def test_a_job_that_comes_when_the_worker_leaves_is_not_left(place):
    """Stored between the last look and the end of the lease: the worker looks once more."""
    worker = place.worker()
    place.submit("first")
    release, late = place.leases.release, []

    def release_late(lease):
        if not late:
            late.append(place.submit("late"))
        release(lease)

    place.leases.release = release_late
    worker.run()
    assert len(place.provider.submitted) == 2


def test_of_two_workers_one_stands_at_the_door(place):
    """A third one goes away at once."""
    place.submit()
    place.background("other").acquire(f"worker:{QUEUE}")
    place.worker().run()
    assert place.provider.submitted == []


def test_a_busy_device_is_waited_for(place):
    """Another process runs on it: the worker takes it when it is free."""
    other = place.background("other")
    held = other.acquire(CPU)
    place.submit()
    worker = place.worker()
    sleep = place.clock.sleep

    def sleep_and_free(seconds):
        sleep(seconds)
        other.leases.release(held)

    place.clock.sleep = sleep_and_free
    worker.run()
    assert len(place.provider.submitted) == 1


def test_a_device_of_the_dead_is_free(place):
    """Its process was killed with the lease in its hand."""
    place.claim_for_worker(place.submit())
    place.kill()
    place.submit("second")
    place.worker("next").run()
    assert [r.job.arguments["prompt"] for r in place.provider.submitted] == ["second"]


def test_two_devices_run_two(place):
    """With more jobs waiting and a device free, a worker calls for another one."""
    place.submit("a")
    place.submit("b")
    slots = ("local:here:cuda:0", "local:here:cuda:1")
    first, second = place.worker("w1", slots=slots), place.worker("w2", slots=slots)
    seen = []

    def during(step):
        if not seen:
            seen.append(first.slot)
            assert place.launcher.launched[-1] == QUEUE
            second.run()
            seen.append(second.slot)

    launched = len(place.launcher.launched)
    slots_of_second = []
    serve = second._serve
    second._serve = lambda: (slots_of_second.append(second.slot), serve())
    place.provider.during = during
    first.run()
    assert len(place.launcher.launched) == launched + 1
    assert (seen[0], slots_of_second) == (slots[0], [slots[1]])


def test_a_failed_job_does_not_stop_the_worker(place):
    """The next one runs."""
    place.submit("a")
    place.submit("b")
    place.provider.failure = GenerationError("too large", code="out_of_memory")
    place.worker().run()
    assert len(place.provider.submitted) == 2
    assert [error.code for error in place.troubles] == ["out_of_memory"] * 2


def test_a_worker_whose_job_cannot_be_stored_goes_away(place):
    """Its death is how others learn of it."""
    place.submit("a")
    place.submit("b")
    save = place.repository.save

    def save_beginnings(job):
        if job.status is not JobStatus.RUNNING or job.progress is not None:
            raise ProcessingError("the disk is full")
        return save(job)

    place.repository.save = save_beginnings
    place.worker().run()
    assert len(place.provider.submitted) == 1


def test_a_queued_job_is_canceled_at_once(place):
    """No worker starts it afterwards."""
    job = place.submit()
    assert place.caller.cancel(job.job_id).status == "canceled"
    place.worker().run()
    assert place.provider.submitted == []


def test_a_running_job_is_canceled_at_its_next_step(place):
    """The caller hears ``canceling``; the worker confirms, with the seconds used."""
    job = place.submit()

    def during(step):
        place.clock.advance(2)
        if step == 1:
            assert place.caller.cancel(job.job_id).status == "canceling"

    place.provider.during = during
    place.worker().run()
    done = place.repository.get(job.job_id)
    assert (done.status, done.facts["seconds_used"]) == ("canceled", 4.0)


def test_a_finished_job_is_not_canceled(place):
    """It stays as it is."""
    job = place.submit()
    place.worker().run()
    before = place.repository.get(job.job_id)
    assert place.caller.cancel(job.job_id) == before


def test_a_run_that_does_not_hear_is_ended_with_its_process(place):
    """In loading or decoding nobody asks: after the bound the job is canceled, the process gone."""
    job = place.submit()
    place.submit("next")
    worker = place.worker(cancel_timeout_s=20)

    def during(step):
        place.caller.cancel(job.job_id)
        worker.send_heartbeat()
        place.clock.advance(19)
        worker.send_heartbeat()
        place.clock.advance(2)
        launched = len(place.launcher.launched)
        with pytest.raises(ProcessExited):
            worker.send_heartbeat()
        assert place.leases.all() == []
        assert len(place.launcher.launched) == launched + 1
        raise ProcessExited

    place.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()
    done = place.repository.get(job.job_id)
    assert (done.status, done.facts["seconds_used"]) == ("canceled", 21.0)


@pytest.mark.parametrize(("retry", "status"), [(0, "failed"), (1, "queued")])
def test_a_worker_that_is_told_to_end_gives_its_job_back(place, retry, status):
    """With a retry left the job waits again, else it says what happened."""
    job = place.submit(retry=retry)
    worker = place.worker()
    place.provider.during = lambda step: worker.end() if step == 1 else None
    worker.run()
    stored = place.repository.get(job.job_id)
    assert stored.status == status
    assert stored.error_code == ("worker_lost" if status == "failed" else None)


@pytest.mark.parametrize(("retry", "status"), [(0, "failed"), (1, "queued")])
def test_a_job_of_a_dead_worker_is_found_out(place, retry, status):
    """By whoever asks; with a retry left another worker is called."""
    job = place.submit(retry=retry)
    place.claim_for_worker(job)
    place.kill()
    launched = len(place.launcher.launched)
    (found,) = place.caller.recover()
    assert found.status == status
    assert found.attempt == 1 + retry
    assert len(place.launcher.launched) == launched + retry
    if retry:
        place.provider.runs.clear()
        place.worker("next").run()
        assert place.repository.get(job.job_id).status == "completed"


def test_a_silent_worker_is_ended(place):
    """Stopped for longer than the bound: it must not wake up beside its successor."""
    job = place.submit()
    running = place.claim_for_worker(job)
    place.clock.advance(59)
    assert place.caller.check(job.job_id).status == "running"
    place.clock.advance(2)
    assert place.caller.check(job.job_id).error_code == "worker_lost"
    assert place.processes.alive.isdisjoint({running.call_id})


def test_a_clock_that_jumps_kills_nobody(place):
    """Only the machine's own seconds count."""
    job = place.submit()
    place.claim_for_worker(job)
    place.clock.set(place.clock.now().replace(year=2031))
    assert place.caller.check(job.job_id).status == "running"


def test_a_restart_of_the_machine_is_noticed(place):
    """Its processes are dead, and no mark of the boot before is compared with one of this."""
    job = place.submit()
    place.claim_for_worker(job)
    place.kill()
    caller = place.background("caller")
    caller.processes.boot = "boot-2"
    assert place.generation(caller).check(job.job_id).error_code == "worker_lost"


def test_a_mark_of_another_boot_says_nothing_of_silence(place):
    """A worker that lives is not ended because its clock began elsewhere."""
    job = place.submit()
    place.claim_for_worker(job)
    place.clock.advance(1000)
    caller = place.background("caller")
    caller.processes.boot = "boot-2"
    assert place.generation(caller).check(job.job_id).status == "running"


@pytest.mark.parametrize("silent_s", [0, 1000])
def test_a_worker_that_cannot_be_seen_is_not_dead(place, silent_s):
    """It is in another container: its lease, its job and its device are left alone."""
    running = place.claim_for_worker(place.submit())
    place.clock.advance(silent_s)
    caller = place.background("caller")
    caller.processes.hidden.add(running.call_id)
    held = place.leases.all()
    assert place.generation(caller).check(running.job_id).status == "running"
    assert caller.acquire(CPU) is None
    assert (place.leases.all(), caller.processes.ended) == (held, [])


def test_a_silent_worker_of_another_user_keeps_its_lease(place):
    """It cannot be ended, so what it holds is not free."""
    running = place.claim_for_worker(place.submit())
    place.clock.advance(1000)
    caller = place.background("caller")
    caller.processes.foreign.add(running.call_id)
    held = place.leases.all()
    assert not any(caller.reclaim(lease) for lease in held)
    assert place.leases.all() == held


class Unseen(FakeLocalProvider):
    """A provider whose runs cannot be seen from here."""

    def poll(self, job):
        return Report(status=job.status, message="cannot tell", is_reachable=False)


def test_a_job_that_is_lost_for_good_is_ended_by_its_owner(place):
    """And what its process held is free; the run, should it come back, finds it canceled."""
    running = place.claim_for_worker(place.submit())
    caller = place.background("caller")
    caller.processes.hidden.add(running.call_id)
    place.provider = Unseen(place.folder / "spool", place.processes)
    generation = place.generation(caller)
    assert generation.check(running.job_id).status == "running"
    ended = generation.cancel(running.job_id, lost=True)
    assert (ended.status, ended.retry) == ("canceled", 0)
    assert "lost" in ended.message
    assert place.leases.all() == []
    assert generation.cancel(running.job_id, lost=True) == ended


def test_a_job_that_is_seen_is_not_lost(place):
    """The plain command is for it; nothing has changed."""
    running = place.claim_for_worker(place.submit())
    held = place.leases.all()
    with pytest.raises(ValidationError) as caught:
        place.caller.cancel(running.job_id, lost=True)
    assert caught.value.code == "not_lost"
    assert place.repository.get(running.job_id).status == "running"
    assert place.leases.all() == held


def test_a_queue_whose_worker_is_lost_for_good_is_freed(place):
    """A job that waits for it is canceled, and the next one gets a worker."""
    place.claim_for_worker(place.submit())
    waiting = place.submit("b")
    caller = place.background("caller")
    caller.processes.hidden.add("local:here:worker")
    generation = place.generation(caller)
    assert generation.cancel(waiting.job_id, lost=True).status == "canceled"
    assert place.leases.all() == []


def test_a_worker_that_comes_back_just_in_time_lives(place):
    """It has renewed its lease after it was judged: the verdict no longer holds."""
    background = place.background("worker")
    lease = background.acquire(f"worker:{QUEUE}")
    place.clock.advance(100)
    background.renew(lease)
    assert not place.background("caller").reclaim(lease)
    assert "local:here:worker" in place.alive


def test_a_worker_that_was_thought_dead_leaves(place):
    """Its job is somebody else's by now."""
    place.submit()
    worker = place.worker()

    def during(step):
        place.leases.leases.clear()
        worker.send_heartbeat()

    place.provider.during = during
    with pytest.raises(ProcessExited):
        worker.run()


def test_a_worker_of_another_machine_is_left_alone(place):
    """Nobody here can say whether it lives."""
    background = place.background("caller")
    there = place.leases.acquire(
        f"worker:{QUEUE}", "local:there:1:2", heartbeat="boot-0 0", at=place.clock.now()
    )
    assert not background.reclaim(there)


def test_an_older_verdict_does_not_touch_a_new_attempt(place):
    """Two find the same worker dead; the slower one finds the job with its next worker."""
    job = place.submit(retry=1)
    judged = place.claim_for_worker(job)
    lost = Report(status=JobStatus.FAILED, error="it died", error_code="worker_lost")
    supervisor = place.caller._supervisor
    assert supervisor.handle_lost_worker(judged, lost).status == "queued"
    place.claim_for_worker(job, by="next")
    assert supervisor.handle_lost_worker(judged, lost).status == "running"


def test_recovery_goes_on_after_a_failure(place):
    """One job that cannot be looked at keeps no other one from it."""
    jobs = [place.submit("a"), place.submit("b")]
    for job in jobs:
        place.claim_for_worker(job)
    place.kill()
    find = place.outputs.find

    def find_or_not(job):
        if job.job_id == jobs[0].job_id:
            raise ProcessingError("the folder cannot be read")
        return find(job)

    place.outputs.find = find_or_not
    assert [job.job_id for job in place.caller.recover()] == [jobs[1].job_id]
    assert [error.code for error in place.troubles] == ["processing"]


def test_what_is_half_written_goes_at_recovery(place):
    """Also at the first listing of a process, and not at every one."""
    place.caller.recover()
    assert place.outputs.tidied == 1
    place.caller.list(JobQuery())
    place.caller.list(JobQuery())
    assert place.outputs.tidied == 2


def test_a_deleted_job_is_not_run(place):
    """A worker that had just read of it takes the next one."""
    job, second = place.submit("a"), place.submit("b")
    save = place.repository.save

    def save_late(changed):
        if changed.job_id == job.job_id:
            place.repository.save = save
            place.repository.delete(job.job_id)
            raise ResourceNotFoundError("it is gone")
        return save(changed)

    place.repository.save = save_late
    place.worker().run()
    assert [r.job.job_id for r in place.provider.submitted] == [second.job_id]


def test_the_first_listing_finds_the_dead_and_looks_no_second_time(place):
    """So many at the most, and nobody far away is asked: a listing stays cheap."""
    jobs = [place.submit(str(number)) for number in range(MAX_JOBS_RECOVERED_ON_LIST + 5)]
    for job in jobs:
        place.claim_for_worker(job)
    place.kill()
    gets, get = [], place.repository.get
    place.repository.get = lambda job_id: gets.append(job_id) or get(job_id)
    failed = place.caller.list(JobQuery(status=frozenset({JobStatus.FAILED}), limit=None))
    assert {job.job_id for job in failed} == {
        job.job_id for job in jobs[:MAX_JOBS_RECOVERED_ON_LIST]
    }
    assert len(gets) <= 4 * MAX_JOBS_RECOVERED_ON_LIST
    gets.clear()
    place.caller.list(JobQuery())
    assert gets == []


GROUP = "local:here:cuda:0,cuda:1"
FIRST, SECOND = "local:here:cuda:0", "local:here:cuda:1"


@pytest.mark.parametrize("device", ["cuda:1", "cuda:0,cuda:1"])
def test_a_queue_of_a_numbered_device_gets_a_worker(place, device):
    """The name of its queue has a colon more than others."""
    place.caller = place.generation(replace(place.background("caller"), device=lambda: device))
    assert place.submit().queue == f"local:here:{device}"
    assert place.launcher.launched == [f"local:here:{device}"]


@pytest.mark.parametrize("busy", [FIRST, SECOND])
def test_a_group_waits_for_each_of_its_devices(place, busy):
    """It takes all of them or none: nobody waits for what a waiting group holds."""
    other = place.background("other")
    held = other.acquire(busy)
    place.submit()
    worker, seen = place.worker(slots=(GROUP,)), []
    sleep = place.clock.sleep

    def sleep_and_free(seconds):
        sleep(seconds)
        if other.leases.find(busy) == held:
            seen.append({name for name in place.leases.leases if not name.startswith("worker:")})
            other.leases.release(held)

    place.clock.sleep = sleep_and_free
    place.provider.during = lambda step: seen.append(
        {name for name in place.leases.leases if not name.startswith("worker:")}
    )
    worker.run()
    assert seen[0] == {busy}
    assert seen[-1] == {GROUP, FIRST, SECOND}
    assert place.leases.all() == []


def test_a_device_of_a_running_group_is_busy(place):
    """The worker of one device does not run beside a group that has it."""
    place.submit()
    single, tried = place.worker("single", slots=(SECOND,)), []
    place.provider.during = lambda step: tried.append(single._take_device(SECOND))
    place.worker("group", slots=(GROUP,)).run()
    assert set(tried) == {False}


def test_a_group_makes_room_with_all_of_its_devices(place):
    """Its leases go with its process, and with them the memory that they stand for."""
    place.submit("group's")
    place.provider.during = lambda step: place.background("waiting").acquire(
        ticket_name(SECOND, make_job(creation_time=place.clock.now()))
    )
    worker, held = place.worker("group", slots=(GROUP,)), []
    leave = worker._leave
    worker._leave = lambda: (held.extend(place.leases.leases), leave())
    with pytest.raises(ProcessExited):
        worker.run()
    assert {GROUP, FIRST, SECOND} == {name for name in held if not name.startswith("turn:")}
