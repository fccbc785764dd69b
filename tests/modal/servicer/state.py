"""What a workspace holds. Plain records that pickle, so that a server can come back with them."""

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field

from grpclib import GRPCError, Status
from modal._serialization import deserialize_proto_params
from modal_proto import api_pb2


def new_id(prefix: str) -> str:
    """Make an id that is never made twice."""
    return f"{prefix}-{secrets.token_hex(11)}"


def deterministic_id(prefix: str, *parts: str | bytes) -> str:
    """Make the id that the same parts get on every server of this kind.

    Clients keep the ids of images, mounts, volumes and Dicts for as long as they live; these ids
    outlive a reset.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return f"{prefix}-{digest.hexdigest()[:22]}"


def not_found(what: str, name: str) -> GRPCError:
    """Say that something is missing the way the client expects it."""
    return GRPCError(Status.NOT_FOUND, f"{what} {name!r} not found")


@dataclass(kw_only=True)
class App:
    """A deployed (or half deployed) app."""

    app_id: str
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    function_ids: dict[str, str] = field(default_factory=dict)
    class_ids: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    """Of the published definitions and tags; empty before the first publish."""
    deployments: list[dict[str, object]] = field(default_factory=list)
    stopped: bool = False


@dataclass(kw_only=True)
class FunctionRecord:
    """A function, or one variant of it: the same function with parameters and options."""

    function_id: str
    app_id: str
    definition: api_pb2.Function
    draft: api_pb2.Function | None = None
    """Sent by FunctionCreate, in force from the next AppPublish on."""
    base_id: str | None = None
    """The function that this is a variant of; None for the function itself."""
    serialized_params: bytes = b""
    options: api_pb2.FunctionOptions | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """What `modal.parameter` fields were given."""
        proto = api_pb2.ClassParameterInfo.PARAM_SERIALIZATION_FORMAT_PROTO
        if self.definition.class_parameter_info.format != proto:
            return {}
        return deserialize_proto_params(self.serialized_params)

    @property
    def gpu(self) -> str | None:
        """The GPU as `with_options` or the decorator named it; None for a CPU."""
        config = self.definition.resources.gpu_config
        if not config.count:
            return None
        return config.gpu_type if config.count == 1 else f"{config.gpu_type}:{config.count}"

    @property
    def timeout_s(self) -> int:
        return self.definition.timeout_secs

    @property
    def scaledown_window_s(self) -> int:
        return self.definition.task_idle_timeout_secs


@dataclass(kw_only=True)
class Call:
    """One spawned call, which has one input."""

    call_id: str
    input_id: str
    function_id: str
    app_id: str
    input: api_pb2.FunctionInput
    invocation_type: int
    submission: str = ""
    """The client's own key for the request; the same when it repeats one that went unanswered."""
    created_at: float = field(default_factory=time.time)
    status: str = "queued"
    """`queued`, `running` or `done`."""
    runs: int = 0
    """How many times a container was given the input."""
    retries: int = 0
    task_id: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    cancel_asked_at: float = 0.0
    """0 when nobody asked."""
    output: api_pb2.FunctionGetOutputsItem | None = None
    expired: bool = False
    log_spans: list[tuple[str, int, int | None]] = field(default_factory=list)
    """(file, first byte, end) for each run; the end is None while it runs."""
    gpu: str | None = None
    timeout_s: int = 0
    scaledown_window_s: int = 0
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def outcome(self) -> str | None:
        """The status of the result, such as `SUCCESS`; None before there is one."""
        if self.output is None:
            return None
        name = api_pb2.GenericResult.GenericStatus.Name(self.output.result.status)
        return name.removeprefix("GENERIC_STATUS_")


@dataclass(kw_only=True)
class Volume:
    """A named volume; its committed files are in a directory named after its id."""

    volume_id: str
    name: str
    version: int


@dataclass
class State:
    """Everything that survives a restart, except the files."""

    apps: dict[str, App] = field(default_factory=dict)
    app_ids: dict[str, str] = field(default_factory=dict)
    """By deployment name."""
    functions: dict[str, FunctionRecord] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    """Input id to call id."""
    queues: dict[str, deque[str]] = field(default_factory=dict)
    """Function id to the ids of its waiting calls, oldest first."""
    dicts: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    dict_names: dict[str, str] = field(default_factory=dict)
    """Dict id to name."""
    volumes: dict[str, Volume] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    secret_names: dict[str, str] = field(default_factory=dict)
    images: dict[str, api_pb2.Image] = field(default_factory=dict)
    mounts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Mount id to file name to sha256."""

    def app_named(self, name: str) -> App:
        app = self.apps.get(self.app_ids.get(name, name))
        if app is None or app.stopped:
            raise not_found("App", name)
        return app

    def app(self, app_id: str) -> App:
        if app_id not in self.apps:
            raise not_found("App", app_id)
        return self.apps[app_id]

    def function(self, function_id: str) -> FunctionRecord:
        if function_id not in self.functions:
            raise not_found("Function", function_id)
        return self.functions[function_id]

    def call(self, call_id: str) -> Call:
        if call_id not in self.calls:
            raise not_found("FunctionCall", call_id)
        return self.calls[call_id]

    def call_of_input(self, input_id: str) -> Call:
        return self.call(self.inputs.get(input_id, input_id))

    def layout(self, app: App) -> api_pb2.AppLayout:
        """Describe an app the way clients and containers want it."""
        objects = [
            api_pb2.Object(
                object_id=function_id,
                function_handle_metadata=handle_metadata(self.functions[function_id]),
            )
            for function_id in app.function_ids.values()
        ]
        objects += [
            api_pb2.Object(object_id=class_id, class_handle_metadata=api_pb2.ClassHandleMetadata())
            for class_id in app.class_ids.values()
        ]
        for volume in self.volumes.values():
            metadata = api_pb2.VolumeMetadata(version=volume.version, name=volume.name)
            objects.append(api_pb2.Object(object_id=volume.volume_id, volume_metadata=metadata))
        known = {item.object_id for item in objects}
        needed = {
            dependency.object_id
            for function_id in app.function_ids.values()
            for dependency in self.functions[function_id].definition.object_dependencies
        }
        objects += [api_pb2.Object(object_id=object_id) for object_id in sorted(needed - known)]
        return api_pb2.AppLayout(
            objects=objects, function_ids=app.function_ids, class_ids=app.class_ids
        )

    def variants_of(self, function_id: str) -> list[FunctionRecord]:
        return [f for f in self.functions.values() if f.base_id == function_id]


def handle_metadata(record: FunctionRecord) -> api_pb2.FunctionHandleMetadata:
    """Describe a function the way a handle wants it."""
    definition = record.draft or record.definition
    methods = {
        name: api_pb2.FunctionHandleMetadata(
            function_name=method.function_name,
            function_type=method.function_type,
            is_method=True,
            use_method_name=name,
            function_schema=method.function_schema,
            supported_input_formats=method.supported_input_formats,
            supported_output_formats=method.supported_output_formats,
            app_id=record.app_id,
        )
        for name, method in definition.method_definitions.items()
    }
    return api_pb2.FunctionHandleMetadata(
        function_name=definition.function_name,
        function_type=definition.function_type,
        definition_id=deterministic_id("de", definition.SerializeToString(deterministic=True)),
        class_parameter_info=definition.class_parameter_info,
        method_handle_metadata=methods,
        function_schema=definition.function_schema,
        supported_input_formats=definition.supported_input_formats,
        supported_output_formats=definition.supported_output_formats,
        app_id=record.app_id,
        base_function_id=record.base_id or "",
    )


def with_options(
    definition: api_pb2.Function, options: api_pb2.FunctionOptions | None
) -> api_pb2.Function:
    """Return the definition of a variant: the function's own, with the options over it."""
    merged = api_pb2.Function()
    merged.CopyFrom(definition)
    if options is None:
        return merged
    if options.HasField("resources"):
        merged.resources.MergeFrom(options.resources)
    if options.HasField("retry_policy"):
        merged.retry_policy.CopyFrom(options.retry_policy)
    for name in ("timeout_secs", "task_idle_timeout_secs", "concurrency_limit"):
        if options.HasField(name):
            setattr(merged, name, getattr(options, name))
    if options.replace_volume_mounts:
        del merged.volume_mounts[:]
    merged.volume_mounts.extend(options.volume_mounts)
    if options.replace_secret_ids:
        del merged.secret_ids[:]
    merged.secret_ids.extend(options.secret_ids)
    return merged
