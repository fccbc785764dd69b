"""The actor that has the cluster's jobs: it answers callers and workers, and keeps what is made."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import ray
from tiomagic_domain import __version__
from tiomagic_domain.codes import ErrorCode
from tiomagic_ray.cluster.actors import failure
from tiomagic_ray.cluster.dispatcher import Dispatcher
from tiomagic_ray.cluster.job_records import (
    DONE,
    RUNNING,
    WAITING,
    JobRecord,
    JobRecords,
    find_folder,
)
from tiomagic_ray.cluster.job_table import JobTable
from tiomagic_ray.cluster.previews import Previews
from tiomagic_ray.constants import PROTOCOL_VERSION


class Coordinator:
    """Has the jobs of a cluster. All methods run in one thread, and none waits long."""

    def __init__(self) -> None:
        folder = find_folder(ray.get_runtime_context().gcs_address)
        self._records = JobRecords(Path(folder))
        self._previews = Previews()
        self._jobs = JobTable(self._records, self._previews.remove)
        self._dispatcher = Dispatcher(self._jobs)

    # What callers ask.

    async def describe(self) -> dict[str, Any]:
        """Return the cluster's name, versions, workers, and how many jobs there are."""
        self._dispatcher.wake()
        return {
            "cluster": self._records.cluster,
            "protocol": PROTOCOL_VERSION,
            "tiomagic": __version__,
            "ray": ray.__version__,
            "python": platform.python_version(),
            "jobs": self._jobs.count_states(),
            "sent": dict(self._records.sent),
            "workers": [
                {
                    "name": worker.name,
                    "host": worker.host,
                    "node": worker.node,
                    "model": worker.model,
                    "job_id": worker.job_id,
                    "gpus": worker.placement.gpus,
                    "is_alive": worker.is_alive,
                }
                for worker in self._dispatcher.workers
            ],
        }

    async def find_missing(self, digests: list[str]) -> list[str]:
        """Return those inputs that have to be sent."""
        return self._records.find_missing(digests)

    async def write_input(
        self, digest: str, upload: str, offset: int, data: bytes, *, ends: bool
    ) -> None:
        """Take a piece of an input."""
        self._records.write_input(digest, upload, offset, data, ends=ends)

    async def submit(self, order: dict[str, Any]) -> dict[str, Any]:
        """Take a job, unless it is known; return what is known of it.

        Args:
            order: ``task``, ``placement``, ``idle_s`` and ``retry``.
        """
        self._dispatcher.wake()
        job_id = order["task"]["job"]["job_id"]
        record = self._jobs.find(job_id)
        if record is None:
            record = JobRecord(job_id=job_id, submitted_at=time.time(), **order)
            self._jobs.add(record)
            self._dispatcher.dispatch()
        return self._say(record)

    async def look(self, job_id: str) -> dict[str, Any] | None:
        """Return what is known of a job; None when it was never sent here."""
        self._dispatcher.wake()
        record = self._jobs.find(job_id)
        return None if record is None else self._say(record)

    async def cancel(self, job_id: str, *, as_lost: bool = False) -> dict[str, Any]:
        """Have a job stop; one that is not known never starts here any more.

        Args:
            job_id: The job.
            as_lost: True to say that it was lost, not canceled, if it is not known.
        """
        self._dispatcher.wake()
        record = self._jobs.find(job_id)
        if record is None:
            outcome = failure("the job was never sent to the cluster", ErrorCode.LOST)
            outcome = outcome if as_lost else {"status": "canceled", "message": "withdrawn"}
            record = JobRecord(job_id=job_id, task=None, placement=[], idle_s=0.0)
            self._jobs.end(record, outcome)
        elif record.state != DONE and not as_lost:
            record.is_canceled = True
            if record.state == WAITING:
                self._jobs.end(
                    record, {"status": "canceled", "message": "canceled before it began"}
                )
            else:
                self._jobs.save(record)
        return self._say(record)

    async def read_result(self, job_id: str, offset: int) -> bytes:
        """Return a piece of a finished video."""
        return self._records.read_result(job_id, offset)

    async def preview(self, job_id: str) -> tuple[bytes, str]:
        """Return the newest preview of a job, or why there is none; its run draws more."""
        return self._previews.ask(job_id)

    async def end_idle_workers(self) -> None:
        """Have the workers leave that have no job: their places are wanted."""
        self._dispatcher.wake()
        for worker in self._dispatcher.workers:
            if worker.is_free:
                worker.idle_s = 0.0

    def _say(self, record: JobRecord) -> dict[str, Any]:
        is_waiting = record.state == WAITING
        waiting = [one.job_id for one in self._jobs.waiting()] if is_waiting else []
        worker = self._dispatcher.workers.find(record.worker)
        return {
            "cluster": self._records.cluster,
            "job_id": record.job_id,
            "state": record.state,
            "position": waiting.index(record.job_id) if is_waiting else None,
            "is_canceled": record.is_canceled,
            "progress": record.progress,
            "logs": record.logs,
            "outcome": record.outcome,
            "host": None if worker is None else worker.host,
            "lost": record.lost,
        }

    # What workers say.

    async def hello(self, said: dict[str, Any]) -> dict[str, Any]:
        """Hear that a worker lives, what it runs and how far that is; return what it is to do.

        A worker that is not known belongs to a coordinator before this one.
        """
        self._dispatcher.wake()
        worker = self._dispatcher.workers.find(said["name"])
        if worker is None:
            worker = self._dispatcher.adopt(said)
        worker.model = said["model"]
        answer = {"cancel": False, "preview": False}
        record = self._jobs.find(said["job_id"])
        if record is not None and record.attempt == said["attempt"] and record.state == RUNNING:
            self._dispatcher.claim(record)
            record.progress, record.logs = said["progress"], said["logs"]
            self._previews.take(record.job_id, *said["preview"])
            answer["preview"] = self._previews.is_wanted(record.job_id)
            answer["cancel"] = record.is_canceled
        else:
            answer["cancel"] = said["job_id"] is not None
        return answer

    async def read_input(self, digest: str, offset: int) -> bytes:
        """Return a piece of an input."""
        return self._records.read_input(digest, offset)

    async def write_result(self, job_id: str, attempt: str, offset: int, data: bytes) -> bool:
        """Take a piece of a video; False when this run of the job is no longer wanted."""
        record = self._jobs.find(job_id)
        if record is None or record.attempt != attempt:
            return False
        self._records.write_result(job_id, attempt, offset, data)
        return True

    async def finish(self, worker: str, job_id: str, attempt: str, outcome: dict[str, Any]) -> None:
        """Take the end of a run; that of a run which was given up is not heard."""
        known = self._dispatcher.workers.find(worker)
        if known is not None and known.job_id == job_id:
            self._dispatcher.release(known)
        record = self._jobs.find(job_id)
        if record is None or record.attempt != attempt or record.state != RUNNING:
            return
        if outcome["status"] == "completed" and "shared" not in outcome:
            self._records.keep_result(job_id, attempt, outcome["sha256"])
        record.logs = outcome.pop("logs", record.logs)
        self._jobs.end(record, outcome)
        self._dispatcher.dispatch()
