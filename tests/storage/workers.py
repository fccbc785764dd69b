"""What other processes do in the tests of storage. Started with ``spawn``, as a user's would be."""

import itertools
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, cast

from tiomagic_domain.errors import ConfigurationError, StaleJobError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.provider import Capabilities, Observer, Provider, Report, Request
from tiomagic_domain.spending.limits import CostLimits
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeProvider
from tiomagic_domain.testing.outputs import make_video
from tiomagic_domain.testing.repository import NOON, make_job
from tiomagic_domain.usecases.generation import Generation
from tiomagic_storage import FolderOutputStore, GenerationLog, SqlJobRepository, open_repository

SPAWN = multiprocessing.get_context("spawn")
VIDEO_BYTES = 3_000_000
QUEUE = "local:studio:auto"
WAITING_JOBS = JobQuery(
    queue=QUEUE, status=frozenset({JobStatus.QUEUED}), oldest_first=True, limit=1
)
BARRIER_TIMEOUT_S = 200
"""Bound on starting: imports of several processes at once take long on a busy machine."""


def run_together(work: Callable[..., None], count: int, *arguments: Any) -> None:
    """Run ``work(barrier, number, *arguments)`` in so many processes; all must end well."""
    barrier = SPAWN.Barrier(count)
    processes = [
        SPAWN.Process(target=work, args=(barrier, number, *arguments), daemon=True)
        for number in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * count


def open_and_add(barrier: Barrier, number: int, urls: list[str]) -> None:
    """Open fresh databases, each at the same moment as everybody else, and use them."""
    for url in urls:
        barrier.wait(BARRIER_TIMEOUT_S)
        repository = open_repository(url)
        repository.add(make_job(job_id=f"opened-by-{number}"))
        repository.close()


def submit_and_update(barrier: Barrier, number: int, url: str, jobs: int, shared: int) -> None:
    """See jobs through their lives, and do what everybody else does to the same rows.

    One job is counted up by all; the jobs of one queue are each run by whoever claims them; and
    one lease is held in turn.
    """
    repository = open_repository(url)
    barrier.wait(BARRIER_TIMEOUT_S)
    for index in range(jobs):
        job = make_job(job_id=f"{number}-{index:04}")
        repository.add(job)
        running = repository.save(job.to(JobStatus.RUNNING, at=NOON, call_id=f"call-{number}"))
        repository.save(running.to(JobStatus.COMPLETED, at=NOON, result_video=f"/{number}.mp4"))
        if index < shared:
            count_up(repository, "shared")
            hold(repository, number)
        claim(repository, number)
    repository.close()


def claim(repository: JobRepository, number: int) -> None:
    """Run the oldest job of the queue, unless none is left."""
    while waiting := repository.list(WAITING_JOBS):
        try:
            running = repository.save(
                waiting[0].to(JobStatus.RUNNING, at=NOON, call_id=str(number))
            )
        except StaleJobError:
            continue  # Somebody else was faster: look again.
        ran = running.with_changes(at=NOON, facts={"run_by": [*running.facts["run_by"], number]})
        repository.save(repository.save(ran).to(JobStatus.COMPLETED, at=NOON))
        return


def hold(repository: SqlJobRepository, number: int) -> None:
    """Hold the lease once, and write meanwhile what nobody else may write: a stale save ends it."""
    owner = f"process {number}"
    while not (lease := repository.leases.acquire("slot", owner, heartbeat="boot 1.0", at=NOON)):
        time.sleep(0.01)
    job = repository.get("held")
    lease = repository.leases.renew(lease, heartbeat="boot 2.0", at=NOON)
    repository.save(job.with_changes(at=NOON, facts={"count": job.facts["count"] + 1}))
    repository.leases.release(lease)


def count_up(repository: JobRepository, job_id: str) -> None:
    """Add one to a job's count, as often as others come between."""
    while True:
        job = repository.get(job_id)
        try:
            repository.save(job.with_changes(at=NOON, facts={"count": job.facts["count"] + 1}))
        except StaleJobError:
            continue
        return


def add_and_log(barrier: Barrier, number: int, url: str, log: Path, jobs: int) -> None:
    """Store jobs and mirror each at once."""
    repository = open_repository(url)
    mirror = GenerationLog(log, repository)
    barrier.wait(BARRIER_TIMEOUT_S)
    for index in range(jobs):
        repository.add(make_job(job_id=f"{number}-{index}"))
        mirror.refresh()
    repository.close()


def write_until_killed(tell: Connection, url: str) -> None:
    """Store jobs and their changes for ever; tell each id when both are said to be on the disk."""
    repository = open_repository(url)
    while True:
        job = make_job(prompt="x" * 3000)
        repository.add(job)
        repository.save(job.to(JobStatus.RUNNING, at=NOON))
        tell.send(job.job_id)


def save_until_killed(tell: Connection, folder: Path) -> None:
    """Replace one job's video for ever, by videos that each have one byte all over."""
    store = FolderOutputStore(folder / "videos")
    job = make_job(job_id="00000000-1111")
    for number in itertools.count():
        content = bytes([number % 256]) * VIDEO_BYTES
        path = store.save(job, make_video(folder / "spool", content))
        tell.send(str(path))


def kill_after(messages: int, work: Callable[..., None], *arguments: Any) -> list[str]:
    """Kill -9 a process right after so many messages; return all that it had told."""
    hear, tell = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=work, args=(tell, *arguments), daemon=True)
    process.start()
    tell.close()
    told = [hear.recv() for _ in range(messages)]
    process.kill()
    process.join()
    try:
        while True:
            told.append(hear.recv())
    except EOFError:
        hear.close()
        return told


class FinishedProvider:
    """A provider all of whose runs are done; each fetch of a video is a line in a file."""

    name = "elsewhere"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def capabilities(self) -> Capabilities:
        """Return what it is like."""
        return Capabilities(default_model="doodle", blocking=False)

    def poll(self, job: Job) -> Report:
        """Fetch the video of a job, with a name of its own."""
        with (self._folder / "fetched").open("a", encoding="ascii") as file:
            file.write(f"{job.job_id}\n")
        video = make_video(self._folder / "spool", job.job_id.encode(), f"{uuid.uuid4()}.mp4")
        return Report(status=JobStatus.COMPLETED, video=video)


def recover(barrier: Barrier, number: int, url: str, folder: Path) -> None:
    """Recover at the same moment as everybody else, and find all videos at home."""
    repository = open_repository(url)
    generation = Generation(
        providers={"elsewhere": cast("Provider", FinishedProvider(folder))},
        repository=repository,
        outputs=FolderOutputStore(folder / "videos"),
        media=FakeMediaReader(folder / "inputs"),
        clock=FakeClock(),
    )
    barrier.wait(BARRIER_TIMEOUT_S)
    changed = generation.recover()
    (folder / f"changed-{number}").write_text(str(len(changed)))
    assert all(job.status is JobStatus.COMPLETED for job in repository.list(JobQuery(limit=None)))
    repository.close()


def submit_within_budget(barrier: Barrier, number: int, url: str, jobs: int, cents: int) -> None:
    """Store as many jobs as a budget of 10 has room for, as fast as possible.

    Each is expected to cost another amount; every third one is then over, and has cost less.
    """
    repository = open_repository(url)
    budget = Budget(period=BudgetPeriod.DAY, limit=Money.of(10))
    barrier.wait(BARRIER_TIMEOUT_S)
    for index in range(jobs):
        most = (cents + 7 * (number + index) % 50) / 100
        facts = {"estimate": Estimate(amount=most / 2, high=most).to_dict()}
        job = make_job(job_id=f"{number}-{index:04}", facts=facts)
        try:
            repository.add_within(job, [budget])
        except ConfigurationError:
            continue
        if index % 3 == 0:
            cost = {"cost": {"amount": most / 3, "currency": "USD", "per": "run"}}
            over = job.to(JobStatus.FAILED, at=NOON, facts={**facts, **cost})
            repository.save(over)
    repository.close()


class DyingProvider(FakeProvider):
    """A provider whose process dies when it is about to send a job."""

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return a price of 8 USD."""
        return Estimate(amount=8.0)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Die, as by kill -9: nothing was sent."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")


def build_priced_generation(url: str, folder: Path) -> Generation:
    """Return the use cases over a database, with a provider that dies and a budget of 10 USD."""
    budget = Budget(period=BudgetPeriod.DAY, limit=Money.of(10))
    return Generation(
        providers={"modal": DyingProvider(folder / "spool", name="modal")},
        repository=open_repository(url),
        outputs=FolderOutputStore(folder / "videos"),
        media=FakeMediaReader(folder / "inputs"),
        clock=FakeClock(),
        limits=lambda: CostLimits(budgets=(budget,)),
    )


def die_before_sending(url: str, folder: Path) -> None:
    """Submit a job that costs money, and die between its record and its submission."""
    build_priced_generation(url, folder).submit(
        Feature.TEXT_TO_VIDEO,
        provider="modal",
        model="wan2.1-t2v-14b",
        arguments={"prompt": "a fox"},
    )
