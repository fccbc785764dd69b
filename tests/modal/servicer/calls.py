# ruff: noqa: N802  The methods bear the names of the RPCs.
"""Finding a function, calling it, asking for the result."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2

from .deploy import function_data
from .rpc import Caller
from .scheduler import Result, Scheduler
from .state import (
    Call,
    FunctionRecord,
    State,
    deterministic_id,
    handle_metadata,
    new_id,
    not_found,
    with_options,
)

UNSET = Result.GENERIC_STATUS_UNSPECIFIED


def read_log(call: Call) -> str:
    """Return what the containers of a call printed while they ran it."""
    text = ""
    for path, start, end in call.log_spans:
        with Path(path).open("rb") as log:
            log.seek(start)
            raw = log.read() if end is None else log.read(end - start)
        text += raw.decode(errors="replace")
    return text


class CallRpcs:
    """The methods behind `Cls.from_name`, `spawn`, `get`, `cancel` and the logs."""

    def __init__(self, state: State, scheduler: Scheduler) -> None:
        self._state = state
        self._scheduler = scheduler

    async def ClassGet(self, request: api_pb2.ClassGetRequest, caller: Caller):
        app = self._state.app_named(request.app_name)
        if request.object_tag not in app.class_ids:
            raise not_found("Class", request.object_tag)
        return api_pb2.ClassGetResponse(
            class_id=app.class_ids[request.object_tag],
            handle_metadata=api_pb2.ClassHandleMetadata(),
        )

    async def FunctionGet(self, request: api_pb2.FunctionGetRequest, caller: Caller):
        app = self._state.app_named(request.app_name)
        if request.object_tag not in app.function_ids:
            raise not_found("Function", request.object_tag)
        record = self._state.function(app.function_ids[request.object_tag])
        return api_pb2.FunctionGetResponse(
            function_id=record.function_id,
            handle_metadata=handle_metadata(record),
            function=function_data(record.definition),
        )

    async def FunctionBindParams(self, request: api_pb2.FunctionBindParamsRequest, caller: Caller):
        base = self._state.function(request.function_id)
        options = request.function_options if request.HasField("function_options") else None
        encoded = options.SerializeToString(deterministic=True) if options is not None else b""
        variant_id = deterministic_id("fu", base.function_id, request.serialized_params, encoded)
        if variant_id not in self._state.functions:
            record = FunctionRecord(
                function_id=variant_id,
                app_id=base.app_id,
                definition=with_options(base.definition, options),
                base_id=base.function_id,
                serialized_params=request.serialized_params,
                options=options,
            )
            if record.gpu in self._scheduler.settings.refused_gpus:
                raise GRPCError(Status.INVALID_ARGUMENT, f"Unknown GPU {record.gpu!r}")
            self._state.functions[variant_id] = record
        record = self._state.functions[variant_id]
        return api_pb2.FunctionBindParamsResponse(
            bound_function_id=variant_id, handle_metadata=handle_metadata(record)
        )

    async def FunctionMap(self, request: api_pb2.FunctionMapRequest, caller: Caller):
        record = self._state.function(request.function_id)
        if self._state.app(record.app_id).stopped:
            raise not_found("App", record.app_id)
        if request.function_call_type != api_pb2.FUNCTION_CALL_TYPE_UNARY:
            raise GRPCError(Status.UNIMPLEMENTED, "the test server runs single calls only")
        item = request.pipelined_inputs[0]
        call = Call(
            call_id=new_id("fc"),
            input_id=new_id("in"),
            function_id=record.function_id,
            app_id=record.app_id,
            input=item.input,
            invocation_type=request.function_call_invocation_type,
            submission=caller.idempotency_key,
            gpu=record.gpu,
            timeout_s=record.timeout_s,
            scaledown_window_s=record.scaledown_window_s,
            parameters=record.parameters,
        )
        self._scheduler.submit(call)
        return api_pb2.FunctionMapResponse(
            function_call_id=call.call_id,
            pipelined_inputs=[
                api_pb2.FunctionPutInputsResponseItem(
                    idx=item.idx, input_id=call.input_id, input_jwt=call.input_id
                )
            ],
            function_call_jwt=call.call_id,
        )

    async def FunctionGetOutputs(self, request: api_pb2.FunctionGetOutputsRequest, caller: Caller):
        call = self._state.call(request.function_call_id)
        until = time.monotonic() + min(request.timeout, 55.0)
        while call.output is None and not call.expired and time.monotonic() < until:
            await self._scheduler.signal.wait(max(0.0, until - time.monotonic()))
        if call.expired:
            return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=0)
        if call.output is None:
            return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=1)
        return api_pb2.FunctionGetOutputsResponse(outputs=[call.output], idxs=[0])

    async def FunctionCallCancel(self, request: api_pb2.FunctionCallCancelRequest, caller: Caller):
        call = self._state.call(request.function_call_id)
        self._scheduler.cancel(call, terminate=request.terminate_containers)
        return Empty()

    async def FunctionCallFromId(self, request: api_pb2.FunctionCallFromIdRequest, caller: Caller):
        call = self._state.call(request.function_call_id)
        metadata = api_pb2.FunctionCallHandleMetadata(
            app_id=call.app_id, function_id=call.function_id
        )
        return api_pb2.FunctionCallFromIdResponse(
            function_call_id=call.call_id, num_inputs=1, metadata=metadata
        )

    async def FunctionGetCallGraph(
        self, request: api_pb2.FunctionGetCallGraphRequest, caller: Caller
    ):
        call = self._state.call(request.function_call_id)
        definition = self._state.function(call.function_id).definition
        node = api_pb2.InputCallGraphInfo(
            input_id=call.input_id,
            status=call.output.result.status if call.output is not None else UNSET,
            function_call_id=call.call_id,
            task_id=call.task_id,
        )
        parent = api_pb2.FunctionCallCallGraphInfo(
            function_call_id=call.call_id,
            function_name=definition.function_name,
            module_name=definition.module_name,
        )
        return api_pb2.FunctionGetCallGraphResponse(inputs=[node], function_calls=[parent])

    async def FunctionCallGetInfo(
        self, request: api_pb2.FunctionCallGetInfoRequest, caller: Caller
    ):
        call = self._state.call(request.function_call_id)
        info = api_pb2.FunctionCallInfo(
            function_call_id=call.call_id, created_at=call.created_at, total_inputs=1
        )
        counted = {
            None: info.pending_inputs,
            "SUCCESS": info.succeeded_inputs,
            "TERMINATED": info.cancelled_inputs,
            "TIMEOUT": info.timeout_inputs,
        }.get(call.outcome, info.failed_inputs)
        counted.total = 1
        return api_pb2.FunctionCallGetInfoResponse(info=info)

    async def AppFetchLogs(self, request: api_pb2.AppFetchLogsRequest, caller: Caller):
        batch = self._log_batch(request.function_call_id, request.app_id)
        del batch.items[: max(0, len(batch.items) - request.limit)]
        return api_pb2.AppFetchLogsResponse(batches=[batch] if batch.items else [])

    async def AppCountLogs(self, request: api_pb2.AppCountLogsRequest, caller: Caller):
        batch = self._log_batch(request.function_call_id, request.app_id)
        bucket = api_pb2.AppCountLogsResponse.LogBucket(stdout_logs=len(batch.items))
        bucket.bucket_start_at.CopyFrom(request.since)
        return api_pb2.AppCountLogsResponse(app_id=request.app_id, buckets=[bucket])

    async def AppGetLogs(
        self, request: api_pb2.AppGetLogsRequest, caller: Caller
    ) -> AsyncIterator[api_pb2.TaskLogsBatch]:
        """Send what is there and say that there is no more: enough for a finished call."""
        if not request.last_entry_id:
            batch = self._log_batch(request.function_call_id, request.app_id)
            batch.entry_id = "1-0"
            yield batch
        yield api_pb2.TaskLogsBatch(entry_id="1-0", app_done=True)

    def _log_batch(self, call_id: str, app_id: str) -> api_pb2.TaskLogsBatch:
        calls = [
            call
            for call in self._state.calls.values()
            if (call.call_id == call_id if call_id else call.app_id == app_id)
        ]
        items = [
            api_pb2.TaskLogs(
                data=line,
                timestamp=call.started_at or call.created_at,
                file_descriptor=api_pb2.FILE_DESCRIPTOR_STDOUT,
                function_call_id=call.call_id,
                input_id=call.input_id,
            )
            for call in calls
            for line in read_log(call).splitlines(keepends=True)
        ]
        return api_pb2.TaskLogsBatch(items=items, task_id=calls[-1].task_id if calls else "")
