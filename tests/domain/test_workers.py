"""The worker and the follower of services: they run until they are ended, and survive trouble."""

import threading

import pytest
from tests.domain.places import MODEL, QUEUE, FakeMachine

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import (
    FakeClock,
    FakeMediaReader,
    FakeOutputStore,
    FakeProvider,
    MemoryJobRepository,
)
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import WorkerLimits, keep_alive
from tiomagic_domain.workers.service import ExternalLauncher, JobFollower, QueueWorker


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


@pytest.fixture
def remote(tmp_path):
    return FakeProvider(tmp_path / "spool", name="modal", default_model=MODEL)


@pytest.fixture
def generation(remote, tmp_path):
    return Generation(
        providers={"modal": remote},
        repository=MemoryJobRepository(),
        outputs=FakeOutputStore(tmp_path / "out"),
        media=FakeMediaReader(tmp_path / "inputs"),
        clock=FakeClock(),
    )


def submit(generation):
    return generation.submit(
        Feature.TEXT_TO_VIDEO, provider="modal", model=MODEL, arguments={"prompt": "a fox"}
    )


def test_a_follower_brings_remote_videos_home(generation):
    """Nobody checks a job, and its video is there in the end."""
    job = submit(generation)
    over = threading.Event()
    statuses = []

    def note(changed):
        statuses.append(changed.status)
        if changed.status.is_terminal:
            over.set()

    with JobFollower(generation, poll_s=0.001, on_change=note):
        assert over.wait(60)
    assert statuses[-1] is JobStatus.COMPLETED
    assert generation.get(job.job_id).result_video is not None


def test_a_follower_survives_a_database_that_is_away(generation):
    """It says so, and the next pass works."""

    class Away:
        def __init__(self):
            self.passes = 0

        def recover(self):
            self.passes += 1
            if self.passes == 1:
                raise ProcessingError("the database cannot be reached")
            return generation.recover()

    job, trouble, over = submit(generation), [], threading.Event()

    def note(changed):
        if changed.status.is_terminal:
            over.set()

    with JobFollower(Away(), poll_s=0.001, on_change=note, on_trouble=trouble.append):
        assert over.wait(60)
    assert [str(error) for error in trouble] == ["the database cannot be reached"]
    assert generation.get(job.job_id).status == "completed"


def test_a_follower_ends_when_it_is_asked(generation):
    """An end before the first pass is heard as well."""
    follower = JobFollower(generation)
    follower.end()
    follower.run()


def served(place, **more):
    """Return a worker of the place's queue, and the jobs that it has run to their end."""
    background = place.background("service")
    generation = place.generation(background)
    return QueueWorker(
        "local",
        generation=generation,
        background=background,
        repository=place.repository,
        limits=WorkerLimits(idle_s=1.0, poll_s=0.001),
        **more,
    )


def test_a_worker_runs_what_comes_until_it_is_ended(machine):
    """Two jobs, the second of which comes when the first is over."""
    first = machine.submit("a")
    worker = served(machine)
    ran = []

    def during(step):
        if step == 1 and not ran:
            ran.append(machine.submit("b").job_id)
        elif step == 1:
            worker.end()

    machine.provider.during = during
    worker.run()
    assert [run.job.job_id for run in machine.provider.submitted][:2] == [first.job_id, *ran]
    assert machine.repository.get(first.job_id).status == "completed"


def test_a_worker_takes_the_devices_that_it_is_given(machine):
    """It locks the device of that name."""
    machine.submit("a")
    taken = []
    worker = served(machine, devices=("cuda:3",))

    def during(_step):
        taken.append(machine.device_locks.find_owner("local:here:cuda:3"))
        worker.end()

    machine.provider.during = during
    worker.run()
    assert taken[0] is not None


def test_a_service_may_start_its_workers_itself(machine):
    """The job is stored and waits; nothing is launched."""
    machine.launcher = ExternalLauncher()
    machine.caller = machine.generation(machine.background("caller"))
    job = machine.submit("a")
    assert (job.status, job.queue) == ("queued", QUEUE)


def test_a_heartbeat_that_fails_is_said_and_the_next_one_comes() -> None:
    """A silent worker would be ended with its job."""
    beats, failures, heard = [], [], threading.Event()

    class Heart:
        def send_heartbeat(self):
            beats.append(len(beats))
            if len(beats) == 1:
                raise OSError("no disk")
            heard.set()

    with keep_alive(Heart(), 0.01, failures.append):
        assert heard.wait(60)
    assert [str(error) for error in failures] == ["no disk"]
