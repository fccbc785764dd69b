"""Asks Ray for workers, which it places by what they ask for, and about those that it has."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any, Final

import ray.exceptions
from ray._private import state

import ray
from tiomagic_domain.codes import ErrorCode
from tiomagic_ray.constants import NAMESPACE, WORKER_PREFIX
from tiomagic_ray.placement import Placement

CALLS_AT_ONCE: Final = 8
"""Threads of a worker: one waits for the end of its life, the others answer."""
RETRY_S: Final = 1.0


def start_worker(name: str, placement: Placement, idle_s: float) -> Any:
    """Ask Ray for a new worker; it comes when there is a place for it.

    Args:
        name: The actor's.
        placement: What it needs.
        idle_s: How long it is kept without a job, for a coordinator after this one.
    """
    made = _worker_class().options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        # What it ran is decided by the coordinator, not begun again by Ray.
        max_restarts=0,
        max_concurrency=CALLS_AT_ONCE,
        **placement.actor_options(),
    )
    return made.remote(name, placement.to_list(), idle_s)


@functools.cache
def _worker_class() -> Any:
    """Return the class of workers as Ray's, made once: Ray disassembles and sends each anew."""
    from tiomagic_ray.cluster.worker import ClusterWorker  # noqa: PLC0415  Only where workers are made.

    return ray.remote(ClusterWorker)


def find_worker(name: str) -> Any:
    """Return the worker of a name.

    Raises:
        ValueError: when Ray knows none.
    """
    return ray.get_actor(name, NAMESPACE)


def list_workers() -> list[str]:
    """Return the names of all workers that Ray has, those without a place included."""
    named = ray.util.list_named_actors(all_namespaces=True)
    return [
        actor["name"]
        for actor in named
        if actor["namespace"] == NAMESPACE and actor["name"].startswith(WORKER_PREFIX)
    ]


async def insist(method: Any) -> Any:
    """Return the answer of a worker; ask again while it cannot be reached and is not dead."""
    while True:
        try:
            return await method.remote()
        except ray.exceptions.ActorUnavailableError:
            await asyncio.sleep(RETRY_S)


def find_room() -> dict[str, dict[str, float]]:
    """Return the resources that are free on each node, by Ray's names."""
    # Ray sums them for its users; its own server for models asks for them like this.
    return dict(state.available_resources_per_node())


def is_node_gone(node: str | None) -> bool:
    """Say whether Ray has declared a node dead, or cannot say."""
    with contextlib.suppress(ray.exceptions.RayError):
        return node not in {found["NodeID"] for found in ray.nodes() if found["Alive"]}
    return True


def failure(message: str, code: ErrorCode) -> dict[str, Any]:
    """Return the outcome of a job that failed."""
    return {"status": "failed", "message": message, "code": str(code)}


def is_own_fault(error: Exception) -> bool:
    """Say whether a worker could not begin by itself, and was not killed: the next could not."""
    return "creation task" in str(error) or not isinstance(error, ray.exceptions.ActorDiedError)


def explain_no_worker(error: Exception) -> dict[str, Any]:
    """Return the outcome of a job for which no worker could be made."""
    text = str(error)
    if "ModuleNotFoundError" in text or "No module named" in text:
        return failure(
            "a machine of the cluster lacks tiomagic: install the same version there, with the "
            f"extras local and ray ({_last_line(text)})",
            ErrorCode.NOT_INSTALLED_THERE,
        )
    return failure(f"no worker could be made: {_last_line(text)}", ErrorCode.WORKER)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given"
