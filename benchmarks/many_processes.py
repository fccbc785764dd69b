"""Measures the job store under many processes: lives of jobs, claims from one queue, one counter.

Each process sees its jobs through their lives (added, running, two steps, completed), claims what
it can get from a queue that all share, and counts up one job that all count up. The result says how
much gets done, how long a single write waits, and that nothing was lost.

``uv run python benchmarks/many_processes.py`` measures SQLite, and PostgreSQL where it is
installed; it writes ``benchmarks/results/many_processes.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # The test suite starts PostgreSQL for us.

from store import describe_machine, describe_versions, summarize_times  # noqa: E402
from tests.storage.postgresql import create_database, find_binaries, run_server  # noqa: E402

from tiomagic_domain.errors import StaleJobError  # noqa: E402
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus  # noqa: E402
from tiomagic_domain.progress import Phase, Progress  # noqa: E402
from tiomagic_domain.testing.repository import make_job  # noqa: E402
from tiomagic_storage import SqlJobRepository, open_repository  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "many_processes.json"
SPAWN = multiprocessing.get_context("spawn")
QUEUE = "local:studio:auto"
WAITING_JOBS = JobQuery(
    queue=QUEUE, status=frozenset({JobStatus.QUEUED}), oldest_first=True, limit=1
)
COUNT_EVERY = 10
START_TIMEOUT_S = 600


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=100, help="jobs of each process")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "niceness": os.nice(0),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processes": options.processes,
        "jobs_a_process": options.jobs,
        "unit": "ms",
        "stores": {},
    }
    for name, url in create_databases():
        found = measure(url, options.processes, options.jobs)
        result["stores"][name] = found
        print(name, json.dumps(found, indent=2))
    result["load_average_1min_at_end"] = round(os.getloadavg()[0], 2)
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def create_databases() -> Iterator[tuple[str, str]]:
    """Give an empty database of each kind that is here."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-", dir=Path.cwd())
        )
        yield "sqlite", f"sqlite:///{folder}/jobs.db"
        if binaries := find_binaries():
            server = stack.enter_context(run_server(binaries))
            yield "postgresql", stack.enter_context(create_database(server))


def measure(url: str, processes: int, jobs: int) -> dict[str, Any]:
    """Let so many processes work at once, and look at what is there afterwards."""
    repository = open_repository(url)
    repository.add(make_job(job_id="shared", facts={"count": 0}))
    queued = processes * jobs // 4
    for number in range(queued):
        repository.add(make_job(job_id=f"queued-{number:05}", queue=QUEUE))
    barrier, told = SPAWN.Barrier(processes + 1), SPAWN.Queue()
    children = [
        SPAWN.Process(target=work, args=(barrier, told, number, url, jobs), daemon=True)
        for number in range(processes)
    ]
    for child in children:
        child.start()
    barrier.wait(START_TIMEOUT_S)
    start = time.perf_counter()
    answers = list(collect_results(told, children))
    seconds = time.perf_counter() - start
    for child in children:
        child.join()
    check(repository, processes, jobs, queued, sum(answer["claimed"] for answer in answers))
    repository.close()
    waits = [wait for answer in answers for wait in answer["waits"]]
    return {
        "seconds": round(seconds, 2),
        "jobs_a_second": round((processes * jobs + queued) / seconds, 1),
        "writes_a_second": round(len(waits) / seconds, 1),
        "write": summarize_times(waits),
        "repeated_after_another_writer": sum(answer["repeated"] for answer in answers),
        "claimed_by_one_process": [
            min(answer["claimed"] for answer in answers),
            max(answer["claimed"] for answer in answers),
        ],
        "lost_updates": 0,
    }


def collect_results(told: Any, children: list[Any]) -> Iterator[dict[str, Any]]:
    """Give what each process tells at its end."""
    for _ in children:
        while True:
            try:
                yield told.get(timeout=1)
                break
            except Empty:
                if failed := [child.exitcode for child in children if child.exitcode]:
                    raise SystemExit(f"a process ended with {failed}") from None


def check(
    repository: SqlJobRepository, processes: int, jobs: int, queued: int, claimed: int
) -> None:
    """See that everything that was written is there."""
    shared = repository.get("shared")
    assert shared.facts["count"] == processes * -(-jobs // COUNT_EVERY), "a count was lost"
    done = repository.count(JobQuery(status=frozenset({JobStatus.COMPLETED})))
    assert done == processes * jobs + queued, "a job was lost"
    assert claimed == queued, "a job was claimed twice"


class Work:
    """What one process does, with the time of each write.

    Attributes:
        waits: Milliseconds of each write.
        repeated: Writes that another process had overtaken.
    """

    def __init__(self, repository: SqlJobRepository) -> None:
        self.waits: list[float] = []
        self.repeated = 0
        self._repository = repository

    def save(self, job: Job) -> Job | None:
        """Save; None when another process was faster."""
        try:
            return self._timed(lambda: self._repository.save(job))
        except StaleJobError:
            self.repeated += 1
            return None

    def live(self, job: Job) -> None:
        """See a job of this process alone through its life."""
        self._timed(lambda: self._repository.add(job))
        self.run(self._repository.save(job.to(JobStatus.RUNNING, at=now())))

    def run(self, job: Job) -> None:
        """See a running job to its end."""
        for step in (1, 2):
            progress = Progress(phase=Phase.DENOISING, step=step, steps=2)
            job = self.save(job.with_changes(at=now(), progress=progress)) or job
        assert self.save(job.to(JobStatus.COMPLETED, at=now())), "somebody else wrote to our job"

    def claim(self) -> bool:
        """Run the oldest job of the queue that all share; False when there is none."""
        while waiting := self._repository.list(WAITING_JOBS):
            if job := self.save(
                waiting[0].to(JobStatus.RUNNING, at=now(), call_id=str(os.getpid()))
            ):
                self.run(job)
                return True
        return False

    def count_up(self) -> None:
        """Add one to the count that all share."""
        saved = None
        while saved is None:
            job = self._repository.get("shared")
            saved = self.save(job.with_changes(at=now(), facts={"count": job.facts["count"] + 1}))

    def _timed(self, write: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return write()
        finally:
            self.waits.append((time.perf_counter() - start) * 1000)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def work(barrier: Any, told: Any, number: int, url: str, jobs: int) -> None:
    """Do the work of one process and tell of it."""
    repository = open_repository(url)
    doing, claimed = Work(repository), 0
    barrier.wait(START_TIMEOUT_S)
    for index in range(jobs):
        doing.live(make_job(job_id=f"{number}-{index:05}"))
        claimed += doing.claim()
        if index % COUNT_EVERY == 0:
            doing.count_up()
    repository.close()
    told.put({"claimed": claimed, "waits": doing.waits, "repeated": doing.repeated})


if __name__ == "__main__":
    main()
