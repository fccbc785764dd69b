"""Finds and makes the coordinator; makes workers. Ray places both by its resources."""

from __future__ import annotations

from typing import Any, Final

import ray
from tiomagic_ray.constants import COORDINATOR_NAME, NAMESPACE
from tiomagic_ray.placement import Placement

ON_THE_HEAD: Final = {"node:__internal_head__": 0.001}
"""Ray's own resource of the head's node: the coordinator's folder is there."""
CALLS_AT_ONCE: Final = 8
"""Threads of a worker: one waits for the end of its life, the others answer."""


def find_coordinator() -> Any:
    """Return the coordinator of the cluster, made if there is none. One at most: Ray sees to it."""
    from tiomagic_ray.cluster.coordinator import Coordinator  # noqa: PLC0415  It makes workers.

    made = ray.remote(Coordinator).options(
        name=COORDINATOR_NAME,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        # It comes back by itself, with what is in its folder.
        max_restarts=-1,
        num_cpus=0,
        resources=ON_THE_HEAD,
    )
    return made.remote()


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
