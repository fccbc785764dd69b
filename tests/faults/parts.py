"""The real parts of a job's life, over an engine that draws a tiny clip in less than a second."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import TERMINAL, Job, JobQuery, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports import Capabilities, Provider, Report, Request
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_domain.testing import FakeMediaReader
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import Background, Worker, WorkerLimits
from tiomagic_local.jobs.device_locks import FileDeviceLocks
from tiomagic_local.jobs.processes import FOLDER, SystemProcesses
from tiomagic_local.options import LocalOptions
from tiomagic_local.provider import LocalProvider
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_storage import FolderOutputStore
from tiomagic_storage.jobs.repository import SqlJobRepository

LEASE_EXPIRY_S = 2.0
"""Silence after which a worker counts as dead: short, so that a campaign sees it often."""
HEARTBEAT_S = 0.2
STEPS = 6
STEP_S = 0.04
FRAMES = 5
STORED_FILE = "stored"
"""Name of the file that says that the newest job is in the database."""
BROKEN_FILE = "broken"
"""Name of the file that says that no worker starts."""
OPEN_STATUSES = frozenset(JobStatus) - TERMINAL


class JumpingClock:
    """A machine whose date somebody moves: the file ``jump`` has the seconds."""

    def __init__(self, folder: Path) -> None:
        self._jump = folder / "jump"

    def now(self) -> datetime:
        """Return the moment that the wrong date shows."""
        try:
            seconds = float(self._jump.read_text() or 0)
        except OSError:
            seconds = 0.0
        return datetime.now(UTC) + timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return the machine's own seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(max(seconds, 0.0))


class QuickProvider(LocalProvider):
    """The local provider with its spool and claims, and a drawing instead of a model."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalOptions(), folder / "spool", run=self._draw)
        self._folder = folder

    def capabilities(self) -> Capabilities:
        """Return what the local provider says, without the catalogue."""
        return Capabilities(default_model="doodle", blocking=True)

    def check(self, request: Request) -> None:
        """Everything can run."""

    def _draw(
        self,
        request: Request,
        *,
        target: Path,
        progress: ProgressSink,
        cancel: CancelToken,
        **_rest: object,
    ) -> Report:
        def tell(phase: Phase, step: int | None = None) -> None:
            progress(Progress(phase=phase, step=step, steps=None if step is None else STEPS))

        tell(Phase.LOADING)
        time.sleep(STEP_S)
        for step in range(1, STEPS + 1):
            cancel.raise_if_canceled()
            time.sleep(STEP_S)
            tell(Phase.DENOISING, step)
        job = request.job
        recipe = build_recipe(job, versions={}, facts={})
        shade = int(job.job_id[:2], 16)
        write_mp4(target, np.full((FRAMES, 32, 32, 3), shade, np.uint8), fps=8, recipe=recipe)
        _append_line(self._folder / "completions", job.job_id)
        return Report(
            status=JobStatus.COMPLETED,
            message="completed",
            video=VideoFile(path=target, recipe=recipe),
        )


def _append_line(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


class ForkLauncher:
    """The port ``Launcher``: asks the campaign's first process, which has no connections, to fork.

    Args:
        folder: Where the file is that says that no worker starts.
        pipe: Where it reads.
    """

    def __init__(self, folder: Path, pipe: int) -> None:
        self._folder = folder
        self._pipe = pipe

    def launch(self, queue: str) -> None:
        """Ask for a worker.

        Raises:
            ConfigurationError: while none starts.
        """
        if (self._folder / BROKEN_FILE).exists():
            raise ConfigurationError("broken installation", code="no_worker")
        os.write(self._pipe, f"{queue}\n".encode())


class ProcessParts:
    """What one process of the campaign has.

    Args:
        folder: Database, videos and spool; the file ``url`` names a database that is elsewhere.
        pipe: See ``ForkLauncher``.
    """

    def __init__(self, folder: Path, pipe: int) -> None:
        server = folder / "url"
        url = server.read_text() if server.exists() else f"sqlite:///{folder / 'jobs.db'}"
        self.repository = SqlJobRepository.open(url)
        self.clock = JumpingClock(folder)
        self.background = Background(
            leases=self.repository.leases,
            device_locks=FileDeviceLocks(folder),
            processes=SystemProcesses(folder / FOLDER),
            launcher=ForkLauncher(folder, pipe),
            clock=self.clock,
            device=lambda: "cpu",
            stale_s=LEASE_EXPIRY_S,
        )
        self.troubles: list[TioMagicError] = []
        self.generation = Generation(
            providers=self.providers(folder),
            repository=self.repository,
            outputs=FolderOutputStore(folder / "videos"),
            media=FakeMediaReader(folder / "inputs"),
            clock=self.clock,
            on_trouble=self.troubles.append,
            background=self.background,
        )

    def providers(self, folder: Path) -> dict[str, Provider]:
        """Return who runs jobs."""
        return {"local": QuickProvider(folder)}

    def submit(self, number: int, retry: int) -> Job:
        """Hand a job over and return at once."""
        return self.generation.submit(
            Feature.TEXT_TO_VIDEO,
            provider="local",
            model="doodle",
            arguments={"prompt": f"a red circle moves right {number}"},
            detach=True,
            retry=retry,
        )

    def open_jobs(self) -> int:
        """Return how many jobs are not over."""
        return self.repository.count(JobQuery(status=OPEN_STATUSES))


def submit_and_wait(
    folder: Path, pipe: int, number: int, retry: int, parts_class: type[ProcessParts] = ProcessParts
) -> None:
    """Be a caller: submit one job and follow it to its end."""
    mine = parts_class(folder, pipe)
    job = mine.submit(number, retry)
    (folder / STORED_FILE).touch()
    mine.generation.wait(job.job_id, poll=0.25, timeout=60)


def cancel_all(folder: Path, pipe: int, parts_class: type[ProcessParts] = ProcessParts) -> None:
    """Be somebody who wants every job to stop."""
    mine = parts_class(folder, pipe)
    for job in mine.repository.list(JobQuery(status=OPEN_STATUSES)):
        mine.generation.cancel(job.job_id)


def recover_all(
    folder: Path, pipe: int, bound_s: float = 120.0, parts_class: type[ProcessParts] = ProcessParts
) -> None:
    """Be the next use: recover until every job is over.

    Raises:
        TimeoutError: when one is not.
    """
    mine = parts_class(folder, pipe)
    deadline = time.monotonic() + bound_s
    while mine.open_jobs():
        if time.monotonic() > deadline:
            raise TimeoutError([str(error) for error in mine.troubles[-5:]])
        mine.generation.recover()
        time.sleep(0.1)


def recover_once(folder: Path, pipe: int, parts_class: type[ProcessParts] = ProcessParts) -> None:
    """Be somebody who looks at all jobs, once."""
    parts_class(folder, pipe).generation.recover()


def work(folder: Path, pipe: int, queue: str, on_worker: Callable[[Worker], None]) -> None:
    """Be a worker, as ``tiomagic.worker`` is one."""
    mine = ProcessParts(folder, pipe)
    worker = Worker(
        queue,
        background=mine.background,
        repository=mine.repository,
        generation=mine.generation,
        slots=lambda: [queue],
        leave=lambda: os._exit(70),
        on_trouble=mine.troubles.append,
        limits=WorkerLimits(idle_s=0.5, poll_s=0.05, cancel_timeout_s=5.0),
    )
    on_worker(worker)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_S):
            worker.send_heartbeat()

    threading.Thread(target=beat, daemon=True).start()
    try:
        worker.run()
    finally:
        done.set()
