# ruff: noqa: N802  The methods bear the names of the RPCs.
"""What containers ask: for inputs, whether to stop, and where to put what came out."""

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2

from .launcher import Container, ContainerRunner
from .rpc import Caller
from .scheduler import Scheduler
from .state import State

MAX_WAIT_S = 20.0


class ContainerRpcs:
    """The methods that `modal._container_entrypoint` uses."""

    def __init__(self, state: State, scheduler: Scheduler) -> None:
        self._state = state
        self._scheduler = scheduler

    @property
    def _runner(self) -> ContainerRunner:
        runner = self._scheduler.runner
        if not isinstance(runner, ContainerRunner):
            raise GRPCError(Status.FAILED_PRECONDITION, "this server runs no containers")
        return runner

    def _container(self, caller: Caller) -> Container | None:
        return self._runner.containers.get(caller.task_id)

    async def ContainerHello(self, request: Empty, caller: Caller):
        return Empty()

    async def ContainerHeartbeat(self, request: api_pb2.ContainerHeartbeatRequest, caller: Caller):
        container = self._container(caller)
        if container is None or not container.cancels:
            return api_pb2.ContainerHeartbeatResponse()
        event = api_pb2.CancelInputEvent(input_ids=container.cancels)
        container.cancels = []
        return api_pb2.ContainerHeartbeatResponse(cancel_input_event=event)

    async def FunctionGetInputs(self, request: api_pb2.FunctionGetInputsRequest, caller: Caller):
        container = self._container(caller)
        leave = api_pb2.FunctionGetInputsResponse(
            inputs=[api_pb2.FunctionGetInputsItem(kill_switch=True)]
        )
        if container is None:
            return leave
        container.has_started = True
        call = await self._runner.next_input(container, MAX_WAIT_S)
        if call is None:
            return leave if container.is_stopping else api_pb2.FunctionGetInputsResponse()
        item = api_pb2.FunctionGetInputsItem(
            input_id=call.input_id,
            input=call.input,
            function_call_id=call.call_id,
            function_call_invocation_type=call.invocation_type,
            retry_count=call.retries,
            attempt_token=f"{call.call_id}-{call.runs}",
        )
        return api_pb2.FunctionGetInputsResponse(inputs=[item])

    async def FunctionPutOutputs(self, request: api_pb2.FunctionPutOutputsRequest, caller: Caller):
        container = self._container(caller)
        for item in request.outputs:
            if container is not None:
                call = self._state.call_of_input(item.input_id)
                self._runner.finish_input(container, call, item.result, item.data_format)
        return Empty()

    async def TaskResult(self, request: api_pb2.TaskResultRequest, caller: Caller):
        container = self._container(caller)
        if container is not None:
            self._runner.fail_start(container, request.result)
        return Empty()

    async def ContainerStop(self, request: api_pb2.ContainerStopRequest, caller: Caller):
        target = self._runner.containers.get(request.task_id)
        if target is not None:
            target.preempted = True
            if request.graceful:
                target.is_stopping = True
            else:
                self._runner.kill(target.task_id)
        return api_pb2.ContainerStopResponse()

    async def TaskList(self, request: api_pb2.TaskListRequest, caller: Caller):
        return api_pb2.TaskListResponse(
            tasks=[
                api_pb2.TaskStats(task_id=c.task_id, app_id=request.app_id, enqueued_at=1.0)
                for c in self._runner.containers.values()
                if self._state.functions[c.function_id].app_id == request.app_id
            ]
        )
