"""Measures the job store on SQLite: adding to few and to many jobs, and listing the newest of many.

The load of the machine and the priority of the run are part of the result: beside other work the
times are those of waiting for a core.

``uv run python benchmarks/store.py`` prints a table and writes ``benchmarks/results/store.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy
from sqlalchemy import create_engine, insert

from tiomagic_domain import __version__
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_storage import SqlJobRepository, open_repository
from tiomagic_storage.database.tables import jobs, to_row

STORE_SIZES = (100, 10_000, 100_000)
START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ["wan2.1-t2v-14b", "wan2.1-t2v-1.3b", "wan2.1-vace-14b", "wan2.1-vace-1.3b"]
WORDS = [
    "a",
    "small",
    "red",
    "fox",
    "owl",
    "runs",
    "jumps",
    "through",
    "snow",
    "at",
    "dawn",
    "drawn",
]
RESULT = Path(__file__).parent / "results" / "store.json"

# The share of each value is known, so that a rare one can be asked for.
STATUSES = {"completed": 0.9, "failed": 0.08, "canceled": 0.018, "running": 0.001, "queued": 0.001}
QUERIES = {
    "newest 50": JobQuery(),
    "status (90 %)": JobQuery(status=frozenset({JobStatus.COMPLETED})),
    "status (0.1 %)": JobQuery(status=frozenset({JobStatus.RUNNING})),
    "two statuses (98 %)": JobQuery(status=frozenset({JobStatus.COMPLETED, JobStatus.FAILED})),
    "feature": JobQuery(feature=Feature.INTERPOLATE),
    "model": JobQuery(model=MODELS[2]),
    "provider": JobQuery(provider="modal"),
    "model and status (8 %)": JobQuery(model=MODELS[1], status=frozenset({JobStatus.FAILED})),
    "time range": JobQuery(since=START + timedelta(days=1), until=START + timedelta(days=2)),
    "tag (50 %)": JobQuery(tag="study"),
    "tag (0.1 %)": JobQuery(tag="keep"),
    "tag and status (0.1 %)": JobQuery(tag="study", status=frozenset({JobStatus.RUNNING})),
    "text (in 1 of 2)": JobQuery(text="Fox"),
    "text (in 1 of 100)": JobQuery(text="lantern"),
    "text (in 1 of 1000)": JobQuery(text="balloon OWL"),
    "text (in none)": JobQuery(text="zebra"),
    "text (1 of 1000) and status": JobQuery(
        text="balloon", status=frozenset({JobStatus.COMPLETED, JobStatus.FAILED})
    ),
    "page 1000, by model": JobQuery(model=MODELS[0], after="middle"),
    "short text (in none): looks at all": JobQuery(text="zq"),
}


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400, help="timed calls a measurement")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-", dir=Path.cwd()) as folder:
        adding = measure_adding(Path(folder), options.rounds)
        listing = measure_listing(Path(folder), options.rounds)
    result = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1min_at_end": round(os.getloadavg()[0], 2),
        "niceness": os.nice(0),
        "unit": "ms",
        "add": adding,
        "add_flatness_100000_over_100": round(
            adding["100000"]["median"] / adding["100"]["median"], 3
        ),
        "list_newest_50_of_100000": listing,
    }
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show("add", adding)
    show("list", listing)
    print(f"flatness {result['add_flatness_100000_over_100']}; written to {options.output}")


def measure_adding(folder: Path, rounds: int) -> dict[str, Any]:
    """Time adding one job to each size of store.

    The sizes take turns, one job each: whatever else the machine does meets all of them alike.
    """
    stores = {size: fill_store(folder, size) for size in STORE_SIZES}
    times: dict[int, list[float]] = {size: [] for size in STORE_SIZES}
    for number in range(rounds + 20):
        for size, store in stores.items():
            job = sample_job(size + number)
            elapsed = time_call(lambda store=store, job=job: store.add(job))
            if number >= 20:
                times[size].append(elapsed)
    for store in stores.values():
        store.close()
    return {str(size): summarize_times(values) for size, values in times.items()}


def measure_listing(folder: Path, rounds: int) -> dict[str, Any]:
    """Time each query on the largest store."""
    store = open_repository(f"sqlite:///{folder}/{STORE_SIZES[-1]}.db")
    found: dict[str, Any] = {}
    for name, query in QUERIES.items():
        count = max(20, rounds // 4)
        values = [time_call(lambda query=query: store.list(query)) for _ in range(count + 3)]
        found[name] = summarize_times(values[3:]) | {"jobs": len(store.list(query))}
    store.close()
    return found


def fill_store(folder: Path, size: int) -> SqlJobRepository:
    """Return a store with so many jobs, written in bulk."""
    path = folder / f"{size}.db"
    store = open_repository(f"sqlite:///{path}")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for start in range(0, size, 1000):
            rows = [to_row(sample_job(n, size)) for n in range(start, min(start + 1000, size))]
            connection.execute(insert(jobs), rows)
    engine.dispose()
    return store


def sample_job(number: int, size: int = 0) -> Job:
    """Return a job as long as a real one; the same for the same number."""
    draw = random.Random(number)
    created = START + timedelta(seconds=30 * number)
    status = draw.choices(list(STATUSES), list(STATUSES.values()))[0]
    prompt = " ".join(draw.choices(WORDS, k=10))
    chance = draw.random()
    rare = " a lantern" if chance < 0.01 else " a balloon" if chance > 0.999 else ""
    labels = [("study",) if number % 2 else (), ("keep",) if number % 1000 == 1 else ()]
    middle = size == STORE_SIZES[-1] and number == size // 2
    return Job(
        job_id="middle" if middle else str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        feature=draw.choice(list(Feature)),
        model=draw.choice(MODELS),
        provider=draw.choice(["local", "modal"]),
        status=JobStatus(status),
        creation_time=created,
        last_updated=created,
        required_args={"prompt": prompt + rare},
        tags=sum(labels, ()),
        optional_args={
            "negative_prompt": " ".join(draw.choices(WORDS, k=40)),
            "seed": draw.getrandbits(32),
            "num_frames": 81,
            "num_inference_steps": 50,
            "guidance_scale": 5.0,
            "flow_shift": 3.0,
            "width": 832,
            "height": 480,
        },
        facts={"device": "cuda", "memory": "model offload", "seconds": {"denoising": 81.25}},
    )


def time_call(call: Callable[[], object]) -> float:
    """Return how long a call takes, in ms."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def summarize_times(values: list[float]) -> dict[str, float]:
    """Return the median and the spread of times, in ms."""
    cuts = statistics.quantiles(values, n=20)
    named = {
        "median": statistics.median(values),
        "p5": cuts[0],
        "p95": cuts[-1],
        "max": max(values),
    }
    return {name: round(value, 3) for name, value in named.items()} | {"calls": len(values)}


def describe_machine() -> dict[str, Any]:
    """Return what the numbers depend on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    return {"cpu": cpu, "cores": os.cpu_count(), "os": platform.platform()}


def describe_versions() -> dict[str, str]:
    """Return the versions of what took part."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": sqlalchemy.__version__,
        "alembic": alembic.__version__,
        "tiomagic": __version__,
    }


def show(title: str, table: dict[str, Any]) -> None:
    """Print one table."""
    print(f"\n{title:32} median     p5    p95    max  ms")
    for name, row in table.items():
        print(f"{name:32} {row['median']:6} {row['p5']:6} {row['p95']:6} {row['max']:6}")


if __name__ == "__main__":
    main()
