"""The main memory of this machine, and what of it is free, as a container may use it. No torch.

A container has a limit, and its own use counts against it; files that were read are kept in memory
only as long as nothing else wants it. Control groups lie in one another, and each may have a limit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tiomagic_domain.quantities import GIB

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUPS: Final = Path("/proc/self/cgroup")
LIMIT_FILES: Final = ("memory.max", "memory.limit_in_bytes")
"""A group's limit in bytes, of version 2 and 1."""
USED_FILES: Final = ("memory.current", "memory.usage_in_bytes")
FILE_PAGES: Final = ("inactive_file", "active_file")
"""Lines of ``memory.stat``: pages of files, which are given up for anything else."""


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
    limits = (limit for folder in _groups() if (limit := read_limit(folder)) is not None)
    return min(total, *(limit / GIB for limit in limits), total)


def free_main_memory_gib(*, swap: bool = False) -> float | None:
    """Return the main memory that a program can still take; None if unknown.

    Linux's "available" memory, or what a container has left of its limit; elsewhere the free pages.

    Args:
        swap: True to count free swap as well, which is slower than reading a file again.
    """
    known = _meminfo()
    if "MemAvailable" in known:
        free = known["MemAvailable"] + (known.get("SwapFree", 0) if swap else 0)
        left = (room for folder in _groups() if (room := read_room(folder)) is not None)
        return max(min(free, *left, free), 0) / GIB
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    except (AttributeError, ValueError, OSError):
        return None


def read_limit(folder: Path) -> int | None:
    """Return the limit of a control group in bytes; None for none."""
    return _number(folder, LIMIT_FILES)


def read_room(folder: Path) -> int | None:
    """Return the bytes that are left of a control group's limit; None without a limit."""
    limit, used = read_limit(folder), _number(folder, USED_FILES)
    if limit is None or used is None:
        return limit
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    stat = dict(line.split(" ", 1) for line in lines if " " in line)
    return limit - used + sum(int(stat.get(name, 0)) for name in FILE_PAGES)


def _number(folder: Path, names: tuple[str, ...]) -> int | None:
    for name in names:
        try:
            text = (folder / name).read_text(encoding="ascii").strip()
        except OSError:
            continue  # Of the other version.
        # Version 2 writes "max" for no limit, version 1 a number beyond any memory.
        return int(text) if text.isdecimal() else None
    return None


def _groups() -> Iterator[Path]:
    """Yield the folders of this process's control groups of memory, and of those around them."""
    yield CGROUPS
    try:
        lines = OWN_CGROUPS.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in {"", "memory"}:
            continue
        root = CGROUPS / kinds
        place = root / path.lstrip("/")
        # In a container the path may be the host's, which is not there.
        while place != CGROUPS and place.is_relative_to(root):
            yield place
            place = place.parent


def _meminfo() -> dict[str, int]:
    """Return Linux's figures in bytes; empty elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}
