"""How long it takes until something happens: import, help, the first job, the second, a restart.

Each is a process of its own, timed from outside, in turn, so that whatever else the machine does
hits all of them; the first round warms the disk's cache and does not count::

    uv run python benchmarks/startup.py --rounds 7

Writes ``benchmarks/results/startup.json``. Jobs are of ``doodle`` in one step: little is left but
the start. The budgets: import 40 ms and ``--help`` 150 ms over the bare interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import report

JOBS = """
import json, time
start = time.perf_counter()
from tiomagic import tm
tm.configure(provider="local")
times = [time.perf_counter()]
for seed in (1, 2):
    tm.text_to_video(
        model="doodle", prompt="a red circle moves right", seed=seed, num_inference_steps=1
    )
    times.append(time.perf_counter())
print(json.dumps([times[1] - start, times[2] - times[1]]))
"""
COMMANDS: Mapping[str, list[str]] = {
    "bare interpreter": ["-c", "pass"],
    "import": ["-c", "from tiomagic import tm"],
    "help": [str(Path(sys.executable).with_name("tiomagic")), "--help"],
}
BUDGETS_MS = {"import": 40, "help": 150}


def time_process(command: list[str], folder: Path) -> tuple[float, str]:
    """Return the seconds of a process, and what it said."""
    # Without it Python would compile every module at every start, as at nobody's second one.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**inherited, "TIOMAGIC_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, done.stdout


def one_round(add: Callable[[str, float], None], folder: Path) -> None:
    """Time each thing once."""
    for name, command in COMMANDS.items():
        add(name, time_process(command, folder)[0])
    whole, said = time_process(["-c", JOBS], folder)
    first, second = json.loads(said.splitlines()[-1])
    add("first job, in its process", first)
    add("second job, in the same process", second)
    add("process of two jobs, from outside", whole)


def summarize(times: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return medians and spreads in milliseconds, and what is over the bare interpreter."""
    bare = statistics.median(times["bare interpreter"])
    found: dict[str, Any] = {}
    for name, seconds in times.items():
        median = statistics.median(seconds)
        found[name] = {
            "median_ms": round(1000 * median, 1),
            "least_ms": round(1000 * min(seconds), 1),
            "most_ms": round(1000 * max(seconds), 1),
        }
        if name in BUDGETS_MS:
            over = 1000 * (median - bare)
            found[name] |= {"over_bare_ms": round(over, 1), "budget_ms": BUDGETS_MS[name]}
    return found


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args()
    times: dict[str, list[float]] = {}

    def add(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    with tempfile.TemporaryDirectory() as name:
        one_round(lambda *_: None, Path(name))
        for number in range(given.rounds):
            one_round(add, Path(name))
            print(number, {key: round(value[-1], 3) for key, value in times.items()}, flush=True)
    result = {"what": __doc__, "rounds": given.rounds, "times": summarize(times)}
    print(report.write("startup", result, folder=given.out))


if __name__ == "__main__":
    main()
