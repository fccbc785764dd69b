"""A machine in memory: one store, a blocking provider, and processes that see them."""

from dataclasses import dataclass, field

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.testing import (
    FakeClock,
    FakeDeviceLocks,
    FakeLauncher,
    FakeMediaReader,
    FakeOutputStore,
    FakeProcesses,
    FakeProvider,
    MemoryJobRepository,
    MemoryLeases,
)
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import Background, Worker, WorkerLimits
from tiomagic_domain.workers.leases import queue_position

QUEUE = "local:here:auto"
CPU = "local:here:cpu"
MODEL = "wan2.1-t2v-1.3b"


class FakeLocalProvider(FakeProvider):
    """A blocking provider whose runs are gone with their worker."""

    def __init__(self, spool, processes):
        super().__init__(spool, name="local", blocking=True, default_model=MODEL)
        self.processes = processes

    def _start(self, job):
        known = self.runs.get(job.job_id)
        if known is not None and known.status is JobStatus.FAILED:
            self.forget(job.job_id)  # As on a machine: what broke leaves nothing.
        run, is_new = super()._start(job)
        run.call_id = job.call_id
        return run, is_new

    def poll(self, job):
        if job.call_id in self.processes.alive:
            return Report(status=JobStatus.RUNNING)
        return Report(status=JobStatus.FAILED, error="it died", error_code="worker_lost")

    def cancel(self, job):
        report = self.poll(job)
        if report.status is JobStatus.FAILED:
            return Report(status=JobStatus.CANCELED, message="it was gone")
        return Report(status=JobStatus.CANCELING)


class ProcessExited(BaseException):
    """The process has ended."""


@dataclass
class FakeMachine:
    """A machine: one store, several processes that see it."""

    folder: object
    clock: FakeClock = field(default_factory=FakeClock)
    launcher: FakeLauncher = field(default_factory=FakeLauncher)
    repository: MemoryJobRepository = field(default_factory=MemoryJobRepository)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    alive: set = field(default_factory=set)
    troubles: list = field(default_factory=list)

    def __post_init__(self):
        self.processes = FakeProcesses(self.clock, alive=self.alive)
        self.device_locks = FakeDeviceLocks(self.processes)
        self.provider = FakeLocalProvider(self.folder / "spool", self.processes)
        self.outputs = FakeOutputStore(self.folder / "videos")
        self.media = FakeMediaReader(self.folder / "inputs")
        self.caller = self.generation(self.background("caller"))

    def background(self, name):
        processes = FakeProcesses(self.clock, name, self.alive)
        return Background(
            leases=self.leases,
            device_locks=self.device_locks,
            processes=processes,
            launcher=self.launcher,
            clock=self.clock,
            slot=lambda provider: CPU if provider == "local" else None,
        )

    def generation(self, background):
        return Generation(
            providers={"local": self.provider},
            repository=self.repository,
            outputs=self.outputs,
            media=self.media,
            clock=self.clock,
            on_trouble=self.troubles.append,
            background=background,
        )

    def worker(self, name="worker", *, slots=(CPU,), idle_s=10, cancel_timeout_s=20):
        background = self.background(name)

        def leave():
            raise ProcessExited

        return Worker(
            QUEUE,
            background=background,
            repository=self.repository,
            generation=self.generation(background),
            slots=lambda: slots,
            leave=leave,
            on_trouble=self.troubles.append,
            limits=WorkerLimits(idle_s=idle_s, poll_s=1, cancel_timeout_s=cancel_timeout_s),
        )

    def submit(self, prompt="a fox", *, detach=True, **options):
        self.clock.advance(0.01)  # The order of submission is that of the times.
        return self.caller.submit(
            Feature.TEXT_TO_VIDEO,
            provider="local",
            model=None,
            arguments={"prompt": prompt},
            detach=detach,
            **options,
        )

    def claim_for_worker(self, job, by="worker"):
        """Store a job as one that a worker has in hand, with the worker's lease."""
        background = self.background(by)
        call_id = background.processes.current()
        stored = self.repository.get(job.job_id)
        running = stored.to(JobStatus.RUNNING, at=self.clock.now(), call_id=call_id)
        background.acquire(f"worker:{QUEUE}@{CPU}")
        self.lock_device(by).acquire()
        return self.repository.save(running)

    def lock_device(self, by, slot=CPU):
        """Return the lock of a device, for a process of this machine."""
        return self.device_locks.device(slot, f"local:here:{by}")

    def ticket(self, by, job, slot=CPU):
        """Return the lock with which a process shows that a job waits."""
        lock = self.device_locks.ticket(slot, queue_position(job))
        lock.owner = f"local:here:{by}"
        self.alive.add(lock.owner)
        return lock

    def kill(self, by="worker"):
        self.alive.discard(f"local:here:{by}")
