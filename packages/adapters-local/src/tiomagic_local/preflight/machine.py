"""The facts of this machine: GPUs, main memory, cores, the build of torch. Imports no torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tiomagic_domain.quantities import GIB
from tiomagic_local.preflight.gpus import InstalledGpu, read_gpus, visible_gpus

CONTAINER_LIMITS: Final = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
"""Files with the memory that a container may use, of both versions of control groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What a run can use here."""

    gpus: tuple[InstalledGpu, ...] = ()
    """The GPUs that torch can use, in its order."""
    has_other_gpu: bool = False
    """True where torch may use a GPU that is not asked here (AMD)."""
    has_mps: bool = False
    """True for a Mac whose GPU torch can use."""
    main_gib: float | None = None
    """Main memory and swap; None if the system does not say."""
    free_main_gib: float | None = None
    cores: int = 1


def read_machine() -> MachineFacts:
    """Look at this machine; takes some milliseconds."""
    build = torch_build()
    return MachineFacts(
        gpus=visible_gpus(read_gpus()) if build == "cuda" else (),
        has_other_gpu=build == "hip",
        has_mps=sys.platform == "darwin" and platform.machine() == "arm64",
        main_gib=main_memory_gib(),
        free_main_gib=free_memory_gib(),
        cores=_cores(),
    )


def torch_build() -> str | None:
    """Return what the installed torch is built for: ``cuda``, ``hip`` or ``cpu``; None without it.

    Read from its file of versions, without importing it.
    """
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    try:
        text = (Path(found.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    return parse_torch_build(text)


def parse_torch_build(text: str) -> str:
    """Return the kind of a build from the text of torch's ``version.py``."""
    for kind in ("cuda", "hip"):
        value = re.search(rf"^{kind}\b[^=\n]*=\s*(.+)$", text, re.MULTILINE)
        if value is not None and value[1].strip() not in {"None", "''", '""'}:
            return kind
    return "cpu"


def main_memory_gib() -> float | None:
    """Return all main memory with swap, or the limit of the container; None if unknown."""
    known = _meminfo()
    total: float | None = None
    if "MemTotal" in known:
        total = (known["MemTotal"] + known.get("SwapTotal", 0)) / GIB
    else:
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
        except (AttributeError, ValueError, OSError):
            return None
    limit = _container_limit_gib()
    return total if limit is None else min(total, limit)


def free_memory_gib() -> float | None:
    """Return the main memory that is free now, with swap; None if unknown."""
    known = _meminfo()
    if "MemAvailable" not in known:
        return None
    free = (known["MemAvailable"] + known.get("SwapFree", 0)) / GIB
    limit = _container_limit_gib()
    return free if limit is None else min(free, limit)


def _meminfo() -> dict[str, int]:
    """Return Linux's figures in bytes; empty elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def _container_limit_gib() -> float | None:
    for name in CONTAINER_LIMITS:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except OSError:
            continue  # Not in a container, or of the other version.
        if text.isdecimal():
            return int(text) / GIB
    return None


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Linux alone has it.
        return os.cpu_count() or 1
