"""Containers: child processes that run Modal's own entrypoint with this Python."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from modal_proto import api_pb2

from .environs import container_env, kill_leftover_containers
from .scheduler import Result, Scheduler
from .state import Call, FunctionRecord, new_id
from .volumes import VolumeStore

CRASHES_BEFORE_FAILURE = 2


@dataclass(kw_only=True, eq=False)
class Container:
    """One child process."""

    task_id: str
    function_id: str
    process: subprocess.Popen[bytes]
    log: Path
    idle_window_s: float
    running: dict[str, Call] = field(default_factory=dict)
    """By input id."""
    cancels: list[str] = field(default_factory=list)
    """Input ids to hand out with the next heartbeat."""
    idle_since: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.monotonic)
    startup_limit_s: int = 0
    has_started: bool = False
    """It has asked for an input, so its imports and enter hooks are done."""
    is_stopping: bool = False
    """It is told to end at its next question."""
    preempted: bool = False
    reported: bool = False
    """It said itself why it ends."""

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0


class ContainerRunner:
    """Starts containers, hands inputs to them, ends them."""

    def __init__(
        self, scheduler: Scheduler, volumes: VolumeStore, root: Path, server_url: str
    ) -> None:
        self._scheduler = scheduler
        self._state = scheduler.state
        self._volumes = volumes
        self._root = root
        self._server_url = server_url
        self.containers: dict[str, Container] = {}
        self.started: list[str] = []
        """Function ids, one for each container ever started."""
        self._crashes: dict[str, int] = {}
        (root / "logs").mkdir(parents=True, exist_ok=True)
        kill_leftover_containers(root)

    # What the scheduler asks.

    def start_queued(self) -> None:
        for function_id, queue in list(self._state.queues.items()):
            ready = [
                c
                for c in self.containers.values()
                if c.function_id == function_id and not c.running and not c.is_stopping
            ]
            for _ in range(len(queue) - len(ready)):
                if not self._has_room(function_id):
                    break
                self._start(self._state.functions[function_id])

    def _has_room(self, function_id: str) -> bool:
        own = [c for c in self.containers.values() if c.function_id == function_id]
        limit = self._state.functions[function_id].definition.concurrency_limit
        if limit and len(own) >= limit:
            return False
        if len(self.containers) < self._scheduler.settings.max_containers:
            return True
        for other in self.containers.values():
            waiting = self._state.queues.get(other.function_id)
            if other.has_started and not other.running and not other.is_stopping and not waiting:
                other.is_stopping = True
                break
        return False

    def cancel(self, call: Call, *, terminate: bool) -> None:
        container = self.containers.get(call.task_id)
        if container is None:
            return
        if terminate:
            self.kill(call.task_id)
        else:
            container.cancels.append(call.input_id)

    def kill(self, task_id: str) -> None:
        container = self.containers.get(task_id)
        if container is not None:
            container.reported = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(container.process.pid, signal.SIGKILL)

    def drain(self, function_ids: set[str]) -> None:
        for container in self.containers.values():
            if container.function_id in function_ids:
                container.is_stopping = True

    def stop(self) -> None:
        for container in list(self.containers.values()):
            self.kill(container.task_id)
            container.process.wait()
            self._scheduler.requeue_lost(list(container.running.values()), text=None)
            self._forget(container)
        self.containers.clear()

    # What containers ask.

    async def next_input(self, container: Container, wait_s: float) -> Call | None:
        """Wait for an input. None: nothing came, or the container is to leave."""
        if not container.running:
            container.idle_since = time.monotonic()
        until = time.monotonic() + wait_s
        while not container.is_stopping and time.monotonic() < until:
            call = self._scheduler.take(container.function_id, container.task_id)
            if call is not None:
                container.running[call.input_id] = call
                call.log_spans.append((str(container.log), container.log_size(), None))
                self._crashes.pop(container.function_id, None)
                return call
            idle_s = time.monotonic() - container.idle_since
            if not container.running and idle_s > container.idle_window_s:
                container.is_stopping = True
            await self._scheduler.signal.wait(0.25)
        return None

    def finish_input(
        self, container: Container, call: Call, result: Result, data_format: int
    ) -> None:
        """Take the output of an input."""
        if container.running.pop(call.input_id, None) is None:
            return
        container.idle_since = time.monotonic()
        path, start, _ = call.log_spans[-1]
        call.log_spans[-1] = (path, start, container.log_size())
        self._scheduler.finish(call, result, data_format)

    def fail_start(self, container: Container, result: Result) -> None:
        """Take the news that a container could not start: its function's calls cannot run."""
        container.reported = container.is_stopping = True
        waiting = [
            self._state.calls[call_id]
            for call_id in self._state.queues.get(container.function_id, ())
        ]
        for call in [*container.running.values(), *waiting]:
            call.log_spans.append((str(container.log), 0, None))
            self._scheduler.finish(call, result, final=True)
        container.running.clear()

    # Starting and watching.

    def _start(self, record: FunctionRecord) -> None:
        task_id = new_id("ta")
        folder = self._root / "tasks" / task_id
        (folder / "home").mkdir(parents=True)
        app = self._state.apps[record.app_id]
        arguments = api_pb2.ContainerArguments(
            task_id=task_id,
            function_id=record.function_id,
            app_id=record.app_id,
            function_def=record.definition,
            serialized_params=record.serialized_params,
            app_layout=self._state.layout(app),
            environment_name="main",
        )
        (folder / "arguments").write_bytes(arguments.SerializeToString())
        log = self._root / "logs" / f"{task_id}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "modal._container_entrypoint"],
                env=container_env(
                    record,
                    task_id,
                    folder,
                    state=self._state,
                    volumes=self._volumes,
                    settings=self._scheduler.settings,
                    server_url=self._server_url,
                ),
                cwd=folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        settings = self._scheduler.settings
        (folder / "pid").write_text(str(process.pid))
        self.containers[task_id] = Container(
            task_id=task_id,
            function_id=record.function_id,
            process=process,
            log=log,
            startup_limit_s=record.definition.startup_timeout_secs,
            idle_window_s=min(record.scaledown_window_s or settings.idle_s, settings.idle_s),
        )
        self.started.append(record.function_id)

    def _forget(self, container: Container) -> None:
        self._volumes.forget(container.task_id)
        (self._root / "tasks" / container.task_id / "pid").unlink(missing_ok=True)

    async def watch(self) -> None:
        """Look after the containers for as long as the server lives."""
        while True:
            await asyncio.sleep(0.05)
            for container in list(self.containers.values()):
                self._enforce_limits(container)
                code = container.process.poll()
                if code is not None:
                    self._report_exit(container, code)

    def _enforce_limits(self, container: Container) -> None:
        now = time.time()
        limit_s = container.startup_limit_s
        too_slow = limit_s and time.monotonic() - container.started_at > limit_s
        if too_slow and not container.has_started and not container.reported:
            # What the service answers is not known; the function's own timeout is the likeliest.
            text = f"Container did not start within its startup timeout of {limit_s}s"
            result = Result(status=Result.GENERIC_STATUS_TIMEOUT, exception=text)
            self.fail_start(container, result)
            self.kill(container.task_id)
        for call in list(container.running.values()):
            limit_s = call.timeout_s
            if limit_s and now - call.started_at > limit_s:
                text = f"Task's current input hit its timeout of {limit_s}s"
                result = Result(status=Result.GENERIC_STATUS_TIMEOUT, exception=text)
                self.finish_input(container, call, result, api_pb2.DATA_FORMAT_UNSPECIFIED)
                container.preempted = True
                self.kill(container.task_id)
            grace_s = self._scheduler.settings.cancel_grace_s
            if call.cancel_asked_at and now - call.cancel_asked_at > grace_s:
                self.kill(container.task_id)

    def _report_exit(self, container: Container, code: int) -> None:
        del self.containers[container.task_id]
        self._forget(container)
        lost = [call for call in container.running.values() if call.status == "running"]
        text = None if container.preempted else f"Container terminated (exit code {code})"
        self._scheduler.requeue_lost(lost, text=text)
        queue = self._state.queues.get(container.function_id)
        if code and not container.reported and not container.has_started and queue:
            crashes = self._crashes.get(container.function_id, 0) + 1
            self._crashes[container.function_id] = crashes
            if crashes >= CRASHES_BEFORE_FAILURE:
                tail = container.log.read_text(errors="replace")[-2_000:]
                result = Result(status=Result.GENERIC_STATUS_INIT_FAILURE, exception=tail)
                self.fail_start(container, result)
        self._scheduler.start_queued()
