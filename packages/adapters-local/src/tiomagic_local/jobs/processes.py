"""Processes that run jobs: call ids, liveness (alive, dead, unknown), and killing."""

from __future__ import annotations

import os
import platform
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tiomagic_domain.ports.processes import ProcessState
from tiomagic_local.jobs.process_identity import PROC, ProcessStart, boot_id, machine_seconds
from tiomagic_local.jobs.process_locks import LivenessLocks

SCHEME = "local"

FOLDER = "processes"
"""Folder of the state folder: a file for each process that has taken a job, see ``presence``."""

KILL_POLL_S = 0.02
"""Seconds between two polls of a killed process."""

KILL_TIMEOUT_S = 30.0
"""Timeout of a kill in seconds: a driver may block the process forever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process on a machine."""

    host: str
    pid: int
    birth: str
    """Its unique identity; see ``process_identity``."""

    @classmethod
    def current(cls) -> Self:
        """Return this process."""
        return cls(host=platform.node(), pid=os.getpid(), birth=str(ProcessStart.of_this_process()))

    @classmethod
    def from_call_id(cls, call_id: str) -> Self | None:
        """Return the process of a call id, or None for another text."""
        scheme, _, rest = call_id.partition(":")
        parts = rest.rsplit(":", 2)
        if scheme != SCHEME or len(parts) != 3 or not parts[1].isascii() or not parts[2]:
            return None
        try:
            pid = int(parts[1])
        except ValueError:
            return None
        return cls(host=parts[0], pid=pid, birth=parts[2]) if pid > 0 else None

    @property
    def call_id(self) -> str:
        """The process as a job names it."""
        return f"{SCHEME}:{self.host}:{self.pid}:{self.birth}"

    def is_running(self) -> bool | None:
        """Return whether it runs, by its PID; None when the PID does not tell."""
        birth = ProcessStart.parse(self.birth)
        if birth is None or not birth.is_seen_from_here or self.host != platform.node():
            return None
        return birth.is_running(self.pid)


class SystemProcesses:
    """The port ``Processes`` over the operating system. Thread-safe.

    Args:
        folder: Where the processes that share the jobs show that they live; without it, those of
            other containers and of earlier runs of the machine cannot be judged.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._presence = None if folder is None else LivenessLocks(folder)
        self._me: tuple[int, str] | None = None

    @property
    def host(self) -> str:
        """The name of this machine."""
        return platform.node()

    def current(self) -> str:
        """Return the call id of this process."""
        if self._me is None or self._me[0] != os.getpid():
            self._me = (os.getpid(), ProcessIdentity.current().call_id)
        me = ProcessIdentity.from_call_id(self._me[1])
        if self._presence is not None and me is not None:
            self._presence.announce(_file_name(me))  # Again: the disk may have been full before.
        return self._me[1]

    def heartbeat(self) -> str:
        """Return ``<boot id> <seconds of the machine's monotonic clock>`` now."""
        seconds = machine_seconds()
        if seconds is None:
            return f"{boot_id()}-{os.getpid()} {time.monotonic():.3f}"  # Comparable with no other.
        return f"{boot_id()} {seconds:.3f}"

    def get_state(self, call_id: str) -> ProcessState:
        """Return whether a process exists, even if suspended; see the port."""
        worker = ProcessIdentity.from_call_id(call_id)
        if worker is None:
            return ProcessState.UNKNOWN
        running = worker.is_running()
        if running is not None:
            return ProcessState.ALIVE if running else ProcessState.DEAD
        if self._presence is None or ProcessStart.parse(worker.birth) is None:
            return ProcessState.UNKNOWN
        return self._presence.get_state(_file_name(worker))

    def may_kill(self, call_id: str) -> bool:
        """Return whether this process may kill another one, and is certain of its identity."""
        worker = ProcessIdentity.from_call_id(call_id)
        if worker is None or not worker.is_running():
            return False
        try:
            os.kill(worker.pid, 0)
        except OSError:
            return False
        return True

    def kill(self, call_id: str) -> bool:
        """Kill a process and wait until it is gone; see the port."""
        worker = ProcessIdentity.from_call_id(call_id)
        if worker is None or worker.is_running() is None:
            return False
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while worker.is_running():
            if not _kill(worker) or time.monotonic() > deadline:
                return False
            time.sleep(KILL_POLL_S)
        return True

    def describe(self, call_id: str) -> str:
        """Return the number of a process and the folder it works in; see the port."""
        worker = ProcessIdentity.from_call_id(call_id)
        if worker is None:
            return call_id
        if worker.host != platform.node():
            return f"process {worker.pid} on the machine {worker.host}"
        folder = _find_working_folder(worker)
        return f"process {worker.pid}" + (f" in the folder {folder!r}" if folder else "")


def _find_working_folder(worker: ProcessIdentity) -> str:
    """Return the name of the folder that a process works in; empty where it cannot be seen."""
    if not worker.is_running():
        return ""
    try:
        return (PROC / str(worker.pid) / "cwd").readlink().name
    except OSError:
        return ""  # Of another user, or not on Linux.


def _kill(worker: ProcessIdentity) -> bool:
    """Kill exactly this process; False when it belongs to another user."""
    try:
        if not hasattr(os, "pidfd_open"):
            if worker.is_running():
                os.kill(worker.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            return True
        # A pidfd refers to one process, whereas the PID may be reused at any time.
        descriptor = os.pidfd_open(worker.pid)
        try:
            if worker.is_running():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _file_name(worker: ProcessIdentity) -> str:
    return f"{worker.pid}-{worker.birth}"
