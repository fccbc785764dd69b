"""The unique identity of a process: boot, PID namespace and start time.

A PID is reused, each namespace has its own PIDs, and a start time that is stored as a date moves
with corrections of the date. These do not repeat:

==========  =====================================================================================
``start``   on Linux: clock ticks from the start of the machine to that of the process; no
            correction of the date moves them, and the offset of a time namespace is taken off
``space``   the PID namespace, within which the number means something
``boot``    one run of one machine, from its start to its end
==========  =====================================================================================
"""

from __future__ import annotations

import functools
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")

BOOT_ID = PROC / "sys/kernel/random/boot_id"
"""Linux's boot id."""

START_TOLERANCE_TICKS = 1
"""Ticks by which two readings of a start time may differ: the offset of a time namespace is not a
whole number of ticks. No PID is reused that soon."""

_BIRTH = re.compile(r"(\d+)-(\d+)-([0-9a-zA-Z]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStart:
    """When and where a process began."""

    start: int
    """Ticks since the machine's start; elsewhere than on Linux hundredths of seconds since 1970."""
    pid_namespace: int
    """The number of the PID namespace; 0 where there are none, or it cannot be read."""
    boot: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the text of ``str``; None for a date, which older versions wrote."""
        found = _BIRTH.fullmatch(text)
        return found and cls(start=int(found[1]), pid_namespace=int(found[2]), boot=found[3])

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the birth of the calling process."""
        # Where its clock cannot be compared, its number is not enough for others: see ``presence``.
        unsure = "x" if _offset("boottime") is None else ""
        return cls(start=_own_start(), pid_namespace=namespace(), boot=boot_id() + unsure)

    def __str__(self) -> str:
        """Return it in a form that has no colon."""
        return f"{self.start}-{self.pid_namespace}-{self.boot}"

    @property
    def is_seen_from_here(self) -> bool:
        """True when a number of its namespace means the same process here."""
        return (self.pid_namespace, self.boot) == (namespace(), boot_id())

    def is_running(self, pid: int) -> bool | None:
        """Return whether the process of this birth runs with a PID; None when unknown.

        Only called when ``is_seen_from_here``.
        """
        if sys.platform != "linux":
            return _has_created(pid, self.start)
        if _readlink(PROC / "self") != str(os.getpid()):
            # This folder shows the processes of another namespace.
            return None if _exists(pid) else False
        stat = _stat(pid)
        if stat is None:
            # ``hidepid`` hides details of other users' processes, but not that they exist.
            return None if _exists(pid) else False
        if stat[0] in "ZX":
            return False  # A zombie (dead, not reaped by its parent) keeps its PID.
        offset = _offset("boottime")
        if offset is None:
            return None
        return abs(_ticks(stat, offset) - self.start) <= START_TOLERANCE_TICKS


def boot_id() -> str:
    """Return the boot id of this machine."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return _session_id()


def namespace() -> int:
    """Return the number of this process's PID namespace; 0 where there is none."""
    digits = re.search(r"\d+", _readlink(PROC / "self/ns/pid"))
    return int(digits[0]) if digits else 0


def machine_seconds() -> float | None:
    """Return the seconds of this machine's own clock, the same in every namespace of it.

    It stands still while the machine sleeps, and no correction of the date moves it. None where
    the clock of this namespace cannot be compared.
    """
    offset = _offset("monotonic")
    return None if offset is None else time.monotonic() - offset


def _own_start() -> int:
    stat, offset = _stat("self"), _offset("boottime")
    if stat is None:
        return _created(os.getpid())
    return _ticks(stat, offset or 0.0)


def _ticks(stat: list[str], offset_s: float) -> int:
    return int(stat[19]) - round(offset_s * os.sysconf("SC_CLK_TCK"))


def _stat(pid: int | str) -> list[str] | None:
    """Return the fields of a process after its name, its state first; None when it is not seen."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _offset(clock: str) -> float | None:
    """Return the offset of a clock in this time namespace, in seconds."""
    here, children = (_readlink(PROC / "self/ns" / n) for n in ("time", "time_for_children"))
    try:
        text = (PROC / "self/timens_offsets").read_text(encoding="ascii")
    except OSError:
        return 0.0  # No time namespaces here.
    if here != children:
        return None  # These offsets are those of the children.
    for line in text.splitlines():
        name, seconds, nanoseconds = line.split()
        if name == clock:
            return int(seconds) + int(nanoseconds) / 1e9
    return 0.0


def _readlink(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


@functools.cache
def _session_id() -> str:
    """Return a boot id for other systems than Linux."""
    if sys.platform == "darwin":
        import ctypes

        text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        library = ctypes.CDLL(None)
        if library.sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0) == 0:
            return text.value.decode("ascii").replace("-", "")
    return "0"


def _created(pid: int) -> int:
    import psutil

    return round(psutil.Process(pid).create_time() * 100)


def _has_created(pid: int, start: int) -> bool | None:
    """Return whether the process with a PID was created at a time, by the system's record."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(round(process.create_time() * 100) - start) <= START_TOLERANCE_TICKS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None
