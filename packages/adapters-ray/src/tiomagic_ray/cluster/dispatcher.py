"""Brings waiting jobs to workers, and decides what becomes of those whose worker was lost.

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
import time
import uuid
from collections.abc import Coroutine
from typing import Any, Final

import ray.exceptions

import ray
from tiomagic_domain.codes import ErrorCode
from tiomagic_ray.cluster.actors import (
    explain_no_worker,
    failure,
    find_room,
    find_worker,
    insist,
    is_node_gone,
    is_own_fault,
    list_workers,
    start_worker,
)
from tiomagic_ray.cluster.job_records import FREE_ATTEMPTS, RUNNING, JobRecord
from tiomagic_ray.cluster.job_table import JobTable
from tiomagic_ray.cluster.worker_table import KnownWorker, WorkerTable
from tiomagic_ray.constants import LEASH_S, WORKER_PREFIX
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


class Dispatcher:
    """Gives jobs to workers. All methods run in the coordinator's one thread; none waits long.

    Args:
        jobs: The jobs.

    Attributes:
        workers: Those that there are, and those that Ray was asked for.
    """

    def __init__(self, jobs: JobTable) -> None:
        self._jobs = jobs
        self.workers: Final = WorkerTable()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._unseen: set[str] = set()
        self._swept = 0.0
        self._made_room_at = 0.0
        self._room: dict[str, dict[str, float]] = {}

    def wake(self) -> None:
        """Begin the regular work, in the loop that serves the calls."""
        if self._ticking is None:
            self._adopt_all()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())

    def _adopt_all(self) -> None:
        """Take over the workers of a coordinator before this one, and the runs that it began."""
        there = list_workers()
        for record in self._jobs.running():
            assert record.task is not None, "a job that runs has not lost what it is"
            known: dict[str, Any] = {"name": record.worker, "job_id": record.job_id}
            known |= {"placement": record.placement, "idle_s": record.idle_s}
            known["model"] = record.task["job"]["model"]
            # ValueError: Ray knows no such actor any more.
            with contextlib.suppress(ValueError):
                worker = self.adopt(known)
                # The call that began it may not have been made.
                self._spawn(self._hand_over(record, worker, record.attempt))
        for name in there:
            if self.workers.find(name) is None:
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
            if self.workers.find(name) is None:
                self.adopt({**about, "job_id": None})

    def _give_up_unseen(self) -> None:
        """Give up, after a while, the runs whose worker cannot be seen."""
        for record in self._jobs.running():
            is_away = self.workers.find(record.worker) is None
            if is_away and record.attempt is not None and record.attempt not in self._unseen:
                self._unseen.add(record.attempt)
                self._spawn(self._lose_unseen(record, record.attempt))

    async def _lose_unseen(self, record: JobRecord, attempt: str) -> None:
        await asyncio.sleep(GONE_S)
        self._unseen.discard(attempt)
        # It may have said in the meantime that it has the run after all.
        if self.workers.find(record.worker) is None:
            self._lose(record, attempt)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self._room = await asyncio.to_thread(find_room)
            self._jobs.write_rest()
            self._give_up_unseen()
            self.dispatch()
            ended = [
                *self.workers.idle_too_long(now),
                *self.workers.surplus(self._wanted()),
                *self._make_room(now),
            ]
            for worker in ended:
                self.workers.remove(worker.name)
                # Through Ray's head, so that it ends wherever it is; it has no job.
                ray.kill(worker.handle)
            if now - self._swept > SWEEP_S:
                self._swept = now
                await self._jobs.sweep()

    def _make_room(self, now: float) -> list[KnownWorker]:
        """Return idle workers that keep a waiting job of another kind from its place."""
        if now - self._made_room_at < ROOM_AFTER_S:
            return []
        found = self.workers.in_the_way(self._room)
        if found:
            self._made_room_at = now
        return found

    def _wanted(self) -> list[Placement]:
        return [Placement(*record.placement) for record in self._jobs.waiting()]

    def dispatch(self) -> None:
        """Give waiting jobs, oldest first, to free workers, and ask Ray for those that lack."""
        by_placement: dict[Placement, list[JobRecord]] = {}
        for record in self._jobs.waiting():
            by_placement.setdefault(Placement(*record.placement), []).append(record)
        for placement, waiting in by_placement.items():
            self._dispatch_to(placement, waiting)

    def _dispatch_to(self, placement: Placement, waiting: list[JobRecord]) -> None:
        # Counted once for all: with 1,000 workers and jobs, each job would look at each worker.
        free, pending = self.workers.count(placement)
        asked = 0
        for record in waiting:
            assert record.task is not None, "a job that waits has not lost what it is"
            model, worker = record.task["job"]["model"], None
            if free:
                # With room for one more a new worker is better than one that has to drop its model.
                full = not placement.fits_into(self._room.values(), pending + 1)
                worker = self.workers.choose(placement, model, any_model=full)
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
        self.workers.add(worker)
        self._spawn(self._follow(worker))

    def adopt(self, said: dict[str, Any]) -> KnownWorker:
        """Take a worker that belongs to a coordinator before this one.

        Args:
            said: What it is and has.
        """
        placement = Placement(*said["placement"])
        handle, idle_s = find_worker(said["name"]), said["idle_s"]
        worker = KnownWorker(name=said["name"], handle=handle, placement=placement, idle_s=idle_s)
        # It is no longer one that Ray was asked for, which is called off when no job needs it.
        worker.is_alive, worker.idle_since = True, time.monotonic()
        worker.job_id, worker.model = said["job_id"], said["model"]
        self.workers.add(worker)
        self._spawn(self._follow(worker))
        return worker

    async def _follow(self, worker: KnownWorker) -> None:
        """Wait until a worker lives, then until it does not."""
        error: Exception | None = None
        try:
            about = await insist(worker.handle.describe)
            worker.node, worker.host, worker.is_alive = about["node"], about["host"], True
            worker.idle_since = time.monotonic()
            self.dispatch()
            await insist(worker.handle.live)
        except ray.exceptions.RayError as caught:
            error = caught
        if self.workers.remove(worker.name) is None:
            return  # It was called off.
        record = self._jobs.find(worker.job_id)
        if record is not None and record.worker == worker.name:
            attempt = record.attempt
            # On a node that is gone it is cut off, and perhaps not dead: see `_give_up_unseen`.
            if not await asyncio.to_thread(is_node_gone, worker.node):
                self._lose(record, attempt)
        elif not worker.is_alive and error is not None:
            self._refuse_one(worker.placement, error)

    def _refuse_one(self, placement: Placement, error: Exception) -> None:
        """Fail the job for which a worker could not be made; one that was killed is replaced."""
        for record in self._jobs.waiting():
            if Placement(*record.placement) == placement:
                if is_own_fault(error) or record.unclaimed >= FREE_ATTEMPTS:
                    self._jobs.end(record, explain_no_worker(error))
                else:
                    record.unclaimed += 1
                    self._jobs.save(record)
                    self.dispatch()
                return

    def _assign(self, record: JobRecord, worker: KnownWorker) -> None:
        if not self._jobs.begin(record, worker.name):
            return
        worker.job_id, worker.idle_s = record.job_id, record.idle_s
        assert record.task is not None, "a job that waits has not lost what it is"
        worker.model = record.task["job"]["model"]
        self._spawn(self._hand_over(record, worker, record.attempt))

    async def _hand_over(self, record: JobRecord, worker: KnownWorker, attempt: str | None) -> None:
        """Give a job to its worker, again until one has said that it has it.

        A call may be lost on its way, or its answer; to a worker the attempt says which it is.
        """
        while record.state == RUNNING and record.attempt == attempt:
            try:
                if await worker.handle.run.remote(record.task, attempt):
                    if record.state == RUNNING and record.attempt == attempt:
                        self.claim(record)
                    return
            except ray.exceptions.ActorUnavailableError:
                pass
            except ray.exceptions.RayActorError:
                return  # `_follow` deals with it.
            except ray.exceptions.RayError:
                self.release(worker)
                self._lose(record, attempt)
                return
            await asyncio.sleep(TICK_S)

    def claim(self, record: JobRecord) -> None:
        """Note that a worker has the attempt."""
        if not record.claimed:
            record.claimed = True
            self._jobs.save(record)

    def _lose(self, record: JobRecord, attempt: str | None) -> None:
        """Let a job whose worker was lost wait again, or fail it."""
        if record.state != RUNNING or record.attempt != attempt:
            return
        may_run_again = record.lose_attempt()
        if record.is_canceled:
            self._jobs.end(
                record, {"status": "canceled", "message": "canceled; its worker was gone"}
            )
        elif may_run_again:
            self._jobs.save(record)
            self.dispatch()
        else:
            self._jobs.end(record, failure(LOST, ErrorCode.WORKER_LOST))

    def release(self, worker: KnownWorker) -> None:
        """Have a worker free for the next job."""
        worker.job_id = None
        worker.idle_since = time.monotonic()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # The loop itself keeps no task alive.
        task.add_done_callback(self._tasks.discard)
