"""The process beside the caller that is Ray's driver: ``python -m tiomagic_ray.cluster.driver``.

Ray ends a driver that has lost its cluster, prints into its output, and reads tokens from its
environment. In a process of its own it ends nothing of the caller's. It speaks over a pipe, takes a
request ``(number, name, arguments)`` and answers ``(number, is_fine, answer)``; when the pipe
closes, it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Final

import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import ray
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError
from tiomagic_domain.requests.wire import describe_error
from tiomagic_ray.cluster.actors import find_room
from tiomagic_ray.cluster.coordinator import Coordinator
from tiomagic_ray.cluster.head_watch import OTHER_HEAD, watch_head
from tiomagic_ray.cluster.node_tasks import fetch_weights, look_at_node, rehearse_here
from tiomagic_ray.constants import COORDINATOR_NAME, NAMESPACE
from tiomagic_ray.placement import Placement

CLIENT: Final = "ray://"
ON_THE_HEAD: Final = {"node:__internal_head__": 0.001}
"""Ray's own resource of the head's node: the coordinator's folder is there."""
REQUESTS_AT_ONCE: Final = 8
ANSWER_S: Final = 20.0
"""How long the coordinator may take for an answer, its start included where it has to be made."""
ASKED_OF_EACH: Final = {"look": look_at_node, "fetch_weights": fetch_weights}
ATTEMPTS: Final = 2
"""A call that the coordinator's own end cut off is made once more: it comes back by itself."""


class Driver:
    """Asks the cluster."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coordinator: Any = None

    def connect(self, address: str) -> dict[str, str]:
        """Connect to the cluster; return this side's versions."""
        _tell_refusals()
        ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level="error")
        # From outside of the cluster only the server for clients can be reached.
        is_outside = address.startswith(CLIENT)
        head = address if is_outside else str(ray.get_runtime_context().gcs_address)
        host, _, port = head.removeprefix(CLIENT).rpartition(":")
        watch_head((host.strip("[]"), int(port)), end)
        return {"ray": ray.__version__, "python": platform.python_version()}

    def nodes(self) -> list[dict[str, Any]]:
        """Return name and resources of each node that is alive."""
        return [
            {
                "node": node["NodeID"],
                "host": node["NodeManagerHostname"],
                "address": node["NodeManagerAddress"],
                "resources": dict(node["Resources"]),
            }
            for node in ray.nodes()
            if node["Alive"]
        ]

    def coordinator(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the coordinator, which is made if there is none.

        Raises:
            APIError: retryable, when it does not answer.
        """
        for attempt in range(1, ATTEMPTS + 1):
            handle = self._find()
            try:
                return ray.get(
                    getattr(handle, method).remote(*arguments, **named), timeout=ANSWER_S
                )
            except ray.exceptions.RayTaskError as error:
                cause = error.cause
                raise (cause if isinstance(cause, Exception) else error) from None
            except (ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError) as error:
                self._coordinator = None
                if attempt == ATTEMPTS:
                    raise _unanswered(str(error)) from None
            except (ray.exceptions.RayError, ConnectionError) as error:
                raise _unanswered(f"{type(error).__name__}: {error}") from None
        raise AssertionError("the last attempt returns or raises")

    def free(self) -> dict[str, float]:
        """Return the resources that are free in the whole cluster."""
        return dict(ray.available_resources())

    def free_on_each(self) -> list[dict[str, float]]:
        """Return the resources that are free on each machine."""
        return list(find_room().values())

    def ask_each(
        self, question: str, nodes: list[str], *arguments: Any, limit_s: float, **named: Any
    ) -> dict[str, Any]:
        """Ask several machines at once; return the answer of each, or its error.

        Args:
            question: One of `ASKED_OF_EACH`.
            nodes: Their ids.
            arguments: Of the question.
            limit_s: What has not answered after so long is an error.
            named: Of the question.
        """
        asked = ray.remote(ASKED_OF_EACH[question])
        calls = {}
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node, soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
            calls[node] = asked.options(**options).remote(*arguments, **named)
        if calls:
            ray.wait(list(calls.values()), num_returns=len(calls), timeout=limit_s)
        return {node: _take_answer(call, 0.0) for node, call in calls.items()}

    def rehearse(
        self, model: str, settings: dict[str, Any], placement: list[Any], *, limit_s: float
    ) -> dict[str, Any]:
        """Rehearse a model in a place that Ray finds; return it, or the error.

        Args:
            model: Its name.
            settings: Of the run that is meant.
            placement: What a job of it would ask for.
            limit_s: What has not ended after so long is ended.
        """
        place = Placement(*placement)
        asked = ray.remote(rehearse_here).options(max_retries=0, **place.actor_options())
        return _take_answer(asked.remote(model, settings, on_gpu=place.gpus > 0), limit_s)

    def _find(self) -> Any:
        with self._lock:
            if self._coordinator is None:
                self._coordinator = find_coordinator()
            return self._coordinator


def _tell_refusals() -> None:
    """Have a refused token printed at once, for the other side to read.

    To an address with ``ray://`` Ray tries for half a minute, and then says that nothing answers.
    """
    logger = logging.getLogger("ray.util.client.worker")
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: "Received when checking init" in record.msg)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def find_coordinator() -> Any:
    """Return the coordinator of the cluster, made if there is none. One at most: Ray sees to it."""
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


def _take_answer(call: Any, within_s: float) -> dict[str, Any]:
    """Return the answer of a task as ``answer``, or why there is none as ``error``."""
    try:
        return {"answer": ray.get(call, timeout=within_s)}
    except ray.exceptions.GetTimeoutError:
        ray.cancel(call, force=True)
        return {
            "error": {
                "kind": "APIError",
                "message": "no answer in time",
                "code": str(ErrorCode.UNREACHABLE),
            }
        }
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return {"error": describe_error(cause if isinstance(cause, Exception) else error)}
    except (ray.exceptions.RayError, ConnectionError) as error:
        return {"error": describe_error(error)}


def _unanswered(reason: str) -> APIError:
    lines = reason.strip().splitlines() or ["no reason given"]
    return APIError(
        f"the Ray cluster does not answer ({lines[0][:200]}); nothing is lost: the next check asks "
        "again",
        details={"reason": lines[0][:200]},
        code=ErrorCode.UNREACHABLE,
        retryable=True,
    )


def serve(pipe: Connection) -> None:
    """Answer requests until the pipe closes."""
    driver, sending = Driver(), threading.Lock()

    def answer(number: int, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        method: Callable[..., Any] = getattr(driver, name)
        try:
            said: Any = method(*arguments, **named)
            is_fine = True
        except Exception as error:  # noqa: BLE001  The other side decides what it means.
            if OTHER_HEAD in str(error):
                end()
            said, is_fine = {**describe_error(error), "retryable": is_retryable(error)}, False
        with sending, contextlib.suppress(OSError):
            pipe.send((number, is_fine, said))

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        while True:
            try:
                request = pipe.recv()
            except (EOFError, OSError):
                break
            if request[1] == "connect":
                answer(*request)  # Ray sets up its signals, which only the main thread may.
            else:
                pool.submit(answer, *request)
        pool.shutdown(wait=False, cancel_futures=True)


def is_retryable(error: Exception) -> bool:
    """Say whether the same request may be answered later."""
    return isinstance(error, APIError) and error.retryable


def end() -> None:
    """End this process, and with it what waits for an answer; the next request starts another."""
    # Not ray.shutdown(): it waits for a cluster that may be gone, and Ray notices the end anyway.
    os._exit(0)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
    end()
