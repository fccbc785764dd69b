"""The workers that the coordinator knows, and which one a job gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tiomagic_ray.placement import CPUS_BESIDE_GPU, Placement


@dataclass(kw_only=True)
class KnownWorker:
    """A worker, or one that Ray was asked for."""

    name: str
    handle: Any
    placement: Placement
    is_alive: bool = False
    """False while Ray looks for a place."""
    node: str | None = None
    host: str = ""
    model: str | None = None
    """The model that it has loaded."""
    job_id: str | None = None
    """The job that it was given."""
    idle_since: float = 0.0
    idle_s: float

    @property
    def is_free(self) -> bool:
        """True when it can be given a job."""
        return self.is_alive and self.job_id is None


class WorkerTable:
    """The workers by name."""

    def __init__(self) -> None:
        self._workers: dict[str, KnownWorker] = {}

    def __iter__(self) -> Iterator[KnownWorker]:
        return iter(list(self._workers.values()))

    def __len__(self) -> int:
        return len(self._workers)

    def add(self, worker: KnownWorker) -> None:
        """Take a worker."""
        self._workers[worker.name] = worker

    def find(self, name: str | None) -> KnownWorker | None:
        """Return a worker by its name."""
        return None if name is None else self._workers.get(name)

    def remove(self, name: str) -> KnownWorker | None:
        """Forget a worker."""
        return self._workers.pop(name, None)

    def choose(self, placement: Placement, model: str, *, any_model: bool) -> KnownWorker | None:
        """Return a free worker for a job: one that has the model loaded, else one that has none.

        Args:
            placement: What the job asks for.
            model: The job's model.
            any_model: True to take one with another model, which it then drops.
        """
        free = [w for w in self if w.is_free and w.placement == placement]
        free.sort(key=lambda worker: worker.idle_since)
        for wanted in (model, None):
            for worker in free:
                if worker.model == wanted:
                    return worker
        return free[0] if free and any_model else None

    def count(self, placement: Placement) -> tuple[int, int]:
        """Return how many are free, and how many Ray has found no place for yet."""
        there = [worker for worker in self if worker.placement == placement]
        return sum(w.is_free for w in there), sum(not w.is_alive for w in there)

    def pending(self, placement: Placement) -> list[KnownWorker]:
        """Return those that Ray has found no place for yet."""
        return [w for w in self if not w.is_alive and w.placement == placement]

    def idle_too_long(self, now: float) -> list[KnownWorker]:
        """Return the free ones whose time is up."""
        return [w for w in self if w.is_free and now - w.idle_since > w.idle_s]

    def in_the_way(self, room: Mapping[str, Mapping[str, float]]) -> list[KnownWorker]:
        """Return the free ones that have to end before a pending one of another kind has a place.

        They are those of one machine: of the one where the fewest have to, and of these those that
        were free for the longest. Empty where there is room already, and where the end of all would
        not make enough on any machine.

        Args:
            room: The resources that are free, by Ray's names, on each node.
        """
        for placement in {worker.placement for worker in self if not worker.is_alive}:
            if placement.fits_into(room.values()):
                continue
            found = [self._make_place(placement, node, free) for node, free in room.items()]
            found = [ended for ended in found if ended]
            if found:
                return min(found, key=lambda ended: (len(ended), ended[-1].idle_since))
        return []

    def _make_place(
        self, placement: Placement, node: str, free: Mapping[str, float]
    ) -> list[KnownWorker]:
        """Return those that have to end on a node; empty where that is not enough."""
        there = [w for w in self if w.is_free and w.node == node and w.placement != placement]
        there.sort(key=lambda worker: worker.idle_since)
        ended: list[KnownWorker] = []
        while not placement.count_places(_add(free, ended)):
            if len(ended) == len(there):
                return []
            ended = there[: len(ended) + 1]
        # One that gives no more than a CPU makes no room for GPUs.
        for worker in ended[-2::-1]:
            others = [one for one in ended if one is not worker]
            if placement.count_places(_add(free, others)):
                ended = others
        return ended

    def surplus(self, waiting: Iterable[Placement]) -> list[KnownWorker]:
        """Return the pending ones that no waiting job needs any more."""
        wanted = list(waiting)
        placements = {worker.placement for worker in self}
        return [
            worker
            for placement in placements
            for worker in self.pending(placement)[wanted.count(placement) :]
        ]


def _add(free: Mapping[str, float], ended: Iterable[KnownWorker]) -> Mapping[str, float]:
    """Return what is free on a machine once some of its workers have ended."""
    there = Counter(free)
    for worker in ended:
        there.update({"CPU": CPUS_BESIDE_GPU, "GPU": worker.placement.gpus})
    return there
