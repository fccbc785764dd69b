"""Measures ``tiomagic serve`` under load: many clients that make and follow many queued jobs.

Real processes of the command over a real PostgreSQL, and a provider whose runs are files, so that
only the server and the job store work. The clients are on the same machine and take their share of
it. With ``--kills`` several servers over the same jobs are killed that often (SIGKILL, with all
their processes, at random moments) and started again meanwhile; their clients go on at the next
one. Afterwards the store is read: every job that a client was told of is there, once, and was sent
once; and a receiver of webhooks has got a message of every job, signed, and repeats with the id of
the first.

``uv run python benchmarks/server_load.py`` writes ``benchmarks/results/server_load.json``, and
``benchmarks/server_load.py --kills 50 --servers 5 --workers 1`` writes
``benchmarks/results/server_kills.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # The test suite starts PostgreSQL for us.

from store import describe_machine, describe_versions, summarize_times  # noqa: E402
from tests.server.hook_receiver import HookReceiver, run_receiver  # noqa: E402
from tests.server.processes.clients import Clients, Told  # noqa: E402
from tests.server.processes.commands import Forks, ServeCommand, find_children  # noqa: E402
from tests.server.processes.killing import kill_at_random  # noqa: E402
from tests.server.processes.truth import HookTruth, Truth, read_hooks, read_truth  # noqa: E402
from tests.storage.postgresql import create_database, find_binaries, run_server  # noqa: E402

from tiomagic_server.webhooks.receivers import WebhookReceivers  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
SAMPLE_EVERY_S = 1.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0, help="of all servers together")
    parser.add_argument("--seconds", type=float, default=60, help="of a run at the provider")
    parser.add_argument("--seed", type=int, default=21, help="of the moments of the kills")
    options = parser.parse_args()
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed: install the package postgresql")
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "niceness": os.nice(0),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **vars(options),
        "load_average_1min_before": round(os.getloadavg()[0], 2),
    }
    with (
        tempfile.TemporaryDirectory(prefix="tiomagic-benchmark-", dir=Path.cwd()) as folder,
        run_server(binaries) as server,
        create_database(server) as url,
    ):
        forks = Forks() if options.kills else None
        commands = [
            ServeCommand(
                Path(folder) / "served",
                url,
                workers=options.workers,
                seconds=options.seconds,
                more=("--allow-private-webhooks",),
                forks=forks,
            )
            for _ in range(options.servers)
        ]
        result |= measure(commands, options)
        if forks is not None:
            forks.close()
    result["load_average_1min_at_end"] = round(os.getloadavg()[0], 2)
    name = "server_kills" if options.kills else "server_load"
    text = json.dumps(result, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(commands: list[ServeCommand], options: argparse.Namespace) -> dict[str, Any]:
    """Let the clients work, and look at what is true afterwards."""
    watch, chance = Watch(commands[0]), random.Random(options.seed)
    try:
        began = time.monotonic()
        for command in commands:
            command.start()
        started_s = (time.monotonic() - began) / len(commands)
        addresses = [command.address for command in commands]
        clients = Clients(addresses, options.clients, options.jobs // options.clients)
        killing = kill_at_random(
            commands,
            options.kills // len(commands),
            chance,
            answered=clients.told.answers.total,
        )
        with run_receiver() as hooks:
            if options.kills:
                state_dir = commands[0].folder / ".tiomagic"
                hooks.secrets.append(WebhookReceivers(state_dir).add(""))
                clients.body["callback_url"] = hooks.url
            began = time.monotonic()
            with watch, killing as kills:
                told = asyncio.run(clients.run())
                seconds = time.monotonic() - began
            webhooks = describe_hooks(told, hooks) if options.kills else {}
        truth = read_truth(commands[0], told)
    finally:
        for command in commands:
            command.kill()
    check(told, truth, options)
    return {
        "start_s": round(started_s, 1),
        "took_s": round(seconds, 1),
        "kills_done": kills.done,
        "answers": dict(sorted(told.answers.items())),
        "unit": "ms",
        "create": summarize_times(told.create_ms),
        "poll": summarize_times(told.poll_ms),
        "requests_a_second": round(told.answers.total() / seconds, 1),
        **(watch.describe(told) if not options.kills else {}),
        "jobs_accepted": len(told.jobs),
        "jobs_lost": len(truth.lost),
        "jobs_twice": len(truth.twice),
        "runs_sent_twice": len(truth.sent_twice),
        "ends": dict(Counter(told.ends.values())),
        **webhooks,
    }


def describe_hooks(told: Told, hooks: HookReceiver) -> dict[str, Any]:
    """Return how many messages came, and see that they are true."""
    truth = read_hooks(told, hooks)
    assert truth == HookTruth([], [], [], []), truth
    different = len({one.webhook_id for one in hooks.messages})
    return {
        "webhooks": {
            "messages": len(hooks.messages),
            "recognised_as_repeats": len(hooks.messages) - different,
            "jobs_without_one": len(truth.missing),
        }
    }


def check(told: Told, truth: Truth, options: argparse.Namespace) -> None:
    """See that what the clients were told is true."""
    assert len(told.jobs) == options.jobs // options.clients * options.clients
    assert not told.contradictions, told.contradictions
    assert not truth.lost, truth.lost
    assert not truth.twice, truth.twice
    assert not truth.sent_twice, truth.sent_twice


class Watch:
    """Samples the memory and the time of the server's processes while it is entered."""

    def __init__(self, command: ServeCommand) -> None:
        self._command = command
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.rss_mib: list[dict[int, float]] = []
        self.cpu_s = self._before = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self._before = self._read_cpu()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.cpu_s = self._read_cpu() - self._before
        self._ended.set()
        self._thread.join()

    def describe(self, told: Told) -> dict[str, Any]:
        """Return what was seen: the memory over time, and the time of a request."""
        pids = sorted({pid for sample in self.rss_mib for pid in sample})
        series = {pid: [one[pid] for one in self.rss_mib if pid in one] for pid in pids}
        return {
            "server_cpu_ms_a_request": round(self.cpu_s * 1000 / told.answers.total(), 2),
            "rss_mib": [
                {
                    # Four moments: after the first jobs, and three more until the end.
                    "over_time": [round(values[len(values) * part // 8]) for part in (1, 3, 5, 7)],
                    "last_quarter_over_second_quarter": round(
                        statistics.mean(values[len(values) * 3 // 4 :])
                        / statistics.mean(values[len(values) // 4 : len(values) // 2]),
                        3,
                    ),
                    "peak": round(max(values)),
                }
                for values in series.values()
                if len(values) >= 8
            ],
        }

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            self.rss_mib.append({pid: read_rss_mib(pid) for pid in self._command.pids()})

    def _read_cpu(self) -> float:
        assert self._command.process is not None
        pid = self._command.process.pid
        return sum(read_cpu_s(one) for one in (pid, *find_children(pid)))


def read_rss_mib(pid: int) -> float:
    """Return the resident memory of a process; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(one.split()[1]) / 1024 for one in lines if one.startswith("VmRSS")), 0.0)


def read_cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


if __name__ == "__main__":
    main()
