"""Which process runs a job: named in the job, and found again by anybody on the same machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Self

SCHEME = "local"

TOLERANCE_S = 5.0
"""Seconds by which two readings of a start time may differ: the system's clock is corrected now
and then, and no number is given to a new process that soon after the old one began."""


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
