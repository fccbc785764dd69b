"""The background worker: ``python -m tiomagic.worker``, started by the process that submits a job.

Its settings come as JSON on the standard input. It serves one queue (see
:mod:`tiomagic_domain.workers`), prints each run to ``<state_dir>/logs/<job id>.log`` and the rest
to ``<state_dir>/workers/``, and goes away after ``worker_idle_s`` without a job. SIGTERM ends it
after the step that it is at.
"""

# ruff: noqa: PLC0415 - what is heavy is imported after the fork.

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.files.owner_only import make_private

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.usecases.generation import Generation
    from tiomagic_domain.workers import Worker

READY_MESSAGE = b"ready"
"""The ready message of a worker to its starter."""

QUEUE_POLL_S = 0.1
"""Seconds between two polls for a job: a person waits at a prompt for the start of theirs."""

REQUIRED_FREE_BYTES = 2**20
"""That must find room before a job is tried again."""

HTTP_CLIENTS = ("httpx", "httpx2", "httpcore", "httpcore2")
"""Loggers that write a line a request, with addresses that may be signed: they only warn."""

EXIT_STATUS_RUN_ABANDONED = 70
"""Exit status of a worker that ended in the middle of a run."""


def main() -> None:
    """Read the settings, let go of the starter, and serve."""
    handed = json.load(sys.stdin)
    _daemonize()
    serve(
        handed["queue"],
        Path(handed["working_dir"]),
        handed["settings"],
        on_ready=ReadySignal(handed.get("ready")),
    )


class ReadySignal:
    """Sends the starter the ready message, once.

    Args:
        descriptor: Of a pipe; None without a listener. When it is closed without a message, the
            worker has not come up.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            # Processes that the worker starts must not keep the pipe open.
            os.set_inheritable(descriptor, False)

    def __call__(self) -> None:
        """Tell it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):  # The starter has given up its wait.
                os.write(descriptor, READY_MESSAGE)
            os.close(descriptor)


def serve(
    queue: str,
    working_dir: Path,
    settings: dict[str, Any],
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve a queue until there is nothing to do.

    Args:
        queue: Which one.
        working_dir: As in :class:`tiomagic.TioMagic`.
        settings: All of them, as in ``configure``.
        on_ready: Called when it is ready.
    """
    from tiomagic.wiring.session import Session
    from tiomagic_domain.workers import keep_alive

    _log_sentences()
    session = Session(working_dir, settings, {})
    held = session.settings

    def leave() -> None:
        # Not sys.exit: a run that does not stop would keep the process alive.
        os._exit(EXIT_STATUS_RUN_ABANDONED)

    worker = _build_worker(session, queue, leave, on_ready)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.end())
    try:
        with keep_alive(
            worker,
            held.worker_stale_s,
            lambda error: end_without_project(error, held.state_dir, leave),
        ):
            worker.run()
    finally:
        session.close()


def _log_sentences() -> None:
    """Write the log of this process as sentences, without every request of a client."""
    from tiomagic.display.phrases.log_events import SentenceFormatter
    from tiomagic.display.phrases.shell import ShellVocabulary

    log = logging.StreamHandler()
    log.setFormatter(SentenceFormatter(ShellVocabulary()))
    logging.basicConfig(level=logging.INFO, handlers=[log])
    for client in HTTP_CLIENTS:
        logging.getLogger(client).setLevel(logging.WARNING)


def _build_worker(
    session: Session, queue: str, leave: Callable[[], None], on_ready: Callable[[], None]
) -> Worker:
    from tiomagic.wiring.background.launcher import ProcessLauncher
    from tiomagic_domain.workers import Worker, WorkerLimits, split_queue

    held = session.settings
    # No wait for another worker that it starts: the run must not be delayed.
    launcher = ProcessLauncher(lambda: session.settings, patience_s=0)
    background = dataclasses.replace(session.container.background(), launcher=launcher)
    # Started to recover jobs that another process, with other settings, has left: it runs those and
    # no newer one, whose caller counts on its own settings.
    stands_in = split_queue(queue)[1] not in {"", background.fingerprint()}
    worker = Worker(
        queue,
        background=background,
        repository=session.container.repository(),
        generation=JobLogRunner(session, queue, slot=lambda: worker.slot),
        slots=lambda: list_queue_devices(queue, session.settings),
        leave=leave,
        on_trouble=session.container.journal().trouble,
        limits=WorkerLimits(
            idle_s=0 if stands_in else held.worker_idle_s,
            poll_s=QUEUE_POLL_S,
            cancel_timeout_s=held.worker_cancel_s,
        ),
        created_before=background.clock.now() if stands_in else None,
        probe=lambda: check_writable(held),
        on_ready=on_ready,
    )
    return worker


def check_writable(settings: Settings) -> None:
    """Check that a video could be written now.

    Raises:
        ProcessingError: when it could not.
    """
    from tiomagic_domain.errors import ProcessingError

    for folder in (settings.spool_dir, settings.output_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(REQUIRED_FREE_BYTES))
                file.flush()
                # The system may accept bytes that do not fit; only the sync fails then.
                os.fsync(file.fileno())
        except OSError as error:
            raise ProcessingError(
                f"the folder {folder} cannot be written: {error.strerror or error}",
                code=ErrorCode.OUTPUT_UNWRITABLE,
            ) from error


def list_queue_devices(queue: str, settings: Settings) -> list[str]:
    """Return the devices of a queue, as ``DeviceLocks`` names them."""
    from tiomagic.wiring.registry import find_plugin, settings_of, uses_devices
    from tiomagic_domain.workers import split_queue

    name, _ = split_queue(queue)
    provider, _, rest = name.partition(":")
    host, _, device = rest.partition(":")
    if not uses_devices(provider):
        return [name]  # What it runs on is its own business.
    plugin = find_plugin(provider)
    wanted = dataclasses.replace(settings, device=None if device == "auto" else device)
    return [f"{provider}:{host}:{name}" for name in plugin.devices(settings_of(plugin, wanted))]


class JobLogRunner:
    """Runs jobs on the worker's device, with all that is printed meanwhile in the job's own log.

    Args:
        session: Gives the use cases.
        queue: The worker's queue.
        slot: Gives the device that the worker has.
    """

    def __init__(self, session: Session, queue: str, slot: Callable[[], str | None]) -> None:
        self._session = session
        self._queue = queue
        self._slot = slot

    def run_job(self, job: Job, *, stop_requested: Callable[[], bool]) -> Job:
        """Run a job; see :class:`tiomagic_domain.workers.worker.JobRunner`."""
        from tiomagic.wiring.background.launcher import job_log_path

        self._configure_device()
        with _redirect_output(job_log_path(self._session.settings.state_dir, job.job_id)):
            return self._generation.run_job(job, stop_requested=stop_requested)

    def abandon(self, job: Job, *, stop_requested: bool) -> Job:
        """Store the end of a job; see :class:`tiomagic_domain.workers.worker.JobRunner`."""
        return self._generation.abandon(job, stop_requested=stop_requested)

    def requeue(self, job: Job, error: Exception) -> None:
        """Let a job wait again; see :class:`tiomagic_domain.workers.worker.JobRunner`."""
        self._generation.requeue(job, error)

    def fail(self, job: Job, error: Exception) -> None:
        """Store that a job failed; see :class:`tiomagic_domain.workers.worker.JobRunner`."""
        self._generation.fail(job, error)

    @property
    def _generation(self) -> Generation:
        return self._session.generation

    def _configure_device(self) -> None:
        from tiomagic.wiring.registry import uses_devices

        provider, _, rest = (self._slot() or "").partition(":")
        if uses_devices(provider):
            device = rest.partition(":")[2]
            if self._session.settings.device != device:
                self._session.configure({"device": device})


def end_without_project(error: Exception, state_dir: Path, leave: Callable[[], None]) -> None:
    """Log a failed heartbeat, and end this process when its project has been deleted."""
    logging.getLogger("tiomagic").error("a renewal of the leases failed", exc_info=error)
    if not state_dir.exists():
        leave()


def _daemonize() -> None:
    """Detach: become a process without a waiting parent."""
    # The parent exits at once, so that the starter returns and init adopts this process.
    if hasattr(os, "fork") and os.fork():
        os._exit(0)
    # stdin has delivered the settings; from now on it is empty.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


@contextlib.contextmanager
def _redirect_output(path: Path) -> Iterator[None]:
    """Send what this process prints, libraries and all, to the end of a file for a while.

    Without space for a log the run goes on and prints to the worker's.
    """
    try:
        make_private(path.parent)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        logging.getLogger("tiomagic").warning("no log of its own for a job: %s", error)
        yield
        return
    # By descriptors, so that the output of C libraries is caught too.
    kept = [os.dup(1), os.dup(2)]
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(log)


if __name__ == "__main__":
    main()
