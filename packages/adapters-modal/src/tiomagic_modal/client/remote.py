"""Requests to the deployed app: start a call, poll it, cancel it, read its progress and result."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import CACHE_SETTING, ON_DEVICE, find_cache_gib
from tiomagic_domain.requests.wire import PlainData
from tiomagic_modal.client.connection import Connection, require_modal
from tiomagic_modal.client.retry import build_retrying
from tiomagic_modal.constants import (
    APP_NAME,
    JOBS_DICT,
    OUTPUTS_VOLUME,
    RESULT_FILE,
    VIDEO_FILE,
    WORKER_CLASS,
)
from tiomagic_modal.errors import translate_modal_errors
from tiomagic_modal.gpus import HEADROOM_GIB, usable_memory_gib

if TYPE_CHECKING:
    import modal

T = TypeVar("T")

TRANSFER_DEADLINE_S = 900.0
"""Timeout of requests that carry media: 100 MB at 1 Mbit/s."""
MEMORY_BESIDE_WEIGHTS_GIB = 8
"""Main memory for Python, the libraries and the frames."""
CACHE_STEP_GIB = 8
"""Main memory for a KV cache is requested in steps of this."""
CPU_CORES = 4.0
"""For a model that runs without a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The options of a pool of containers. Few and stable: each pool keeps its own warm ones."""

    model: str
    gpu: str | None
    timeout_s: int
    scaledown_window_s: int
    memory_mib: int

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``with_options``."""
        chosen = {"gpu": self.gpu} if self.gpu else {"cpu": CPU_CORES}
        return {
            **chosen,
            "timeout": self.timeout_s,
            "scaledown_window": self.scaledown_window_s,
            "memory": self.memory_mib,
        }


def container_memory_mib(
    card: ModelCard, settings: Mapping[str, Any] | None = None, gpu: str | None = None
) -> int:
    """Return the main memory that a container requests.

    The largest component passes through it, and a KV cache waits in it that the GPU has no room
    for. That is rounded up, so that videos of similar sizes share their warm containers.

    Args:
        card: The model.
        settings: Of the call; None for the model's own size.
        gpu: That the call runs on; None for a CPU.
    """
    cache = find_cache_gib(card, settings or {})
    usable = usable_memory_gib(gpu) if gpu is not None else None
    beside = card.weights_gib + HEADROOM_GIB + cache
    is_on_gpu = (settings or {}).get(CACHE_SETTING) == ON_DEVICE
    if is_on_gpu or (usable is not None and beside <= usable):
        cache = 0.0
    waiting = math.ceil(cache / CACHE_STEP_GIB) * CACHE_STEP_GIB
    return (int(card.largest_gib + MEMORY_BESIDE_WEIGHTS_GIB) + waiting) * 1024


class RemoteApp:
    """The app in one workspace and environment.

    Handles are cached: only the first use of each costs a look-up.
    """

    def __init__(self, connection: Connection, environment: str | None = None) -> None:
        self._connection = connection
        self._environment = environment
        self._lock = threading.Lock()
        self._methods: dict[Variant, Any] = {}
        self._jobs_dict: modal.Dict | None = None
        self._outputs: modal.Volume | None = None

    def drop_handles(self) -> None:
        """Drop the cached handles, because their app is gone."""
        with self._lock:
            self._methods.clear()

    def spawn(self, variant: Variant, payload: PlainData) -> str:
        """Start a call and return its id."""
        method = self._method(variant)

        async def spawn() -> str:
            call = await method.spawn.aio(payload)
            return str(call.object_id)

        return self._connection.ask(spawn, deadline_s=TRANSFER_DEADLINE_S)

    def result(self, call_id: str) -> Any:
        """Return a call's result, or raise its error.

        Raises:
            TimeoutError: the builtin one, when the call is waiting or running.
        """

        def ask() -> Any:
            call = self.call(call_id)
            return self._connection.ask(
                lambda: call.get.aio(timeout=0), deadline_s=TRANSFER_DEADLINE_S
            )

        return self._retry("ask for the result", ask)

    def cancel(self, call_id: str) -> None:
        """Cancel a call. One that is over stays as it is."""
        call = self.call(call_id)
        self._connection.ask(call.cancel.aio)

    def call(self, call_id: str) -> Any:
        """Return the handle of a call, without any request."""
        modal, client = require_modal(), self._connection.client()
        return modal.FunctionCall.from_id(call_id, client=client)

    def read(self, key: str) -> Any:
        """Return the Dict's value of a key; None when there is none."""

        def ask() -> Any:
            board = self._get_jobs_dict()
            with translate_modal_errors("read a job's progress on Modal"):
                return self._connection.ask(lambda: board.get.aio(key, None))

        return self._retry("read a job's progress", ask)

    def write(self, key: str, value: object, *, keep: bool = False) -> bool:
        """Write a value into the Dict.

        Args:
            key: Where.
            value: What.
            keep: Leave what is there already.

        Returns:
            False when something was there and was kept.
        """
        board = self._get_jobs_dict()
        with translate_modal_errors("reach the jobs on Modal"):
            return bool(
                self._connection.ask(lambda: board.put.aio(key, value, skip_if_exists=keep))
            )

    def read_result(self, job_id: str) -> PlainData | None:
        """Return the result that a job left on the outputs Volume; None when there is none."""
        described = self._file(f"{job_id}/{RESULT_FILE}")
        if described is None:
            return None
        # The container writes the description last, so that one which is there has its video.
        video = self._file(f"{job_id}/{VIDEO_FILE}")
        return None if video is None else {**json.loads(described), "video": video}

    def _file(self, name: str) -> bytes | None:
        def ask() -> bytes | None:
            volume = self._get_outputs()

            async def read() -> bytes:
                return b"".join([block async for block in volume.read_file.aio(name)])

            with translate_modal_errors("read a finished video on Modal"):
                try:
                    return self._connection.ask(read, deadline_s=TRANSFER_DEADLINE_S)
                except FileNotFoundError:  # Of Modal's making; also an OSError, so caught first.
                    return None

        return self._retry("read a finished video", ask)

    def _retry(self, what: str, ask: Callable[[], T]) -> T:
        """Return the answer to a request that changes nothing, retried after a transient fault.

        Faults that come at once are retried for as long as the timeout of one request.
        """
        return build_retrying(what, within_s=self._connection.deadline_s)(ask)

    def _method(self, variant: Variant) -> Any:
        modal, client = require_modal(), self._connection.client()
        with self._lock:
            # Each variant is a remote look-up; a batch has one variant and many jobs.
            if variant not in self._methods:
                worker = modal.Cls.from_name(
                    APP_NAME, WORKER_CLASS, environment_name=self._environment, client=client
                )
                self._methods[variant] = worker.with_options(**variant.options())(
                    model=variant.model
                ).generate
            return self._methods[variant]

    def _get_jobs_dict(self) -> modal.Dict:
        modal, client = require_modal(), self._connection.client()
        with self._lock:
            if self._jobs_dict is None:
                self._jobs_dict = modal.Dict.from_name(
                    JOBS_DICT,
                    create_if_missing=True,
                    environment_name=self._environment,
                    client=client,
                )
            return self._jobs_dict

    def _get_outputs(self) -> modal.Volume:
        modal, client = require_modal(), self._connection.client()
        with self._lock:
            if self._outputs is None:
                self._outputs = modal.Volume.from_name(
                    OUTPUTS_VOLUME,
                    create_if_missing=True,
                    environment_name=self._environment,
                    client=client,
                )
            return self._outputs
