"""Looking from elsewhere: another PID namespace, or a date that was set. Root on Linux."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

NEW_MOUNTS, NEW_PIDS = 0x00020000, 0x20000000
"""The flags of unshare(2); the module ``os`` has the call since Python 3.12 only."""


def can_unshare() -> bool:
    """Return whether this process may make namespaces."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_in_pid_namespace(task: Callable[[], None]) -> None:
    """Do something in a PID namespace of its own, with its own /proc, and return when it is done.

    Raises:
        ChildProcessError: when it did not end well.
    """
    # The first child is the first process of the namespace, which ends with it.
    _unshare(NEW_PIDS)

    def inside() -> None:
        _unshare(NEW_MOUNTS)
        _mount("-t", "proc", "proc", "/proc")
        task()

    _run_in_child(inside)


def run_with_shifted_boot_time(task: Callable[[], None], seconds: float) -> None:
    """Do something where the system shows its start so many seconds later, and return then.

    That is what setting the date does to all that is computed from it.

    Raises:
        ChildProcessError: when it did not end well.
    """
    stat = Path("/proc/stat").read_text()

    def inside() -> None:
        _unshare(NEW_MOUNTS)
        moved = re.sub(r"btime (\d+)", lambda found: f"btime {int(found[1]) + int(seconds)}", stat)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(moved)
            file.flush()
            _mount("--bind", file.name, "/proc/stat")
            task()

    _run_in_child(inside)


def _unshare(flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if flags & NEW_MOUNTS:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _run_in_child(task: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            task()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise ChildProcessError(f"what was done elsewhere ended with {status}")
