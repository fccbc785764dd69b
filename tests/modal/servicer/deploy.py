# ruff: noqa: N802  The methods bear the names of the RPCs.
"""Deploying and describing apps."""

import hashlib
import time

from google.protobuf.empty_pb2 import Empty
from modal_proto import api_pb2

from .rpc import Caller
from .scheduler import Scheduler
from .state import (
    App,
    FunctionRecord,
    State,
    deterministic_id,
    handle_metadata,
    new_id,
    with_options,
)

WORKSPACE = "fake-workspace"


class DeployRpcs:
    """The methods that `App.deploy`, `App.lookup` and the tags use."""

    def __init__(self, state: State, scheduler: Scheduler) -> None:
        self._state = state
        self._scheduler = scheduler

    async def ClientHello(self, request: Empty, caller: Caller):
        version = self._scheduler.settings.image_builder_version
        return api_pb2.ClientHelloResponse(image_builder_version=version)

    async def WorkspaceNameLookup(self, request: Empty, caller: Caller):
        return api_pb2.WorkspaceNameLookupResponse(workspace_name=WORKSPACE, username="tester")

    async def TokenInfoGet(self, request: api_pb2.TokenInfoGetRequest, caller: Caller):
        return api_pb2.TokenInfoGetResponse(workspace_name=WORKSPACE, token_name="for-tests")

    async def EnvironmentGetOrCreate(
        self, request: api_pb2.EnvironmentGetOrCreateRequest, caller: Caller
    ):
        name = request.deployment_name or "main"
        settings = api_pb2.EnvironmentSettings(
            image_builder_version=self._scheduler.settings.image_builder_version
        )
        return api_pb2.EnvironmentGetOrCreateResponse(
            environment_id=deterministic_id("en", name),
            metadata=api_pb2.EnvironmentMetadata(name=name, settings=settings),
        )

    async def AppGetByDeploymentName(
        self, request: api_pb2.AppGetByDeploymentNameRequest, caller: Caller
    ):
        app = self._state.apps.get(self._state.app_ids.get(request.name, ""))
        alive = app is not None and not app.stopped
        return api_pb2.AppGetByDeploymentNameResponse(app_id=app.app_id if alive else "")

    async def AppCreate(self, request: api_pb2.AppCreateRequest, caller: Caller):
        app = App(app_id=new_id("ap"), name=request.description, tags=dict(request.tags))
        self._state.apps[app.app_id] = app
        return api_pb2.AppCreateResponse(
            app_id=app.app_id,
            app_page_url=f"https://example.invalid/apps/{app.app_id}",
            app_logs_url=f"https://example.invalid/apps/{app.app_id}/logs",
        )

    async def AppGetLayout(self, request: api_pb2.AppGetLayoutRequest, caller: Caller):
        layout = self._state.layout(self._state.app(request.app_id))
        return api_pb2.AppGetLayoutResponse(app_layout=layout)

    async def AppHeartbeat(self, request: api_pb2.AppHeartbeatRequest, caller: Caller):
        return Empty()

    async def AppClientDisconnect(
        self, request: api_pb2.AppClientDisconnectRequest, caller: Caller
    ):
        return Empty()

    async def FunctionPrecreate(self, request: api_pb2.FunctionPrecreateRequest, caller: Caller):
        function_id = request.existing_function_id or new_id("fu")
        if function_id not in self._state.functions:
            definition = api_pb2.Function(
                function_name=request.function_name,
                function_type=request.function_type,
                function_schema=request.function_schema,
                method_definitions=request.method_definitions,
                supported_input_formats=request.supported_input_formats,
                supported_output_formats=request.supported_output_formats,
            )
            self._state.functions[function_id] = FunctionRecord(
                function_id=function_id, app_id=request.app_id, definition=definition
            )
        metadata = handle_metadata(self._state.functions[function_id])
        return api_pb2.FunctionPrecreateResponse(function_id=function_id, handle_metadata=metadata)

    async def FunctionCreate(self, request: api_pb2.FunctionCreateRequest, caller: Caller):
        function_id = request.existing_function_id or new_id("fu")
        draft = api_pb2.Function()
        if request.HasField("function"):
            draft.CopyFrom(request.function)
        else:  # A list of GPUs: the first choice is always there.
            draft.CopyFrom(request.function_data.ranked_functions[0].function)
        record = self._state.functions.get(function_id)
        if record is None:
            record = FunctionRecord(
                function_id=function_id, app_id=request.app_id, definition=draft
            )
            self._state.functions[function_id] = record
        record.draft = draft
        return api_pb2.FunctionCreateResponse(
            function_id=function_id,
            function=draft,
            function_data=function_data(draft),
            handle_metadata=handle_metadata(record),
        )

    async def ClassCreate(self, request: api_pb2.ClassCreateRequest, caller: Caller):
        return api_pb2.ClassCreateResponse(
            class_id=request.existing_class_id or new_id("cs"),
            handle_metadata=api_pb2.ClassHandleMetadata(),
        )

    async def AppPublish(self, request: api_pb2.AppPublishRequest, caller: Caller):
        app = self._state.app(request.app_id)
        digest = self._digest(request)
        url = f"https://example.invalid/apps/{app.app_id}"
        if digest == app.digest and not app.stopped:
            return api_pb2.AppPublishResponse(url=url, deployed_at=0.0)
        app.digest, app.stopped = digest, False
        app.tags = dict(request.tags)
        app.function_ids, app.class_ids = dict(request.function_ids), dict(request.class_ids)
        if request.name:
            app.name = request.name
            self._state.app_ids[request.name] = app.app_id
        app.deployments.append(
            {
                "version": len(app.deployments) + 1,
                "tag": request.deployment_tag,
                "tags": dict(request.tags),
                "at": time.time(),
            }
        )
        self._publish_drafts(app)
        return api_pb2.AppPublishResponse(url=url, deployed_at=time.time())

    def _digest(self, request: api_pb2.AppPublishRequest) -> str:
        digest = hashlib.sha256(repr(sorted(request.tags.items())).encode())
        for name, function_id in sorted(request.function_ids.items()):
            record = self._state.function(function_id)
            definition = record.draft or record.definition
            digest.update(name.encode())
            digest.update(definition.SerializeToString(deterministic=True))
        return digest.hexdigest()

    def _publish_drafts(self, app: App) -> None:
        """Put new definitions in force; containers of the old ones finish what they hold."""
        replaced: set[str] = set()
        for function_id in app.function_ids.values():
            record = self._state.functions[function_id]
            if record.draft is not None:
                record.definition, record.draft = record.draft, None
                replaced.add(function_id)
                for variant in self._state.variants_of(function_id):
                    variant.definition = with_options(record.definition, variant.options)
                    replaced.add(variant.function_id)
        if self._scheduler.runner is not None:
            self._scheduler.runner.drain(replaced)
        self._scheduler.start_queued()

    async def AppStop(self, request: api_pb2.AppStopRequest, caller: Caller):
        app = self._state.app(request.app_id)
        app.stopped = True
        for call in list(self._state.calls.values()):
            if call.app_id == app.app_id:
                self._scheduler.cancel(call, terminate=True)
        functions = {
            f.function_id for f in self._state.functions.values() if f.app_id == app.app_id
        }
        if self._scheduler.runner is not None:
            self._scheduler.runner.drain(functions)
        self._scheduler.signal.notify()
        return Empty()

    async def AppGetOrCreate(self, request: api_pb2.AppGetOrCreateRequest, caller: Caller):
        if request.object_creation_type == api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING:
            known = self._state.apps.get(self._state.app_ids.get(request.app_name, ""))
            if known is None or known.stopped:
                app = App(app_id=new_id("ap"), name=request.app_name)
                self._state.apps[app.app_id] = app
                self._state.app_ids[request.app_name] = app.app_id
        app = self._state.app_named(request.app_name)
        metadata = api_pb2.AppHandleMetadata(app_id=app.app_id, description=app.name)
        return api_pb2.AppGetOrCreateResponse(app_id=app.app_id, handle_metadata=metadata)

    async def AppGetTags(self, request: api_pb2.AppGetTagsRequest, caller: Caller):
        return api_pb2.AppGetTagsResponse(tags=self._state.app(request.app_id).tags)

    async def AppSetTags(self, request: api_pb2.AppSetTagsRequest, caller: Caller):
        self._state.app(request.app_id).tags = dict(request.tags)
        return Empty()

    async def ImageGetOrCreate(self, request: api_pb2.ImageGetOrCreateRequest, caller: Caller):
        encoded = request.image.SerializeToString(deterministic=True)
        image_id = deterministic_id("im", encoded, request.builder_version)
        self._state.images[image_id] = request.image
        return api_pb2.ImageGetOrCreateResponse(
            image_id=image_id,
            result=api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS),
            metadata=api_pb2.ImageMetadata(image_builder_version=request.builder_version),
        )


def function_data(definition: api_pb2.Function) -> api_pb2.FunctionData:
    """Describe a function the way a handle reads it back."""
    data = api_pb2.FunctionData(
        module_name=definition.module_name,
        function_name=definition.function_name,
        function_type=definition.function_type,
        timeout_secs=definition.timeout_secs,
        startup_timeout_secs=definition.startup_timeout_secs,
        task_idle_timeout_secs=definition.task_idle_timeout_secs,
        is_class=definition.is_class,
        class_parameter_info=definition.class_parameter_info,
        method_definitions=definition.method_definitions,
        method_definitions_set=definition.method_definitions_set,
        ranked_functions=[api_pb2.FunctionData.RankedFunction(rank=0, function=definition)],
    )
    if definition.HasField("autoscaler_settings"):
        data.autoscaler_settings.CopyFrom(definition.autoscaler_settings)
    return data
