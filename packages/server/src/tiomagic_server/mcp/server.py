"""The MCP server: its tools over a ``TioMagic``.

An agent cannot spend unseen: a video is made only with the token of a plan, which holds for exactly
that call at that price, and makes one job however often it is sent.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from tiomagic import TioMagic, __version__
from tiomagic.api.models import find_schema
from tiomagic.api.run_options import RunOptions
from tiomagic.handle.handle import JobHandle
from tiomagic.types import AnyModel, AnyProvider
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import JobTimeoutError, TioMagicError
from tiomagic_server.mcp.confirmations import VALID_S, Confirmations, RefusedConfirmationError
from tiomagic_server.mcp.media_inputs import check_remote_arguments
from tiomagic_server.mcp.texts import describe_job, describe_planned

LONGEST_WAIT_S: Final = 55
"""Seconds that one look at a job may wait: clients end a call after a minute."""
MOST_JOBS: Final = 50
"""Jobs of one search."""

INSTRUCTIONS: Final = """\
tiomagic makes short videos. Call plan_video first: it says what the call makes, what it costs and
how long it takes, and gives a confirmation. Show the user the plan if it costs money or takes long.
Then call make_video with the same arguments and the confirmation; it returns at once with a job.
Look at the job with check_video until it is over, and look at the result with show_video."""

FeatureWord = Annotated[
    Literal["text_to_video", "image_to_video", "interpolate", "pose_guidance"],
    Field(description="What the video is made from."),
]
Model = Annotated[
    str | None, Field(description="A name of list_models; left out: the provider's default.")
]
Arguments = Annotated[
    dict[str, Any],
    Field(
        description="Inputs and settings by name, as describe_model says, such as prompt, image, "
        "seconds, aspect, seed. A picture or a video is an https:// address, a data: URL, or the "
        "path of a file of this machine."
    ),
]
JobId = Annotated[str, Field(description="A job's id, or its beginning.")]

StatusWord = Literal["queued", "running", "canceling", "completed", "failed", "canceled"]
_NAME: Final = Field(description="A name of list_models.")
_CONFIRMATION: Final = Field(description="What plan_video returned for exactly this call.")
_MAX_COST: Final = Field(
    ge=0, description="Refuse the call if it may cost more, in the currency of the plan."
)
_WAIT: Final = Field(
    ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job's end before answering."
)
_TEXT: Final = Field(description="Words that the prompt must contain, in any order.")
_SINCE: Final = Field(description="Created since then: ISO 8601, or such as 7d ago.")

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MAKES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_ENDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class McpOptions:
    """How the tools behave."""

    is_remote: bool = False
    """True for agents of other machines: they name no files, and get no paths."""


class VideoTools:
    """The tools. Each public method is one, and its docstring is what the agent reads.

    Args:
        tm: Whose jobs they are.
        confirmations: Makes and checks the tokens of plans.
        options: How they behave.
    """

    def __init__(self, tm: TioMagic, confirmations: Confirmations, options: McpOptions) -> None:
        self._tm = tm
        self._confirmations = confirmations
        self._options = options

    def list_models(self, feature: FeatureWord) -> dict[str, Any]:
        """List the models that can make a video here, and the default one."""
        provider = self._tm.session.configured_provider()
        names = self._tm.get_models(feature, AnyProvider(provider))
        known = models()
        return {
            "provider": provider,
            "default": self._tm.get_default_model(),
            "models": [
                {"name": name, "title": known[name].title, "licence": known[name].licence}
                for name in names
            ],
        }

    def describe_model(self, feature: FeatureWord, model: Annotated[str, _NAME]) -> dict[str, Any]:
        """Return the JSON Schema of a model's arguments: inputs, settings, limits and defaults."""
        return self._tm.get_json_schema(feature, AnyModel(model))

    def plan_video(
        self, feature: FeatureWord, arguments: Arguments, model: Model = None
    ) -> dict[str, Any]:
        """Say what a video would be, take and cost, without making it. Makes and spends nothing.

        Returns the plan, and where it can run a confirmation for make_video. An estimate without an
        amount means that the price is not known.
        """
        planned = self._plan(feature, arguments, model)
        said = describe_planned(planned)
        if planned["preflight"]["can_run"]:
            order = _order(feature, arguments, model, planned)
            said["confirmation"] = self._confirmations.make(order)
            said["confirmation_valid_s"] = VALID_S
        return said

    def make_video(
        self,
        feature: FeatureWord,
        arguments: Arguments,
        confirmation: Annotated[str, _CONFIRMATION],
        model: Model = None,
        max_cost: Annotated[float | None, _MAX_COST] = None,
    ) -> dict[str, Any]:
        """Start making a video that was planned, and return its job at once. May cost money.

        Sent again with the same confirmation it returns the same job and makes no second video.
        """
        planned = self._plan(feature, arguments, model)
        order = _order(feature, arguments, model, planned)
        try:
            self._confirmations.check(confirmation, order)
        except RefusedConfirmationError as error:
            raise ToolError(f"confirmation: {error}; call plan_video with this call") from None
        call = getattr(self._tm, feature)
        # The token is the key: a lost answer that is asked for again finds the job.
        handle: JobHandle = call(
            model=planned["model"],
            wait=False,
            progress=False,
            idempotency_key=f"mcp-{confirmation}",
            max_cost=max_cost,
            **arguments,
        )
        return self._describe(handle)

    def check_video(
        self,
        job_id: JobId,
        wait_s: Annotated[float, _WAIT] = 0,
    ) -> dict[str, Any]:
        """Look at a job: its status, progress, error, and where its video is."""
        handle = self._tm.check_generation_status(job_id)
        if wait_s and not handle.is_over:
            with contextlib.suppress(JobTimeoutError):  # It goes on; its state is the answer.
                handle.wait(timeout=wait_s, progress=False)
        return self._describe(handle)

    def cancel_video(self, job_id: JobId) -> dict[str, Any]:
        """Ask for the end of a job. It is over when check_video says ``canceled``."""
        return self._describe(self._tm.cancel_job(job_id))

    def search_videos(
        self,
        text: Annotated[str | None, _TEXT] = None,
        status: StatusWord | None = None,
        model: Model = None,
        tag: Annotated[str | None, Field(description="A tag that the job must have.")] = None,
        since: Annotated[str | None, _SINCE] = None,
        limit: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 10,
    ) -> dict[str, Any]:
        """Find jobs of the past, the newest first."""
        filters = {"text": text, "status": status, "model": model, "tag": tag, "since": since}
        found = self._tm.list_jobs(**filters, limit=limit)  # type: ignore[arg-type]  # Checked there.
        return {"jobs": [self._describe(handle) for handle in found]}

    def show_video(
        self, job_id: JobId, frames: Annotated[int, Field(ge=2, le=24)] = 8
    ) -> list[Any]:
        """Return frames spread over a finished video as one picture, each with its time."""
        handle = self._tm.get_job(job_id)
        with tempfile.TemporaryDirectory(prefix="tiomagic-mcp-") as folder:
            sheet = handle.contact_sheet(Path(folder), frames=frames)
            picture = Image(data=sheet.read_bytes(), format="png")
        said = json.dumps(self._describe(handle), ensure_ascii=False)
        return [said, picture]

    def _plan(
        self, feature: FeatureWord, arguments: Mapping[str, Any], model: str | None
    ) -> dict[str, Any]:
        _check_names(arguments)
        if self._options.is_remote:
            name = model or self._tm.get_default_model()
            check_remote_arguments(find_schema(feature, name), arguments)
        return self._tm.plan(feature, AnyModel(model) if model else None, **arguments)

    def _describe(self, handle: JobHandle) -> dict[str, Any]:
        return describe_job(handle, with_files=not self._options.is_remote)


def build_mcp_server(
    tm: TioMagic,
    options: McpOptions | None = None,
    confirmations: Confirmations | None = None,
) -> MCPServer[Any]:
    """Return the MCP server with all tools.

    Args:
        tm: Whose jobs it makes and shows; with a provider.
        options: How the tools behave; None for an agent of this machine.
        confirmations: Makes and checks the tokens of plans; None for ones of this process.
    """
    tools = VideoTools(tm, confirmations or Confirmations(), options or McpOptions())
    with _keep_logging():
        server: MCPServer[Any] = MCPServer(
            "tiomagic", title="tiomagic", instructions=INSTRUCTIONS, version=__version__
        )
    for call, hints in (
        (tools.list_models, _READS),
        (tools.describe_model, _READS),
        (tools.plan_video, _READS),
        (tools.make_video, _MAKES),
        (tools.check_video, _READS),
        (tools.cancel_video, _ENDS),
        (tools.search_videos, _READS),
    ):
        server.add_tool(translate_errors(call), annotations=hints)
    # A picture is content of its own, and no field of a structure.
    server.add_tool(translate_errors(tools.show_video), annotations=_READS, structured_output=False)
    return server


@contextlib.contextmanager
def _keep_logging() -> Iterator[None]:
    """Leave the root logger as it was: the SDK gives it a handler of its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def translate_errors(call: Callable[P, R]) -> Callable[P, R]:
    """Return a tool whose errors reach the agent with their text, code and advice."""

    @functools.wraps(call)
    def calling(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except TioMagicError as error:
            raise ToolError(f"{error} [{error.code}]") from error

    return calling


def _order(
    feature: str, arguments: Mapping[str, Any], model: str | None, planned: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a token confirms: the call as it was given, where it runs, and its price."""
    estimate = planned.get("estimate") or {}
    return {
        "feature": feature,
        "arguments": dict(arguments),
        "model": planned["model"],
        "asked_model": model,
        "provider": planned["provider"],
        "cost": [estimate.get(name) for name in ("currency", "high", "amount")],
    }


def _check_names(arguments: Mapping[str, Any]) -> None:
    """Refuse options of how a call runs, which are the server's to choose."""
    taken = sorted(RunOptions.__annotations__.keys() & arguments.keys())
    if taken:
        raise ToolError(f"{', '.join(taken)}: not an argument of a video; leave it out")
