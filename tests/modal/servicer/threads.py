"""Inputs in threads of the server, for tests with a thousand of them: no isolation, no cancel."""

import asyncio
import contextlib
import importlib
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from modal._runtime.execution_context import _set_current_context_ids
from modal._serialization import (
    deserialize_data_format,
    pickle_exception,
    serialize_data_format,
)
from modal._utils.async_utils import synchronizer

from .scheduler import Engine, Result, Scheduler
from .state import Call, FunctionRecord

Store = Callable[[bytes], str]
Load = Callable[[str], bytes]

MAX_INLINE_BYTES = 8 * 1024


class ThreadRunner:
    """Runs each input in a pool; a class keeps its instances between inputs, as containers do."""

    def __init__(self, scheduler: Scheduler, *, store: Store, load: Load) -> None:
        self._scheduler = scheduler
        self._state = scheduler.state
        self._store = store
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._width = scheduler.settings.max_containers
        self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="fake-container")
        self._instances: dict[str, list[Any]] = {}
        self._active = 0
        self.peak = 0
        """Most inputs that ran at one time."""

    def start_queued(self) -> None:
        for function_id in list(self._state.queues):
            while self._active < self._width:
                call = self._scheduler.take(function_id, f"thread-{function_id}")
                if call is None:
                    break
                self._active += 1
                self.peak = max(self.peak, self._active)
                self._pool.submit(self._run, call, self._state.functions[function_id])

    def cancel(self, call: Call, *, terminate: bool) -> None:
        """Forget the input; its thread runs on and nobody takes what it returns."""
        self._scheduler.finish(call, Result(status=Result.GENERIC_STATUS_TERMINATED))

    def kill(self, task_id: str) -> None:
        """Threads cannot be killed."""

    def drain(self, function_ids: set[str]) -> None:
        for function_id in function_ids:
            self._instances.pop(function_id, None)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: Call, record: FunctionRecord) -> None:
        reset = _set_current_context_ids([call.input_id], [call.call_id], [""])
        try:
            value = self._value(call, record)
            data = serialize_data_format(value, call.input.data_format)
            result = Result(status=Result.GENERIC_STATUS_SUCCESS)
        except BaseException as error:
            data = pickle_exception(error)
            result = Result(
                status=Result.GENERIC_STATUS_FAILURE,
                exception=repr(error),
                traceback=traceback.format_exc(),
            )
        finally:
            reset()
        if len(data) > MAX_INLINE_BYTES:
            result.data_blob_id = self._store(data)
        else:
            result.data = data
        with contextlib.suppress(RuntimeError):  # The server has stopped meanwhile.
            self._loop.call_soon_threadsafe(self._done, call, result)

    def _done(self, call: Call, result: Result) -> None:
        self._active -= 1
        call.finished_at = time.time()
        self._scheduler.finish(call, result, call.input.data_format)
        self._scheduler.start_queued()

    def _value(self, call: Call, record: FunctionRecord) -> Any:
        raw = call.input.args or self._load(call.input.args_blob_id)
        args, kwargs = deserialize_data_format(raw, call.input.data_format, None)
        engine = self._scheduler.settings.executor
        if not isinstance(engine, str):
            return self._engine_value(engine, call, args, kwargs)
        free = self._instances.setdefault(record.function_id, [])
        try:
            instance = free.pop()
        except IndexError:
            instance = self._new_instance(record)
        try:
            method = instance._cls._method_partials[call.input.method_name].raw_f
            return method(instance._cached_user_cls_instance(), *args, **kwargs)
        finally:
            free.append(instance)

    @staticmethod
    def _new_instance(record: FunctionRecord) -> Any:
        """Make an object of the class and run its enter hooks.

        Not by `method.local()`, which warns that volumes are not mounted here.
        """
        module = importlib.import_module(record.definition.module_name)
        owner = getattr(module, record.definition.function_name.split(".", maxsplit=1)[0])
        instance = synchronizer._translate_in(owner(**record.parameters))
        instance._enter()
        return instance

    @staticmethod
    def _engine_value(engine: Engine, call: Call, args: Any, kwargs: Any) -> object:
        return engine(call, tuple(args), dict(kwargs))
