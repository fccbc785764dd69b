"""How long an event loop stands still while threads ask a store of 100,000 jobs.

The pattern is that of ``docs/embedding.md``: each use case runs in one of two threads, and the loop
only waits. A heartbeat on the loop measures how late it is woken while one kind of call is under
way; ``idle`` is the same loop without any.

``uv run python benchmarks/async_service.py`` prints a table and writes
``benchmarks/results/async_service.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store import describe_machine, describe_versions, fill_store, show, summarize_times

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeProvider
from tiomagic_domain.usecases.generation import Generation
from tiomagic_storage import FolderOutputStore

HEARTBEAT_S = 0.001
"""Seconds between two heartbeats."""
THREADS = 2
"""Threads for the use cases: more would wait for each other, and for the store."""
STORED_JOBS = 100_000
RESULT = Path(__file__).parent / "results" / "async_service.json"


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each kind of call")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-", dir=Path.cwd()) as folder:
        late = asyncio.run(measure(Path(folder), options.seconds))
    result = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1min_at_end": round(os.getloadavg()[0], 2),
        "unit": "ms",
        "stored": STORED_JOBS,
        "threads": THREADS,
        "loop_is_late_by": late,
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show("the loop is late by", late)
    print(f"written to {options.output}")


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Return how late the loop was woken, for each kind of call."""
    repository = fill_store(folder, STORED_JOBS)
    generation = Generation(
        providers={"modal": FakeProvider(folder / "spool", name="modal")},
        repository=repository,
        outputs=FolderOutputStore(folder / "videos"),
        media=FakeMediaReader(folder / "inputs"),
        clock=FakeClock(),
    )
    newest = repository.list(JobQuery(limit=1))[0]
    calls: dict[str, Callable[[], object] | None] = {
        "idle": None,
        "submit": lambda: generation.submit(
            Feature.TEXT_TO_VIDEO,
            provider="modal",
            model="wan2.1-t2v-1.3b",
            arguments={"prompt": "a fox"},
        ),
        "get": lambda: repository.get(newest.job_id),
        "list newest 50": lambda: repository.list(JobQuery(limit=50)),
        "list 5000": lambda: repository.list(JobQuery(limit=5000)),
        "search": lambda: repository.list(JobQuery(text="lantern", limit=50)),
        "search, all are looked at": lambda: repository.list(JobQuery(text="zq", limit=50)),
        "count completed": lambda: repository.count(
            JobQuery(status=frozenset({JobStatus.COMPLETED}))
        ),
    }
    found = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for name, call in calls.items():
            late, made = await measure_lateness(pool, call, seconds)
            found[name] = summarize_times(late) | {"calls": made}
    repository.close()
    return found


async def measure_lateness(
    pool: ThreadPoolExecutor, call: Callable[[], object] | None, seconds: float
) -> tuple[list[float], int]:
    """Return how late each heartbeat came, in ms, and how many calls were made meanwhile."""
    loop, made = asyncio.get_running_loop(), 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal made
        while call is not None and time.perf_counter() < until:
            await loop.run_in_executor(pool, call)
            made += 1

    callers = [asyncio.create_task(caller()) for _ in range(THREADS)]
    late = []
    while time.perf_counter() < until:
        begun = time.perf_counter()
        await asyncio.sleep(HEARTBEAT_S)
        late.append((time.perf_counter() - begun - HEARTBEAT_S) * 1000)
    await asyncio.gather(*callers)
    return late, made


if __name__ == "__main__":
    main()
