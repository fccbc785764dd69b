"""Measures whether ``tiomagic serve`` grows: its memory over many requests, in one process.

A real process of the command over SQLite, and the provider of ``server_load.py``. First jobs are
made and followed to their end, and then the finished ones are asked for again and again, over few
connections. What grows with requests or with jobs goes on growing; a warm-up ends.

``uv run python benchmarks/server_memory.py`` writes ``benchmarks/results/server_memory.json``.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from server_load import RESULTS, read_rss_mib  # noqa: E402
from store import describe_machine, describe_versions  # noqa: E402
from tests.server.processes.commands import ServeCommand  # noqa: E402

CONNECTIONS = 4


class Poller:
    """One client with one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)

    def create(self, number: int) -> str:
        """Make a video, and return its id."""
        body = json.dumps({"prompt": f"fox {number}"})
        made = self._ask("POST", "/v1/videos", body, {"content-type": "application/json"})
        return str(made["id"])

    def poll(self, job_id: str) -> str:
        """Return the status of a video."""
        return str(self._ask("GET", f"/v1/videos/{job_id}")["status"])

    def _ask(self, method: str, path: str, *more: Any) -> dict[str, Any]:
        try:
            self._connection.request(method, path, *more)
            answer = self._connection.getresponse()
        except ConnectionError:  # It was idle for too long, on a busy machine.
            if method != "GET":
                raise
            self._connection.close()
            self._connection.request(method, path, *more)
            answer = self._connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, found
        return found


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1200)
    parser.add_argument("--polls", type=int, default=8000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-") as folder:
        command = ServeCommand(Path(folder), seconds=0.001)
        command.start()
        try:
            found = measure(command, options.jobs, options.polls)
        finally:
            command.kill()
    result = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **vars(options),
        "load_average_1min_at_end": round(os.getloadavg()[0], 2),
        **found,
    }
    text = json.dumps(result, indent=2)
    (RESULTS / "server_memory.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(command: ServeCommand, jobs: int, polls: int) -> dict[str, Any]:
    """Return the memory of the server at its start and after each tenth of the requests."""
    assert command.process is not None
    pid = command.process.pid
    pollers = [Poller(command.address) for _ in range(CONNECTIONS)]
    made: list[str] = []
    begun = read_rss_mib(pid)

    def make(poller: Poller, number: int) -> None:
        job_id = poller.create(number)
        while poller.poll(job_id) != "completed":
            pass
        made.append(job_id)

    def work(count: int, do: Callable[[Poller, int], object]) -> list[float]:
        seen, numbers = [], itertools.count()

        def do_some(poller: Poller) -> None:
            for _ in range(count // 10 // CONNECTIONS):
                do(poller, next(numbers))

        for _ in range(10):
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(do_some, pollers))
            seen.append(round(read_rss_mib(pid), 1))
            print(seen, flush=True)
        return seen

    return {
        "unit": "MiB",
        "at_the_start": round(begun, 1),
        "after_each_tenth_of_the_jobs": work(jobs, make),
        "after_each_tenth_of_the_polls": work(
            polls, lambda poller, number: poller.poll(made[number % len(made)])
        ),
    }


if __name__ == "__main__":
    main()
