"""Asks Ray for workers; it places them by what they ask for."""

from __future__ import annotations

from typing import Any, Final

import ray
from tiomagic_ray.constants import NAMESPACE
from tiomagic_ray.placement import Placement

CALLS_AT_ONCE: Final = 8
"""Threads of a worker: one waits for the end of its life, the others answer."""


def start_worker(name: str, placement: Placement) -> Any:
    """Ask Ray for a new worker; it comes when there is a place for it."""
    from tiomagic_ray.cluster.worker import ClusterWorker  # noqa: PLC0415  Only where workers are made.

    made = ray.remote(ClusterWorker).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        # What it ran is decided by the coordinator, not begun again by Ray.
        max_restarts=0,
        max_concurrency=CALLS_AT_ONCE,
        **placement.actor_options(),
    )
    return made.remote(name, placement.to_list())
