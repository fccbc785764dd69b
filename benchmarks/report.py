"""What every result under ``benchmarks/results`` has: the machine, and the day."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    import torch

    found = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_at_end": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "diffusers", "transformers")},
    }
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        found["gpu"] = {"name": card.name, "memory_gib": round(card.total_memory / 2**30, 1)}
        found["cuda"] = torch.version.cuda
    return found


def write(name: str, result: dict[str, Any], *, folder: Path = RESULTS) -> Path:
    """Write a result beside the others, with the machine and the day; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    whole = {**result, "machine": machine(), "date": time.strftime("%Y-%m-%d", time.gmtime())}
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if lines:
            return lines[0].partition(":")[2].strip()
    return platform.processor()
