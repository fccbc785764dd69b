"""The GPUs of this machine, asked of NVIDIA's management library (NVML).

The library comes with the driver and answers in milliseconds; importing torch and starting CUDA
takes seconds, and then holds memory of the GPU.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.quantities import GIB

LIBRARIES: Final = {"win32": "nvml.dll"}
"""The library by platform; everywhere else it is the name below."""
LIBRARY: Final = "libnvidia-ml.so.1"
LONGEST_TEXT: Final = 96
"""Bytes of the names and ids that the library writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledGpu:
    """One GPU, as its driver reports it."""

    title: str
    """Such as ``NVIDIA GeForce RTX 4090``."""
    uuid: str
    memory_gib: float
    free_gib: float


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def read_gpus() -> tuple[InstalledGpu, ...]:
    """Return the NVIDIA GPUs of this machine; empty without one, or without its driver."""
    try:
        library = ctypes.CDLL(LIBRARIES.get(sys.platform, LIBRARY))
    except OSError:
        return ()  # No driver: the usual case of a machine without a GPU.
    return ask_driver(library)


def ask_driver(library: Any) -> tuple[InstalledGpu, ...]:
    """Return the GPUs that a loaded NVML library reports."""
    if library.nvmlInit_v2() != 0:
        return ()
    try:
        count = ctypes.c_uint()
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return ()
        found = [_read_one(library, index) for index in range(count.value)]
        return tuple(gpu for gpu in found if gpu is not None)
    finally:
        library.nvmlShutdown()


def _read_one(library: Any, index: int) -> InstalledGpu | None:
    handle, memory = ctypes.c_void_p(), _Memory()
    if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0:
        return None
    if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0:
        return None
    return InstalledGpu(
        title=_text(library.nvmlDeviceGetName, handle),
        uuid=_text(library.nvmlDeviceGetUUID, handle),
        memory_gib=memory.total / GIB,
        free_gib=memory.free / GIB,
    )


def _text(ask: Any, handle: ctypes.c_void_p) -> str:
    buffer = ctypes.create_string_buffer(LONGEST_TEXT)
    if ask(handle, buffer, LONGEST_TEXT) != 0:
        return ""
    return buffer.value.decode("utf-8", "replace")


def visible_gpus(
    gpus: Sequence[InstalledGpu], environment: Mapping[str, str] = os.environ
) -> tuple[InstalledGpu, ...]:
    """Return the GPUs that a program sees, in its order, by ``CUDA_VISIBLE_DEVICES``.

    A list ends at the first entry that names no GPU, as CUDA reads it.
    """
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(gpus)
    seen = []
    for entry in (part.strip() for part in chosen.split(",")):
        if entry.isdecimal() and int(entry) < len(gpus):
            seen.append(gpus[int(entry)])
            continue
        named = [gpu for gpu in gpus if entry and gpu.uuid.startswith(entry)]
        if not named:
            break
        seen += named
    return tuple(seen)
