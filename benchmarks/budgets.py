"""Measures what a budget adds to storing a job: with and without one in turns, on the same store.

The machine's load is part of the result. What it does else meets both kinds alike, so the
difference of the medians holds also on a busy machine; the time of the processor is beside it.

``uv run python -m benchmarks.budgets`` writes ``benchmarks/results/budgets.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.store import describe_machine, describe_versions, fill_store, sample_job

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.estimate import ESTIMATE, Estimate
from tiomagic_storage import SqlJobRepository

STORE_SIZES = (100, 10_000)
RESULT = Path(__file__).parent / "results" / "budgets.json"
BUDGETS = [Budget(period=period, limit=Money.of(100_000)) for period in BudgetPeriod]
PRICE = Estimate(amount=0.4, currency="USD", basis="a price of the benchmark").to_dict()


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="timed calls of each kind")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    at_start = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-", dir=Path.cwd()) as folder:
        found = {
            str(size): measure(fill_store(Path(folder), size), size, options.rounds)
            for size in STORE_SIZES
        }
    result = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1min": [round(load, 2) for load in (at_start, os.getloadavg()[0])],
        "niceness": os.nice(0),
        "unit": "ms",
        "budgets": "one of the day and one of the month, with all jobs added here in both",
        "by_stored_jobs": found,
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def measure(store: SqlJobRepository, size: int, rounds: int) -> dict[str, Any]:
    """Return the medians of adding a job with and without budgets, in turns."""
    kinds: dict[str, Callable[[Job], None]] = {
        "without a budget": store.add,
        "within two budgets": lambda job: store.add_within(job, BUDGETS),
    }
    wall: dict[str, list[float]] = {name: [] for name in kinds}
    busy: dict[str, list[float]] = {name: [] for name in kinds}
    now = datetime.now(UTC)
    for number in range(rounds + 20):
        for index, (name, add) in enumerate(kinds.items()):
            job = replace(
                sample_job(size + 2 * number + index),
                status=JobStatus.QUEUED,
                creation_time=now,
                last_updated=now,
                facts={ESTIMATE: PRICE},
            )
            begun, used = time.perf_counter(), time.process_time()
            add(job)
            used, begun = time.process_time() - used, time.perf_counter() - begun
            if number >= 20:  # The first ones prepare statements.
                wall[name].append(1000 * begun)
                busy[name].append(1000 * used)
    store.close()
    medians = {
        name: {
            "median": round(statistics.median(wall[name]), 3),
            "p5": round(statistics.quantiles(wall[name], n=20)[0], 3),
            "processor_median": round(statistics.median(busy[name]), 3),
        }
        for name in kinds
    }
    plain, held = medians.values()
    return {
        **medians,
        "added_processor_median": round(held["processor_median"] - plain["processor_median"], 3),
    }


if __name__ == "__main__":
    main()
