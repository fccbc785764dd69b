"""What a look at a job costs: how often the store is read and written."""

from dataclasses import replace

import pytest
from tests.domain.counting import CountingRepository

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing import (
    FakeClock,
    FakeDeviceLocks,
    FakeLauncher,
    FakeMediaReader,
    FakeOutputStore,
    FakeProcesses,
    FakeProvider,
    MemoryLeases,
)
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import Background


class CountedJob:
    """A remote job, and the counts of what is asked of the store from now on."""

    def __init__(self, folder):
        self.repository, self.clock = CountingRepository(), FakeClock()
        self.remote = FakeProvider(folder / "spool", name="modal")
        self.local = FakeProvider(folder / "spool", name="local", blocking=True)
        processes = FakeProcesses(self.clock)
        self.generation = Generation(
            providers={"modal": self.remote, "local": self.local},
            repository=self.repository,
            outputs=FakeOutputStore(folder / "videos"),
            media=FakeMediaReader(folder / "inputs"),
            clock=self.clock,
            background=Background(
                leases=MemoryLeases(),
                device_locks=FakeDeviceLocks(processes),
                processes=processes,
                launcher=FakeLauncher(),
                clock=self.clock,
            ),
        )
        self.job = self.submit("modal")

    def submit(self, provider, **options):
        call = {"provider": provider, "model": None, "arguments": {"prompt": "a fox"}}
        job = self.generation.submit(Feature.TEXT_TO_VIDEO, **call, **options)
        self.repository.calls.clear()
        return job

    def check(self):
        """Check the job; return its status and what that cost."""
        return self.cost(lambda: self.generation.check(self.job.job_id))

    def cost(self, act):
        self.repository.calls.clear()
        return act().status, dict(self.repository.calls)


@pytest.fixture
def counted(tmp_path):
    return CountedJob(tmp_path)


def test_the_checks_of_a_remote_job(counted):
    """A running job: one read, and one write of news. Its end: a read more. After it: one read."""
    assert counted.check() == ("running", {"get": 1, "save": 1})
    poll, step = counted.remote.poll, Progress(phase=Phase.DENOISING, step=2, steps=3)
    counted.remote.poll = lambda job: Report(status=JobStatus.RUNNING, progress=step)
    assert counted.check() == ("running", {"get": 1, "save": 1})
    assert counted.check() == ("running", {"get": 1})
    counted.remote.poll = poll
    assert counted.check() == ("completed", {"get": 2, "save": 1})
    assert counted.check() == ("completed", {"get": 1})


def test_a_check_while_others_write(counted):
    """A race costs one read and one refused write more."""
    poll = counted.remote.poll

    def poll_slowly(job):
        stored = counted.repository.jobs[job.job_id]
        counted.repository.jobs[job.job_id] = replace(stored, version=2, note="meanwhile")
        return poll(job)

    counted.remote.poll = poll_slowly
    counted.repository.jobs[counted.job.job_id] = replace(counted.job, version=1)
    assert counted.check() == ("running", {"get": 2, "save": 2})
    assert counted.repository.jobs[counted.job.job_id].note == "meanwhile"


def test_a_failed_and_an_unreachable_run(counted):
    """One read and one write of what is new; the same again is not written."""
    counted.remote.unreachable = True
    assert counted.check() == ("queued", {"get": 1, "save": 1})
    assert counted.check() == ("queued", {"get": 1})
    counted.remote.unreachable = False
    counted.remote.forget(counted.job.job_id)
    assert counted.check() == ("failed", {"get": 1, "save": 1})


def test_a_cancel(counted):
    """One read and one write; a look later brings the end."""
    cancel = lambda: counted.generation.cancel(counted.job.job_id)  # noqa: E731
    assert counted.cost(cancel) == ("canceling", {"get": 1, "save": 1})
    assert counted.cost(cancel) == ("canceling", {"get": 1})
    assert counted.check() == ("canceled", {"get": 1, "save": 1})
    assert counted.cost(cancel) == ("canceled", {"get": 1})


def test_a_check_of_a_queued_job(counted):
    """One read of it, and one look at what its queue waits for."""
    counted.job = counted.submit("local", detach=True)
    assert counted.check() == ("queued", {"get": 1, "list": 1})


def test_a_step_of_a_run_in_this_process(counted):
    """What the observer stores costs a write each, and no read."""
    costs = []

    def during(step):
        counted.clock.advance(1)
        costs.append(dict(counted.repository.calls))
        counted.repository.calls.clear()

    counted.local.during = during
    assert counted.submit("local").status == "completed"
    # Twice a second the run looks whether it is to stop.
    assert costs[1:] == [{"get": 1, "save": 1}] * 3
