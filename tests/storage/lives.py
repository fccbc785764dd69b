"""A house over each store, and what the machine of `test_lives` believes of every job."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import (
    FakeClock,
    FakeDeviceLocks,
    FakeLauncher,
    FakeMediaReader,
    FakeOutputStore,
    FakeProcesses,
    FakeProvider,
)
from tiomagic_domain.testing.provider import FakeRun
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import Background

# The oracle's own word on what is legal. It must not come from the product.
LEGAL_MOVES = {
    "queued": {"running", "canceling", "completed", "failed", "canceled"},
    "running": {"queued", "canceling", "completed", "failed", "canceled"},
    "canceling": {"completed", "failed", "canceled"},
    "completed": set(),
    "failed": set(),
    "canceled": set(),
}


class PowerCut(BaseException):
    """Ends a run as kill -9 does: nobody gets to store anything any more."""


@dataclass
class RemoteRun:
    """What the remote side will do with a run."""

    script: list[str]
    said: str = "queued"
    stopping: bool = False

    def next_status(self) -> str:
        """Return what the next poll says."""
        if not LEGAL_MOVES[self.said]:
            return self.said
        if self.stopping:
            self.said = "canceled"
        elif self.script:
            self.said = self.script.pop(0)
        return self.said


@dataclass
class ExpectedJob:
    """What must be true of a job."""

    kind: str
    """remote, local, or waiting (in a queue for a worker)."""
    status: str = "queued"
    code: str | None = None
    remote_run: RemoteRun | None = None
    """None when no run is there."""
    saved: bool = False
    """True once the video lies in its place."""
    ran: bool = False
    attempt: int = 1
    retry: int = 0
    tags: tuple[str, ...] = ()
    note: str = ""
    trail: list[str] = field(default_factory=lambda: ["queued"])

    @property
    def is_over(self) -> bool:
        """True when nothing follows."""
        return not LEGAL_MOVES[self.status]

    @property
    def has_worker(self) -> bool:
        """True while a living worker runs it."""
        return self.kind == "waiting" and self.remote_run is not None and not self.is_over

    def move_to(self, status: str, code: str | None = None) -> None:
        """Move, as somebody's word was."""
        if status == self.status:
            return
        assert status in LEGAL_MOVES[self.status], (self.status, status)
        self.status, self.code = status, code
        self.ran = self.ran or status == "running"
        if status == "queued":
            self.ran, self.attempt, self.retry = False, self.attempt + 1, self.retry - 1

    def lose_run(self) -> None:
        """Its run is not there."""
        if self.status == "canceling":
            self.move_to("canceled")
        elif self.kind == "waiting" and self.retry:
            self.move_to("queued")
        else:
            self.move_to("failed", "lost")

    def apply_status(self, word: str, code: str | None = None) -> None:
        """Take a provider's word; one that is a step back says nothing."""
        if word in LEGAL_MOVES[self.status] and word != "queued":
            self.move_to(word, code)


class UseCases:
    """The use cases over one store; ids and times are the same in every house."""

    def __init__(self, folder: Path, repository, leases) -> None:
        self.repository = repository
        self.clock = FakeClock()
        self.outputs = FakeOutputStore(folder / "videos")
        self.remote = FakeProvider(folder / "spool", name="modal")
        self.local = FakeProvider(folder / "spool", name="local", blocking=True)
        self.changes: list[Job] = []
        numbers = itertools.count()
        self.new_id = lambda: f"job-{next(numbers):03}"
        processes = FakeProcesses(self.clock)
        media = FakeMediaReader(folder / "inputs")
        self.generation = Generation(
            providers={"modal": self.remote, "local": self.local},
            repository=repository,
            outputs=self.outputs,
            media=media,
            clock=self.clock,
            on_change=self.changes.append,
            background=Background(
                leases=leases,
                device_locks=FakeDeviceLocks(processes),
                processes=processes,
                launcher=FakeLauncher(),
                clock=self.clock,
            ),
            preparation=Preparation(media, self.clock, job_ids=self.new_id, seeds=lambda: 7),
        )

    def begin(self, job: Job) -> None:
        """Let a worker run a job that it has taken, for as long as nothing happens."""
        self.local.runs[job.job_id] = FakeRun(
            job=job, call_id=str(job.call_id), script=[], status=JobStatus.RUNNING
        )


def describe_job(job: Job) -> dict[str, object]:
    """Return what of a stored job the oracle has a word on."""
    return {
        "status": job.status.value,
        "code": job.error_code,
        "attempt": job.attempt,
        "retry": job.retry,
        "tags": job.tags,
        "note": job.note,
        "video": job.result_video is not None,
        "started": job.started_at is not None,
        "ended": job.ended_at is not None,
    }


def describe_expected(known: ExpectedJob) -> dict[str, object]:
    """Return what must be stored of a job."""
    return {
        "status": known.status,
        "code": known.code,
        "attempt": known.attempt,
        "retry": known.retry,
        "tags": known.tags,
        "note": known.note,
        "video": known.status == "completed",
        "started": known.ran,
        "ended": known.is_over,
    }
