"""The actor that has the cluster's jobs: it gives each to a worker, and keeps what is made.

Ray finds the places: for each waiting job that no free worker can take there is one actor that Ray
was asked for, so that its scheduler sees what is wanted, and its autoscaler adds nodes for it. A
job goes to whichever comes first, its own new worker or one that has become free.

Each run of a job has a name of its own, an *attempt*, which a worker *claims* when it says that it
has it. A worker that the coordinator has given up is not heard any more, and goes no further when
it has heard nothing for `LEASH_S`; a job of a node that vanished begins again only after that. So
it never runs twice at once. An attempt that was not claimed uses up no retry, a few times.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import time
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import ray.exceptions

import ray
from tiomagic_domain import __version__
from tiomagic_domain.codes import ErrorCode
from tiomagic_ray.cluster.actors import (
    explain_no_worker,
    failure,
    find_worker,
    insist,
    is_node_gone,
    is_own_fault,
    list_workers,
    start_worker,
)
from tiomagic_ray.cluster.job_records import (
    DONE,
    FREE_ATTEMPTS,
    RUNNING,
    WAITING,
    JobRecord,
    JobRecords,
    find_folder,
    sweep_shared_folders,
)
from tiomagic_ray.cluster.previews import Previews
from tiomagic_ray.cluster.worker_table import KnownWorker, WorkerTable
from tiomagic_ray.constants import LEASH_S, PROTOCOL_VERSION, WORKER_PREFIX
from tiomagic_ray.placement import Placement

TICK_S: Final = 1.0
ROOM_AFTER_S: Final = 10.0
"""Seconds in which Ray gives a place that was made to the worker that waits for it."""
DESCRIBE_S: Final = 10.0
"""How long a worker of a coordinator before this one may take to say what it is."""
GONE_S: Final = LEASH_S + TICK_S
"""After this a worker that cannot be seen has stopped, wherever it is."""
SWEEP_S: Final = 3600.0
LOST: Final = "the worker that ran the job was lost"


class Coordinator:
    """Has the jobs of a cluster. All methods run in one thread, and none waits long."""

    def __init__(self) -> None:
        folder = find_folder(ray.get_runtime_context().gcs_address)
        self._records = JobRecords(Path(folder))
        self._jobs = {record.job_id: record for record in self._records.load()}
        # Those that are not over: of a week's jobs, few.
        self._open = {one.job_id: one for one in self._jobs.values() if one.state != DONE}
        self._workers = WorkerTable()
        self._previews = Previews()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._unseen: set[str] = set()
        self._swept = 0.0
        self._made_room_at = 0.0
        self._room: dict[str, float] = {}

    # What callers ask.

    async def describe(self) -> dict[str, Any]:
        """Return the cluster's name, versions, workers, and how many jobs there are."""
        self._wake()
        states = [record.state for record in self._jobs.values()]
        return {
            "cluster": self._records.cluster,
            "protocol": PROTOCOL_VERSION,
            "tiomagic": __version__,
            "ray": ray.__version__,
            "python": platform.python_version(),
            "jobs": {state: states.count(state) for state in (WAITING, RUNNING, DONE)},
            "sent": dict(self._records.sent),
            "workers": [
                {
                    "name": worker.name,
                    "host": worker.host,
                    "model": worker.model,
                    "job_id": worker.job_id,
                    "gpus": worker.placement.gpus,
                    "is_alive": worker.is_alive,
                }
                for worker in self._workers
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
        self._wake()
        job_id = order["task"]["job"]["job_id"]
        if job_id not in self._jobs:
            record = JobRecord(job_id=job_id, submitted_at=time.time(), **order)
            # On the disk before it is confirmed: what was confirmed is never lost.
            self._records.save(record)
            self._jobs[job_id] = self._open[job_id] = record
            self._dispatch()
        return self._say(self._jobs[job_id])

    async def look(self, job_id: str) -> dict[str, Any] | None:
        """Return what is known of a job; None when it was never sent here."""
        self._wake()
        record = self._jobs.get(job_id)
        return None if record is None else self._say(record)

    async def cancel(self, job_id: str, *, as_lost: bool = False) -> dict[str, Any]:
        """Have a job stop; one that is not known never starts here any more.

        Args:
            job_id: The job.
            as_lost: True to say that it was lost, not canceled, if it is not known.
        """
        self._wake()
        record = self._jobs.get(job_id)
        if record is None:
            outcome = failure("the job was never sent to the cluster", ErrorCode.LOST)
            outcome = outcome if as_lost else {"status": "canceled", "message": "withdrawn"}
            record = JobRecord(job_id=job_id, task=None, placement=[], idle_s=0.0)
            self._jobs[job_id] = record
            self._end(record, outcome)
        elif record.state != DONE and not as_lost:
            record.is_canceled = True
            if record.state == WAITING:
                self._end(record, {"status": "canceled", "message": "canceled before it began"})
            else:
                self._records.save(record)
        return self._say(record)

    async def read_result(self, job_id: str, offset: int) -> bytes:
        """Return a piece of a finished video."""
        return self._records.read_result(job_id, offset)

    async def preview(self, job_id: str) -> tuple[bytes, str]:
        """Return the newest preview of a job, or why there is none; its run draws more."""
        return self._previews.ask(job_id)

    async def end_idle_workers(self) -> None:
        """Have the workers leave that have no job: their places are wanted."""
        self._wake()
        for worker in self._workers:
            if worker.is_free:
                worker.idle_s = 0.0

    def _say(self, record: JobRecord) -> dict[str, Any]:
        is_waiting = record.state == WAITING
        waiting = [one.job_id for one in self._waiting()] if is_waiting else []
        worker = self._workers.find(record.worker)
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
        self._wake()
        worker = self._workers.find(said["name"])
        if worker is None:
            worker = self._adopt(said)
        worker.model = said["model"]
        answer = {"cancel": False, "preview": False}
        record = self._jobs.get(said["job_id"] or "")
        if record is not None and record.attempt == said["attempt"] and record.state == RUNNING:
            self._claim(record)
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
        record = self._jobs.get(job_id)
        if record is None or record.attempt != attempt:
            return False
        self._records.write_result(job_id, attempt, offset, data)
        return True

    async def finish(self, worker: str, job_id: str, attempt: str, outcome: dict[str, Any]) -> None:
        """Take the end of a run; that of a run which was given up is not heard."""
        known = self._workers.find(worker)
        if known is not None and known.job_id == job_id:
            self._release(known)
        record = self._jobs.get(job_id)
        if record is None or record.attempt != attempt or record.state != RUNNING:
            return
        if outcome["status"] == "completed" and "shared" not in outcome:
            self._records.keep_result(job_id, attempt, outcome["sha256"])
        record.logs = outcome.pop("logs", record.logs)
        self._end(record, outcome)
        self._dispatch()

    # How jobs come to workers.

    def _wake(self) -> None:
        """Begin the regular work, in the loop that serves the calls."""
        if self._ticking is None:
            self._adopt_all()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())

    def _adopt_all(self) -> None:
        """Take over the workers of a coordinator before this one, and the runs that it began."""
        there = list_workers()
        for record in [one for one in self._jobs.values() if one.state == RUNNING]:
            assert record.task is not None, "a job that runs has not lost what it is"
            known: dict[str, Any] = {"name": record.worker, "job_id": record.job_id}
            known |= {"placement": record.placement, "idle_s": record.idle_s}
            known["model"] = record.task["job"]["model"]
            # ValueError: Ray knows no such actor any more.
            with contextlib.suppress(ValueError):
                worker = self._adopt(known)
                # The call that began it may not have been made.
                self._spawn(self._hand_over(record, worker, record.attempt))
        for name in there:
            if self._workers.find(name) is None:
                self._spawn(self._adopt_idle(name))

    async def _adopt_idle(self, name: str) -> None:
        """Take over a worker that runs nothing; end one that has not come to life yet."""
        try:
            handle = find_worker(name)
            about = await asyncio.wait_for(handle.describe.remote(), DESCRIBE_S)
        except TimeoutError:
            ray.kill(handle)
        except (ValueError, ray.exceptions.RayError):
            return
        else:
            if self._workers.find(name) is None:
                self._adopt({**about, "job_id": None})

    def _give_up_unseen(self) -> None:
        """Give up, after a while, the runs whose worker cannot be seen."""
        for record in self._open.values():
            is_away = record.state == RUNNING and self._workers.find(record.worker) is None
            if is_away and record.attempt is not None and record.attempt not in self._unseen:
                self._unseen.add(record.attempt)
                self._spawn(self._lose_unseen(record, record.attempt))

    async def _lose_unseen(self, record: JobRecord, attempt: str) -> None:
        await asyncio.sleep(GONE_S)
        self._unseen.discard(attempt)
        # It may have said in the meantime that it has the run after all.
        if self._workers.find(record.worker) is None:
            self._lose(record, attempt)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self._room = await asyncio.to_thread(ray.available_resources)
            self._give_up_unseen()
            self._dispatch()
            ended = [
                *self._workers.idle_too_long(now),
                *self._workers.surplus(self._wanted()),
                *self._make_room(now),
            ]
            for worker in ended:
                self._workers.remove(worker.name)
                # Through Ray's head, so that it ends wherever it is; it has no job.
                ray.kill(worker.handle)
            if now - self._swept > SWEEP_S:
                self._swept = now
                for job_id in self._records.sweep():
                    self._jobs.pop(job_id, None)
                await asyncio.to_thread(sweep_shared_folders, list(self._jobs.values()))

    def _make_room(self, now: float) -> list[KnownWorker]:
        """Return idle workers that keep a waiting job of another kind from its place."""
        if now - self._made_room_at < ROOM_AFTER_S:
            return []
        found = self._workers.in_the_way(self._room)
        if found:
            self._made_room_at = now
        return found

    def _waiting(self) -> list[JobRecord]:
        return [record for record in self._open.values() if record.state == WAITING]

    def _wanted(self) -> list[Placement]:
        return [Placement(*record.placement) for record in self._waiting()]

    def _dispatch(self) -> None:
        """Give waiting jobs, oldest first, to free workers, and ask Ray for those that lack."""
        by_placement: dict[Placement, list[JobRecord]] = {}
        for record in self._waiting():
            by_placement.setdefault(Placement(*record.placement), []).append(record)
        for placement, waiting in by_placement.items():
            self._dispatch_to(placement, waiting)

    def _dispatch_to(self, placement: Placement, waiting: list[JobRecord]) -> None:
        # Counted once for all: with 1,000 workers and jobs, each job would look at each worker.
        free, pending = self._workers.count(placement)
        asked = 0
        for record in waiting:
            assert record.task is not None, "a job that waits has not lost what it is"
            model, worker = record.task["job"]["model"], None
            if free:
                # With room for one more a new worker is better than one that has to drop its model.
                full = not placement.fits_into(self._room, pending + 1)
                worker = self._workers.choose(placement, model, any_model=full)
            if worker is not None:
                free -= 1
                self._assign(record, worker)
                continue
            asked += 1
            if pending < asked:
                pending += 1
                self._ask_for_worker(placement, record.idle_s)

    def _ask_for_worker(self, placement: Placement, idle_s: float) -> None:
        name = f"{WORKER_PREFIX}{uuid.uuid4().hex[:8]}"
        handle = start_worker(name, placement, idle_s)
        worker = KnownWorker(name=name, handle=handle, placement=placement, idle_s=idle_s)
        self._workers.add(worker)
        self._spawn(self._follow(worker))

    def _adopt(self, said: dict[str, Any]) -> KnownWorker:
        placement = Placement(*said["placement"])
        handle, idle_s = find_worker(said["name"]), said["idle_s"]
        worker = KnownWorker(name=said["name"], handle=handle, placement=placement, idle_s=idle_s)
        # It is no longer one that Ray was asked for, which is called off when no job needs it.
        worker.is_alive, worker.idle_since = True, time.monotonic()
        worker.job_id, worker.model = said["job_id"], said["model"]
        self._workers.add(worker)
        self._spawn(self._follow(worker))
        return worker

    async def _follow(self, worker: KnownWorker) -> None:
        """Wait until a worker lives, then until it does not."""
        error: Exception | None = None
        try:
            about = await insist(worker.handle.describe)
            worker.node, worker.host, worker.is_alive = about["node"], about["host"], True
            worker.idle_since = time.monotonic()
            self._dispatch()
            await insist(worker.handle.live)
        except ray.exceptions.RayError as caught:
            error = caught
        if self._workers.remove(worker.name) is None:
            return  # It was called off.
        record = self._jobs.get(worker.job_id or "")
        if record is not None and record.worker == worker.name:
            attempt = record.attempt
            # On a node that is gone it is cut off, and perhaps not dead: see `_give_up_unseen`.
            if not await asyncio.to_thread(is_node_gone, worker.node):
                self._lose(record, attempt)
        elif not worker.is_alive and error is not None:
            self._refuse_one(worker.placement, error)

    def _refuse_one(self, placement: Placement, error: Exception) -> None:
        """Fail the job for which a worker could not be made; one that was killed is replaced."""
        for record in self._waiting():
            if Placement(*record.placement) == placement:
                if is_own_fault(error) or record.unclaimed >= FREE_ATTEMPTS:
                    self._end(record, explain_no_worker(error))
                else:
                    record.unclaimed += 1
                    self._records.save(record)
                    self._dispatch()
                return

    def _assign(self, record: JobRecord, worker: KnownWorker) -> None:
        record.begin_attempt(worker.name)
        worker.job_id, worker.idle_s = record.job_id, record.idle_s
        assert record.task is not None, "a job that waits has not lost what it is"
        worker.model = record.task["job"]["model"]
        # On the disk before the worker has it: a later coordinator does not begin it again.
        self._records.save(record)
        self._spawn(self._hand_over(record, worker, record.attempt))

    async def _hand_over(self, record: JobRecord, worker: KnownWorker, attempt: str | None) -> None:
        """Give a job to its worker, again until one has said that it has it.

        A call may be lost on its way, or its answer; to a worker the attempt says which it is.
        """
        while record.state == RUNNING and record.attempt == attempt:
            try:
                if await worker.handle.run.remote(record.task, attempt):
                    if record.state == RUNNING and record.attempt == attempt:
                        self._claim(record)
                    return
            except ray.exceptions.ActorUnavailableError:
                pass
            except ray.exceptions.RayActorError:
                return  # `_follow` deals with it.
            except ray.exceptions.RayError:
                self._release(worker)
                self._lose(record, attempt)
                return
            await asyncio.sleep(TICK_S)

    def _claim(self, record: JobRecord) -> None:
        """Note that a worker has the attempt."""
        if not record.claimed:
            record.claimed = True
            self._records.save(record)

    def _lose(self, record: JobRecord, attempt: str | None) -> None:
        """Let a job whose worker was lost wait again, or fail it."""
        if record.state != RUNNING or record.attempt != attempt:
            return
        may_run_again = record.lose_attempt()
        if record.is_canceled:
            self._end(record, {"status": "canceled", "message": "canceled; its worker was gone"})
        elif may_run_again:
            self._records.save(record)
            self._dispatch()
        else:
            self._end(record, failure(LOST, ErrorCode.WORKER_LOST))

    def _release(self, worker: KnownWorker) -> None:
        worker.job_id = None
        worker.idle_since = time.monotonic()

    def _end(self, record: JobRecord, outcome: dict[str, Any]) -> None:
        record.state, record.outcome, record.task = DONE, outcome, None
        record.attempt = record.progress = None
        self._open.pop(record.job_id, None)
        self._previews.remove(record.job_id)
        self._records.save(record)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # The loop itself keeps no task alive.
        task.add_done_callback(self._tasks.discard)
