"""Who runs an input, and what becomes of it. The runner decides where: containers or threads."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from modal_proto import api_pb2

from .state import Call, State

Result = api_pb2.GenericResult
Engine = Callable[[Call, tuple[Any, ...], dict[str, Any]], object]


@dataclass(kw_only=True)
class Settings:
    """How this workspace behaves."""

    executor: str | Engine = "container"
    """`container`: child processes. `thread`: the class itself, in threads of the server. A
    function (call, args, kwargs) -> result: that instead of the class, in threads."""
    max_containers: int = 4
    """Containers at one time, all functions together; threads, for the other executors."""
    idle_s: float = 30.0
    """A container leaves after its own scaledown window, or after this if it is shorter."""
    heartbeat_s: float = 0.25
    """How often a container asks whether an input was cancelled."""
    cancel_grace_s: float = 5.0
    """A container that has not confirmed a cancel by then is killed."""
    cancel_text: str = "Function call was cancelled"
    """The service's own words are not known: nothing may depend on these."""
    container_env: dict[str, str] = field(default_factory=dict)
    refused_gpus: frozenset[str] = frozenset()
    image_builder_version: str = "2026.10"


class Signal:
    """Wakes everyone who waits for a change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)


class Runner(Protocol):
    """Where inputs run."""

    def start_queued(self) -> None:
        """Look at the queues and start what can start."""

    def cancel(self, call: Call, *, terminate: bool) -> None:
        """Interrupt a running input, politely or by killing what runs it."""

    def kill(self, task_id: str) -> None:
        """End what runs, without a word to it."""

    def drain(self, function_ids: set[str]) -> None:
        """Let the containers of a replaced definition finish, then end."""

    def stop(self) -> None:
        """End everything."""


class Scheduler:
    """Moves calls from queued to running to done."""

    def __init__(self, state: State, settings: Settings) -> None:
        self.state = state
        self.settings = settings
        self.signal = Signal()
        self.runner: Runner | None = None
        self.is_paused = False
        """Nothing leaves the queue while this is set."""

    def start_queued(self) -> None:
        if self.runner is not None and not self.is_paused:
            self.runner.start_queued()
        self.signal.notify()

    def submit(self, call: Call) -> None:
        """Take a new call in."""
        self.state.calls[call.call_id] = call
        self.state.inputs[call.input_id] = call.call_id
        self.enqueue(call)

    def enqueue(self, call: Call, *, first: bool = False) -> None:
        """Put a call (back) in its queue; `first` for one whose container was taken away."""
        call.status, call.task_id, call.started_at = "queued", "", 0.0
        queue = self.state.queues.setdefault(call.function_id, deque())
        (queue.appendleft if first else queue.append)(call.call_id)
        self.start_queued()

    def take(self, function_id: str, task_id: str) -> Call | None:
        """Give the oldest waiting input of a function away."""
        queue = self.state.queues.get(function_id)
        if self.is_paused or not queue:
            return None
        call = self.state.calls[queue.popleft()]
        call.status, call.task_id, call.started_at = "running", task_id, time.time()
        call.runs += 1
        return call

    def finish(
        self,
        call: Call,
        result: Result,
        data_format: int = api_pb2.DATA_FORMAT_PICKLE,
        *,
        final: bool = False,
    ) -> None:
        """Store a result, unless there is one, or the retry policy gives the input another try."""
        if call.status == "done" or call.call_id not in self.state.calls:
            return
        failed = result.status in {Result.GENERIC_STATUS_FAILURE, Result.GENERIC_STATUS_TIMEOUT}
        policy = self.state.functions[call.function_id].definition.retry_policy
        if failed and not final and not call.cancel_asked_at and call.retries < policy.retries:
            call.retries += 1
            self.enqueue(call)
            return
        if result.status == Result.GENERIC_STATUS_TERMINATED and not result.exception:
            result.exception = self.settings.cancel_text
        queue = self.state.queues.get(call.function_id)
        if queue and call.call_id in queue:
            queue.remove(call.call_id)
        call.output = api_pb2.FunctionGetOutputsItem(
            result=result,
            idx=0,
            input_id=call.input_id,
            data_format=data_format,
            task_id=call.task_id,
            input_started_at=call.started_at,
            output_created_at=time.time(),
        )
        call.status, call.finished_at = "done", time.time()
        self.start_queued()

    def cancel(self, call: Call, *, terminate: bool = False) -> None:
        """End a call: at once while it waits, by asking its container while it runs."""
        if call.status == "done":
            return
        call.cancel_asked_at = call.cancel_asked_at or time.time()
        if call.status == "queued" or self.runner is None:
            self.finish(call, Result(status=Result.GENERIC_STATUS_TERMINATED))
            return
        self.runner.cancel(call, terminate=terminate)
        self.signal.notify()

    def force_result(self, call: Call, status: str, text: str) -> None:
        """Give a call a result of the test's choosing and kill what runs it."""
        task_id = call.task_id if call.status == "running" else ""
        self.finish(call, Result(status=f"GENERIC_STATUS_{status}", exception=text), final=True)
        if task_id and self.runner is not None:
            self.runner.kill(task_id)

    def requeue_lost(self, calls: list[Call], *, text: str | None) -> None:
        """Deal with the inputs of a container that is gone: fail them, or run them again."""
        for call in calls:
            if call.status != "running":
                continue
            if call.cancel_asked_at:
                self.finish(call, Result(status=Result.GENERIC_STATUS_TERMINATED))
            elif text is None:
                self.enqueue(call, first=True)
            else:
                self.finish(call, Result(status=Result.GENERIC_STATUS_FAILURE, exception=text))

    def resume(self) -> None:
        """After a restart: what ran is gone, so run it again."""
        running = [call for call in self.state.calls.values() if call.status == "running"]
        for call in running:
            self.enqueue(call, first=True)
        self.start_queued()
