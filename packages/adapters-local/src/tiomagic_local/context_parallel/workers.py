"""Starts, monitors and ends the processes of the other ranks.

A thread receives their messages. If one fails or dies, the others are killed, and this process's
wait for them is aborted. If this process dies, they find their connection closed and exit.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import IO, Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.interpreter import import_path, module_command, safe_environment
from tiomagic_local.context_parallel.messages import (
    CallDone,
    ModelReady,
    RankFailed,
    RankSetup,
    receive,
    send,
)
from tiomagic_local.options import LocalOptions

CANCEL_POLL_S = 0.2
"""Seconds between two polls of the cancel token."""

STALL_TIMEOUT_S = 1800.0
"""Timeout of a call without progress, in seconds: a hanging GPU reports nothing, and blocks all
others."""

OUTPUT_TAIL_CHARS = 2000
"""Most characters of a rank's output in an error."""

MODULE = "tiomagic_local.rank_main"


@dataclass(slots=True)
class RankProcess:
    """One of the other ranks."""

    device: str
    process: subprocess.Popen[bytes]
    connection: Connection
    output: IO[bytes]
    messages: list[Any] = field(default_factory=list)

    def tail(self) -> str:
        """Return the end of its output."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")[-OUTPUT_TAIL_CHARS:]


class RankProcesses:
    """The other ranks of one process group.

    Args:
        devices: Of all ranks, this process's first.
        options: With the source of weights.
        threads: Of torch in each rank.
        on_end: Called once, in the receiving thread, when one of them has died.
    """

    def __init__(
        self,
        devices: Sequence[str],
        options: LocalOptions,
        *,
        threads: int,
        on_end: Callable[[], None],
    ) -> None:
        self.devices: tuple[str, ...] = tuple(devices)
        self.folder: str = tempfile.mkdtemp(prefix="tiomagic-ranks-")
        self.failure: GenerationError | None = None
        self._ended = False
        self._on_end = on_end
        self._changed = threading.Condition()
        self._members: list[RankProcess] = []
        self._listener: threading.Thread | None = None
        self._moved: float | None = None
        hello = RankSetup(
            rank=0, count=len(devices), options=options, meeting=self.folder, threads=threads
        )
        try:
            for rank, device in enumerate(devices[1:], 1):
                own = replace(hello, rank=rank, options=replace(options, device=device))
                self._members.append(_started(device, own))
        except BaseException:
            self.end()
            raise
        self._listener = threading.Thread(target=self._listen, name="tiomagic-ranks", daemon=True)
        self._listener.start()

    @property
    def is_whole(self) -> bool:
        """Whether all of them run, without an error."""
        # The receiving thread may not have noticed a process that has just died.
        alive = all(_lives(pid) for pid in self.pids)
        return alive and not self._ended and self.failure is None

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [member.process.pid for member in self._members]

    def broadcast(self, message: object) -> None:
        """Send a message to all of them; the receiving thread detects a closed connection."""
        for member in self._members:
            member.messages.clear()
            with contextlib.suppress(OSError):
                send(member.connection, message)

    def wait_for(
        self,
        kind: type[ModelReady | CallDone],
        seconds: float,
        each: Callable[[], None] = lambda: None,
    ) -> bool:
        """Wait until all of them have sent a message; return False after the timeout.

        Args:
            kind: Of message.
            seconds: The timeout.
            each: Called repeatedly during the wait; its exception ends the wait.

        Raises:
            GenerationError: when one of them fails or dies.
        """
        until = time.monotonic() + seconds
        while True:
            each()
            with self._changed:
                said = self._changed.wait_for(lambda: self._have_said(kind), CANCEL_POLL_S)
            self.raise_if_failed()
            if said or time.monotonic() > until:
                return said

    def wait_for_failure(self, seconds: float) -> bool:
        """Wait until one of them has failed; return False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: self.failure is not None, seconds)

    def raise_if_failed(self) -> None:
        """Raise the error of a failed rank, if any."""
        if self.failure is not None:
            raise self.failure

    def reset_stall_timer(self, *, on: bool) -> None:
        """Record progress of the call, or its end: a call without progress ends all ranks."""
        self._moved = time.monotonic() if on else None

    def end(self) -> None:
        """End all of them, and return when they have exited."""
        self._ended = True
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.wait()
        # The thread ends when their ends of the connections are closed. Closing ours first could
        # give the descriptor that it polls to another file.
        if self._listener is not None and self._listener is not threading.current_thread():
            self._listener.join()
        for member in self._members:
            member.connection.close()
            member.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _have_said(self, kind: type[ModelReady | CallDone]) -> bool:
        if self.failure is not None:
            return True
        return all(any(isinstance(m, kind) for m in member.messages) for member in self._members)

    def _listen(self) -> None:
        members = {member.connection: member for member in self._members}
        while not self._ended:
            try:
                spoken = wait(list(members), timeout=1.0)
            except (OSError, ValueError):  # Closed by ``end``.
                return
            if self._moved is not None and time.monotonic() - self._moved > STALL_TIMEOUT_S:
                self._fail(_stuck())
                return
            for connection in spoken:
                assert isinstance(connection, Connection), "these are what was asked for"
                if not self._take(members[connection]):
                    return

    def _take(self, member: RankProcess) -> bool:
        """Handle one message of a rank; False for its last."""
        try:
            message = receive(member.connection)
        except (EOFError, OSError):
            if not self._ended:
                self._fail(_gone(member))
            return False
        if isinstance(message, RankFailed):
            self._fail(_failed(member, message))
            return False
        with self._changed:
            member.messages.append(message)
            self._changed.notify_all()
        return True

    def _fail(self, error: GenerationError) -> None:
        with self._changed:
            self.failure = error
            self._changed.notify_all()
        for member in self._members:
            member.process.kill()
        self._on_end()


def _started(device: str, hello: RankSetup) -> RankProcess:
    ours, theirs = Pipe()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process.
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, and numbers of our own.
                module_command(MODULE, str(theirs.fileno()), str(os.getpid())),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                # The same import path as here, without the working folder's or the script's.
                env=safe_environment(os.environ, path=import_path()),
                # A new session: Ctrl-C reaches only this process, which ends them.
                start_new_session=True,
            )
        send(ours, hello)
    except OSError as error:
        ours.close()
        output.close()
        raise GenerationError(
            f"no process could be started for the device {device}: {error}",
            code=ErrorCode.RANK_FAILED,
        ) from error
    return RankProcess(device=device, process=process, connection=ours, output=output)


def _lives(pid: int) -> bool:
    import psutil

    try:
        status: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return status != psutil.STATUS_ZOMBIE


def _failed(member: RankProcess, message: RankFailed) -> GenerationError:
    return GenerationError(
        f"{member.device}, one of the devices that make this video together, failed: "
        f"{message.message}",
        details={"device": member.device},
        code=message.code,
    )


def _gone(member: RankProcess) -> GenerationError:
    member.process.kill()
    status = member.process.wait()
    return GenerationError(
        f"the process for {member.device}, one of the devices that make this video together, has "
        f"ended (status {status})",
        details={"device": member.device, "status": status, "output": member.tail()},
        code=ErrorCode.RANK_LOST,
    )


def _stuck() -> GenerationError:
    return GenerationError(
        f"the devices that make this video together have not come further for "
        f"{STALL_TIMEOUT_S:.0f} s",
        code=ErrorCode.RANK_STUCK,
    )
