# ruff: noqa: INP001  A script, no package.
"""Write `tiomagic_modal/image_pins.py` from uv.lock: `uv run --no-sync python` this file.

The lock file is the one source of truth for what is installed in the image; an installed package
has no lock file, so the versions travel in a module. A test compares the two.
"""

import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
TARGET = ROOT / "packages/adapters-modal/src/tiomagic_modal/image_pins.py"
PYTHON = "3.11"

HEAD = f'''"""The pins of the image, made from uv.lock by scripts/pin_image.py; a test compares."""

from __future__ import annotations

PYTHON = "{PYTHON}"
"""Python of the image, whatever the caller's is."""

PINS = (
'''


def locked() -> list[str]:
    """Return every distribution that the engines and the pose estimator need, as it is locked."""
    command = [
        "uv",
        "export",
        "--package",
        "tiomagic-adapters-local",
        "--package",
        "tiomagic-media",
    ]
    command += ["--frozen", "--offline"]
    command += ["--extra", "engines", "--extra", "pose", "--no-emit-workspace"]
    command += ["--no-hashes", "--no-annotate", "--no-header"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603  Fixed words.
    return [line for line in done.stdout.splitlines() if line.strip()]


def render() -> str:
    """Return the module's text."""
    machine = {
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    wanted = [Requirement(line) for line in locked()]
    pins = [
        f"{r.name}{r.specifier}" for r in wanted if r.marker is None or r.marker.evaluate(machine)
    ]
    return HEAD + "".join(f'    "{pin}",\n' for pin in pins) + ")\n"


if __name__ == "__main__":
    TARGET.write_text(render())
    sys.stdout.write(f"{TARGET}\n")
