"""A cluster of this machine alone, on loopback, which ends with the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.interpreter import module_command
from tiomagic_ray.link.loopback import ON_LOOPBACK

LOOPBACK: Final = "127.0.0.1"
SLOW_START: Final = {
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_raylet_start_wait_time_s": "120",
}
"""Ray gives its processes 15 s and 10 s to start, which a busy machine does not keep."""
OBJECT_STORE_BYTES: Final = 200 * 10**6
"""Enough for inputs and videos, which pass it in pieces."""
STOP_S: Final = 60.0
"""How long the processes of a cluster may take to end: Ray waits 30 s for what runs there."""
STARTED: Final = "Ray runtime started"
KEPT_LINES: Final = 12
HIGHEST_PORT: Final = 65535
ENDINGS: Final = ("SIGTERM", "SIGHUP")
"""What a closed terminal and a service manager send; Windows has no SIGHUP."""

# Ends the head when the process that started it is gone, however that ended: its end closes the
# pipe. Ray's head has a group of its own, and would go on.
GUARD: Final = """\
import os, signal, sys, time
head, wait_s = int(sys.argv[1]), float(sys.argv[2])
sys.stdin.buffer.read()
for number in (signal.SIGTERM, signal.SIGKILL):
    try:
        os.killpg(head, number)
    except ProcessLookupError:
        break
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        time.sleep(0.2)
        try:
            os.kill(head, 0)
        except ProcessLookupError:
            break
"""


def run_cluster(port: int, cpus: int, token: str, say: Callable[[str], None]) -> None:
    """Start a cluster, and return when it has ended: by Ctrl-C, SIGTERM or a closed terminal.

    Args:
        port: Of the head, 1 to 65535.
        cpus: That workers may take; 0 for all.
        token: Of the cluster.
        say: Takes what the user should know, as it happens.

    Raises:
        ConfigurationError: when port or CPUs are not legal.
        ProcessingError: when the cluster did not start, or ended by itself.
    """
    _check(port, cpus)
    environment = {**os.environ, **SLOW_START, **ON_LOOPBACK}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    say("starting, which takes up to half a minute")
    with _ended_by_signals():
        # A group of its own: Ctrl-C is for this process, which ends the cluster in order.
        head = subprocess.Popen(  # noqa: S603  Fixed words and two numbers.
            _command(port, cpus),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        guard = _guard(head.pid)
        try:
            lines = _read(head.stdout, port, say)
            raise _ended(head.wait(), lines)
        except KeyboardInterrupt:
            _stop(head)
        finally:
            # The head has ended: there is nothing left to guard.
            guard.kill()
            guard.wait()


def _check(port: int, cpus: int) -> None:
    if not 0 < port <= HIGHEST_PORT:
        raise ConfigurationError(
            f"--port must be a number between 1 and {HIGHEST_PORT}, not {port}",
            details={"given": port},
        )
    if cpus < 0:
        raise ConfigurationError(
            f"--cpus must be 1 or more, or 0 for all, not {cpus}", details={"given": cpus}
        )


def _command(port: int, cpus: int) -> list[str]:
    command = module_command("ray.scripts.scripts", "start", "--head", "--block")
    command += ["--port", str(port), "--node-ip-address", LOOPBACK, "--disable-usage-stats"]
    command += ["--include-dashboard=false", f"--object-store-memory={OBJECT_STORE_BYTES}"]
    return command + ([f"--num-cpus={cpus}"] if cpus else [])


def _guard(head: int) -> subprocess.Popen[bytes]:
    """Start what ends the head after this process."""
    return subprocess.Popen(  # noqa: S603  Our own words, and a number.
        [sys.executable, "-I", "-S", "-c", GUARD, str(head), str(STOP_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have the signals that end a process arrive as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(stream: IO[bytes] | None, port: int, say: Callable[[str], None]) -> list[str]:
    """Read what Ray prints until it ends, say when it runs, and return the last lines.

    Not shown: Ray's own hints name the command that ends every Ray of the machine.
    """
    assert stream is not None, "it was asked for"
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    for line in stream:
        text = line.decode(errors="replace").rstrip()
        lines.append(text)
        if STARTED in text:
            say(f"runs: use it with RAY_ADDRESS={LOOPBACK}:{port}, and end it with Ctrl-C")
    return list(lines)


def _ended(code: int, lines: list[str]) -> ProcessingError:
    said = [line for line in lines if line.strip()]
    reason = said[-1] if said else f"exit code {code}"
    return ProcessingError(
        f"the cluster has ended by itself: {reason}",
        details={"exit_code": code, "printed": said},
        code=ErrorCode.NO_CLUSTER,
    )


def _stop(head: subprocess.Popen[bytes]) -> None:
    head.send_signal(signal.SIGTERM)
    try:
        head.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
