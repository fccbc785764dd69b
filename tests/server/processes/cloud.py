"""A provider of another package whose runs are files, so that every process sees the same ones.

A run is a file with the name of its job; its age says how far it is. Every submission leaves a line
in a journal, so that a run that was sent twice is seen. The provider has no state in memory: the
server may be killed at any time.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.plugins import ProviderPlugin
from tiomagic_domain.ports.provider import Capabilities, Observer, ProviderBase, Report, Request
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing.tiny_mp4 import MP4

ENTRY = "tests.server.processes.cloud:PLUGIN"
FOLDER_VARIABLE = "TEST_CLOUD_FOLDER"
SECONDS_VARIABLE = "TEST_CLOUD_SECONDS"
DELAY_VARIABLE = "TEST_CLOUD_DELAY"
"""Seconds that a submission takes; 0 without it."""
MODEL = "wan2.1-vace-14b"
SENT_WITHIN = timedelta(seconds=60)
"""A job that has no run yet may be on its way for so long."""
STEPS = 10


@dataclass(frozen=True, slots=True)
class CloudRuns:
    """The runs in a folder."""

    folder: Path
    seconds: float = 1.0
    """How long a run takes; it waits for a third of that."""
    delay_s: float = 0.0
    """How long it takes to start one."""

    def start(self, job_id: str) -> None:
        """Start a run unless it is there already, and note that it was asked for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "asked").open("a") as asked:
            asked.write(f"{job_id}\n")
        time.sleep(self.delay_s)
        with (self.folder / "journal").open("a") as journal:
            journal.write(f"{job_id}\n")
        with suppress(FileExistsError):
            (self.folder / job_id).touch(exist_ok=False)

    def age_s(self, job_id: str) -> float | None:
        """Return how old a run is; None for no run."""
        try:
            return time.time() - (self.folder / job_id).stat().st_mtime
        except FileNotFoundError:
            return None

    def stop(self, job_id: str) -> None:
        """Cancel a run."""
        (self.folder / f"{job_id}.canceled").touch()

    def finish(self, job_id: str) -> None:
        """Let a run be over now."""
        os.utime(self.folder / job_id, (0, 0))

    def is_stopped(self, job_id: str) -> bool:
        """Return whether a run was canceled."""
        return (self.folder / f"{job_id}.canceled").exists()

    def sent(self) -> Counter[str]:
        """Return how often each job was sent."""
        return Counter(self._read("journal"))

    def asked(self) -> set[str]:
        """Return the jobs whose submissions have begun."""
        return set(self._read("asked"))

    def _read(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().split() if file.exists() else []


class CloudProvider(ProviderBase):
    """Runs jobs that no process of this machine holds."""

    def __init__(self, runs: CloudRuns, spool: Path) -> None:
        self._runs = runs
        self._spool = spool

    @property
    def name(self) -> str:
        """The provider's name."""
        return "cloud"

    def capabilities(self) -> Capabilities:
        """Return what it can."""
        return Capabilities(default_model=MODEL, blocking=False)

    def check(self, request: Request) -> None:
        """Take everything."""

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a run, unless there is one: a process may have died after it was started."""
        if self._runs.age_s(request.job.job_id) is None:
            self._runs.start(request.job.job_id)
        return Report(status=JobStatus.QUEUED, call_id=request.job.job_id)

    def poll(self, job: Job) -> Report:
        """Say how far the run is."""
        age = self._runs.age_s(job.job_id)
        if age is None:
            if datetime.now(UTC) - job.creation_time < SENT_WITHIN:
                return Report(status=JobStatus.QUEUED)
            return Report(status=JobStatus.FAILED, error="there is no run", error_code="lost")
        known: dict[str, Any] = {"call_id": job.job_id}
        if self._runs.is_stopped(job.job_id):
            return Report(status=JobStatus.CANCELED, **known)
        done = age / self._runs.seconds
        if done < 1 / 3:
            return Report(status=JobStatus.QUEUED, **known)
        if done < 1:
            step = int(done * STEPS)
            progress = Progress(phase=Phase.DENOISING, step=step, steps=STEPS)
            return Report(status=JobStatus.RUNNING, progress=progress, **known)
        return Report(status=JobStatus.COMPLETED, video=self._fetch(job), **known)

    def cancel(self, job: Job) -> Report:
        """Stop the run; the next poll says so."""
        self._runs.stop(job.job_id)
        return Report(status=JobStatus.CANCELING, call_id=job.job_id)

    def _fetch(self, job: Job) -> VideoFile:
        self._spool.mkdir(parents=True, exist_ok=True)
        path = self._spool / f"{job.job_id}-{uuid.uuid4().hex}.mp4"
        path.write_bytes(MP4)
        return VideoFile(path=path, recipe=build_recipe(job, versions={}, facts={}))


class CloudPlugin(ProviderPlugin):
    """What the entry point names."""

    def build(self, settings: Any) -> CloudProvider:
        """Make the provider."""
        folder, seconds = os.environ[FOLDER_VARIABLE], os.environ[SECONDS_VARIABLE]
        delay = os.environ.get(DELAY_VARIABLE, "0")
        runs = CloudRuns(Path(folder), float(seconds), float(delay))
        return CloudProvider(runs, settings.spool_dir)

    def runs(self, card: ModelCard) -> bool:
        """Return whether it has a model."""
        return card.name == MODEL


PLUGIN = CloudPlugin()


def install(site: Path) -> None:
    """Make a folder look like one in which this provider is installed."""
    info = site / "cloud-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tiomagic.providers]\ncloud = {ENTRY}\n")
