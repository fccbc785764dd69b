"""The facts of this machine: GPUs, main memory, cores, the build of torch. Imports no torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tiomagic_local.preflight.gpus import InstalledGpu, read_gpus, visible_gpus
from tiomagic_local.torch_env.main_memory import free_main_memory_gib, main_memory_gib


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
    """What of them is free."""
    unswapped_gib: float | None = None
    """Free main memory without swap."""
    cores: int = 1


def read_machine() -> MachineFacts:
    """Look at this machine; takes some milliseconds."""
    build = torch_build()
    return MachineFacts(
        gpus=visible_gpus(read_gpus()) if build == "cuda" else (),
        has_other_gpu=build == "hip",
        has_mps=sys.platform == "darwin" and platform.machine() == "arm64",
        main_gib=main_memory_gib(),
        free_main_gib=free_main_memory_gib(swap=True),
        unswapped_gib=free_main_memory_gib(),
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


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Linux alone has it.
        return os.cpu_count() or 1
