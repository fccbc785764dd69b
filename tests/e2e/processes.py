"""Runs Python in a process of its own, in a working directory and with tiny weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(weights_dir: Path) -> dict[str, str]:
    """Return the variables of a process: tiny weights, the CPU, no network, one thread."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIOMAGIC_")}
    return {
        **ours,
        "TIOMAGIC_WEIGHTS_DIR": str(weights_dir),
        "TIOMAGIC_DEVICE": "cpu",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }


def python(code: str, *, folder: Path, weights_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run code to its end and return what it printed; a failure shows its traceback."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(weights_dir),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
