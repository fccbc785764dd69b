"""What tests start: the server in a thread of this process, with everything in sight."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modal_proto import api_pb2

from .calls import read_log
from .launcher import Container, ContainerRunner
from .serving import ServerLifecycle
from .state import App, Call, FunctionRecord, deterministic_id


class FakeModal(ServerLifecycle):
    """A Modal workspace on loopback.

    Use it as a context manager, give `environment` to the processes that are to use it, and look
    at `calls`, `functions` and the rest afterwards. One client process holds on to one server, so
    a test session wants one of these, with `reset()` between tests.
    """

    # What tests look at.

    @property
    def calls(self) -> dict[str, Call]:
        return self.state.calls

    @property
    def functions(self) -> dict[str, FunctionRecord]:
        return self.state.functions

    @property
    def apps(self) -> dict[str, App]:
        """The deployed apps by name."""
        return {name: self.state.apps[app_id] for name, app_id in self.state.app_ids.items()}

    @property
    def tags(self) -> dict[str, dict[str, str]]:
        """App name to its tags."""
        return {name: app.tags for name, app in self.apps.items()}

    @property
    def image_defs(self) -> dict[str, api_pb2.Image]:
        return self.state.images

    @property
    def mounts(self) -> dict[str, dict[str, str]]:
        """Mount id to file name to sha256; `shipped_file` has the bytes."""
        return self.state.mounts

    @property
    def rpc_counts(self) -> Counter[str]:
        """How often clients asked, by RPC; repeats count."""
        return self.traffic.clients

    @property
    def container_rpc_counts(self) -> Counter[str]:
        return self.traffic.containers

    @property
    def http_counts(self) -> Counter[str]:
        return self._web.counts

    @property
    def containers(self) -> list[Container]:
        """Those that run now."""
        runner = self.scheduler.runner
        return list(runner.containers.values()) if isinstance(runner, ContainerRunner) else []

    @property
    def containers_started(self) -> int:
        runner = self.scheduler.runner
        return len(runner.started) if isinstance(runner, ContainerRunner) else 0

    def log(self, call_id: str) -> str:
        """Return what the container printed while it ran a call."""
        return read_log(self.calls[call_id])

    def shipped_file(self, sha256_hex: str) -> bytes:
        return self.files.shipped(sha256_hex).read_bytes()

    def volume_path(self, name: str) -> Path:
        """The directory of a volume's committed files; tests may put files there."""
        return self.volume_store.committed(deterministic_id("vo", name))

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 20.0) -> None:
        """Wait until something is true of the server."""
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"not within {timeout_s} s")
            time.sleep(0.01)

    # What tests do to it.

    def _do(self, action: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Run something where the server runs."""
        assert self._loop is not None, "the server is not running"

        async def run() -> None:
            result = action(*args, **kwargs)
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def add_secret(self, name: str, values: dict[str, str]) -> None:
        secret_id = deterministic_id("st", name)
        self.state.secrets[secret_id] = dict(values)
        self.state.secret_names[secret_id] = name

    def hold(self) -> None:
        """Let nothing leave the queues."""
        self.scheduler.is_paused = True

    def release(self) -> None:
        self.scheduler.is_paused = False
        self._do(self.scheduler.start_queued)

    def go_away(self, *, containers: bool = False) -> None:
        """Cut all connections of clients and refuse new ones; those of containers if asked.

        An idle container that is cut off ends after a second, as its own client gives up.
        """
        self._do(self.client_endpoint.close)
        if containers:
            self._do(self.container_endpoint.close)

    def come_back(self) -> None:
        """Serve again, on the same ports."""
        self._do(self.client_endpoint.open)
        self._do(self.container_endpoint.open)

    def preempt(self, call_id: str) -> None:
        """Take the machine away; the input starts again from the beginning elsewhere."""
        container = self._container_of(call_id)
        container.preempted = True
        self._do(self._runner.kill, container.task_id)

    def kill_container(self, call_id: str) -> None:
        """Let the container die of itself, as for want of memory: a RemoteError."""
        self._do(self._runner.kill, self._container_of(call_id).task_id)

    def out_of_memory(self, call_id: str) -> None:
        self._impose(call_id, "FAILURE", "Container killed due to memory usage")

    def time_out(self, call_id: str) -> None:
        """End a call as if the function's own timeout had passed."""
        self._impose(call_id, "TIMEOUT", "Task's current input hit its timeout")

    def internal_failure(self, call_id: str) -> None:
        self._impose(call_id, "INTERNAL_FAILURE", "Internal failure")

    def remote_error(self, call_id: str, text: str = "Something remote failed") -> None:
        self._impose(call_id, "FAILURE", text)

    def expire(self, call_id: str) -> None:
        """Forget a call's result, as after seven days."""
        self.calls[call_id].expired = True
        self._do(self.scheduler.signal.notify)

    def _impose(self, call_id: str, status: str, text: str) -> None:
        self._do(self.scheduler.force_result, self.calls[call_id], status, text)

    @property
    def _runner(self) -> ContainerRunner:
        assert isinstance(self.scheduler.runner, ContainerRunner), "no containers here"
        return self.scheduler.runner

    def _container_of(self, call_id: str) -> Container:
        """Wait for a call to run and return its container."""
        call = self.calls[call_id]
        self.wait_for(lambda: call.status == "running")
        return self._runner.containers[call.task_id]

    def reset(self) -> None:
        """Start over between tests: no apps, calls, Dicts, files, faults, counts or containers.

        Images, mounts, volumes and secrets keep their ids, which client objects hold on to; the
        settings are those of the start again.
        """
        self.faults.clear()
        vars(self.settings).update(vars(self._first_settings))
        self.scheduler.is_paused = False
        self._do(self._forget)
        self.traffic.clear()
        self._web.counts.clear()

    def _forget(self) -> None:
        state = self.state
        for table in (state.queues, state.calls, state.inputs):
            table.clear()
        if isinstance(self.scheduler.runner, ContainerRunner):
            for container in self.scheduler.runner.containers.values():
                container.running.clear()
            self.scheduler.runner.stop()
            self.scheduler.runner.started.clear()
        for table in (state.apps, state.app_ids, state.functions):
            table.clear()
        for entries in state.dicts.values():
            entries.clear()
        self.volume_store.clear()
        self.dispatcher.deduplicates = True
        with contextlib.suppress(FileNotFoundError):
            self._state_file.unlink()
