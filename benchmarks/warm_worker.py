"""What a warm worker saves: seconds from Enter to the mp4, for a video of ``doodle`` from a shell.

Each is a process of its own, timed from outside, in turn: in the process of the command (``off``),
by a worker that the command starts (``cold``), and by one that is there (``warm``)::

    uv run python benchmarks/warm_worker.py --rounds 3

Writes ``benchmarks/results/warm_worker.json``. ``idle_cpu_percent`` is what a worker that waits for
a job uses of one core.
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
from pathlib import Path

import psutil
import report

COMMAND = [sys.executable, "-m", "tiomagic"]
VIDEO = ["text-to-video", "a red circle moves right", "-m", "doodle", "-q"]
IDLE_SAMPLE_S = 10.0


def run(folder: Path, *words: str, warm: str) -> tuple[float, str]:
    """Return the seconds of a command, and its output."""
    environment = {
        **os.environ,
        "TIOMAGIC_DEVICE": "cpu",
        "TIOMAGIC_WARM_WORKER": warm,
        # No other project on this machine takes turns with these runs.
        "XDG_RUNTIME_DIR": str(folder),
    }
    start = time.perf_counter()
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, done.stdout


def measure_idle(folder: Path) -> float:
    """Return the percentage of one core that the idle worker uses."""
    (worker,) = json.loads(run(folder, "worker", "--json", warm="on")[1])
    process = psutil.Process(int(worker["process"]))
    before = sum(process.cpu_times()[:2])
    time.sleep(IDLE_SAMPLE_S)
    return round(100 * (sum(process.cpu_times()[:2]) - before) / IDLE_SAMPLE_S, 1)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {"off": [], "cold": [], "warm": []}
    idle = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        run(folder, *VIDEO, warm="off")  # The disk's cache.
        for _ in range(given.rounds):
            seconds["off"].append(run(folder, *VIDEO, warm="off")[0])
            seconds["cold"].append(run(folder, *VIDEO, warm="on")[0])
            seconds["warm"] += [run(folder, *VIDEO, warm="on")[0] for _ in range(2)]
            idle = measure_idle(folder)
            run(folder, "worker", "stop", warm="on")
            print({kind: [round(one, 2) for one in found] for kind, found in seconds.items()})
    medians = {kind: round(statistics.median(found), 2) for kind, found in seconds.items()}
    least = {kind: round(min(found), 2) for kind, found in seconds.items()}
    result = {"what": __doc__, "median_s": medians, "least_s": least, "idle_cpu_percent": idle}
    print(report.write("warm_worker", result, folder=given.out))


if __name__ == "__main__":
    main()
