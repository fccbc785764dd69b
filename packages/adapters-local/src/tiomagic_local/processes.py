"""Which process runs a job: named in the job, and found again by anybody on the same machine."""

from __future__ import annotations

import functools
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SCHEME = "local"

TOLERANCE_S = 5.0
"""Seconds by which two readings of a start time may differ: the system's clock is corrected now
and then, and no number is given to a new process that soon after the old one began."""

END_S = 0.02
"""Seconds between two looks at a process that was killed."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux tells one run of the machine from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process on a machine."""

    host: str
    pid: int
    started: float
    """Seconds since the epoch; tells the process from a later one of the same number."""

    @classmethod
    def current(cls) -> Self:
        """Return this process."""
        import psutil

        started = psutil.Process().create_time()
        return cls(host=platform.node(), pid=os.getpid(), started=started)

    @classmethod
    def from_call_id(cls, call_id: str) -> Self | None:
        """Return the process that a call id names, or None when it names none."""
        scheme, _, rest = call_id.partition(":")
        parts = rest.rsplit(":", 2)
        if scheme != SCHEME or len(parts) != 3:
            return None
        try:
            return cls(host=parts[0], pid=int(parts[1]), started=float(parts[2]))
        except ValueError:
            return None

    @property
    def call_id(self) -> str:
        """The process as a job names it."""
        return f"{SCHEME}:{self.host}:{self.pid}:{self.started:.2f}"

    @property
    def is_here(self) -> bool:
        """True when it belongs to this machine."""
        return self.host == platform.node()

    def is_alive(self) -> bool:
        """Say whether it still runs. Only asked of a process of this machine."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            # A dead child that its parent has not buried keeps its number.
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.started) < TOLERANCE_S
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            # It is there and belongs to somebody else.
            return True


class SystemProcesses:
    """The port ``Processes`` over the operating system. Thread-safe."""

    def __init__(self) -> None:
        self._me: tuple[int, str] | None = None

    @property
    def host(self) -> str:
        """The name of this machine."""
        return platform.node()

    def current(self) -> str:
        """Return the call id of this process."""
        if self._me is None or self._me[0] != os.getpid():
            self._me = (os.getpid(), Worker.current().call_id)
        return self._me[1]

    def mark(self) -> str:
        """Return ``<boot id> <seconds of the machine's monotonic clock>`` of this moment."""
        return f"{_boot_id()} {time.monotonic():.3f}"

    def is_here(self, call_id: str) -> bool:
        """Return whether a process belongs to this machine."""
        worker = Worker.from_call_id(call_id)
        return worker is not None and worker.is_here

    def is_alive(self, call_id: str) -> bool:
        """Return whether a process of this machine still runs, be it stopped by a signal."""
        worker = Worker.from_call_id(call_id)
        return worker is not None and worker.is_alive()

    def end(self, call_id: str) -> bool:
        """Kill a process of this machine and wait until it is gone; see the port."""
        import psutil

        worker = Worker.from_call_id(call_id)
        if worker is None or not worker.is_here:
            return False
        try:
            # It is looked at again: its number may have gone to another one meanwhile.
            while worker.is_alive():
                psutil.Process(worker.pid).kill()
                time.sleep(END_S)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
        return True


@functools.cache
def _boot_id() -> str:
    """Return what tells this run of the machine from the one before."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        # Not exact where the date is corrected; then a worker that lives is told by its number.
        return f"{psutil.boot_time():.0f}"
