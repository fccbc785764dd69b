"""Runway, by its client ``runwayml``.

A task has its price in credits before and after its run. A small file goes along with the call, a
larger one to Runway's own store for a day.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost
from tiomagic_hosted.catalogue.runway import USD_A_CREDIT
from tiomagic_hosted.sending import Correspondent, RefusedError
from tiomagic_hosted.service import Order, RunState
from tiomagic_hosted.services import stainless

KEY_VARIABLE: Final = "RUNWAYML_API_SECRET"
DATA_URL_BYTES: Final = 5_000_000
"""The longest data URL that the types of runwayml 5.24.0 allow, "5MB"."""
_RUNWAY: Final = Correspondent(title="Runway", key=KEY_VARIABLE)


class RunwayService:
    """Runway, as a service of :class:`~tiomagic_hosted.service.HostedService`.

    Args:
        key: The key; None for a service that can only say what it is.
    """

    name = "runway"
    title = "Runway"
    dashboard = "https://dev.runwayml.com"
    # "Consumers of this API should not expect updates more frequent than once every five seconds."
    poll_interval_s = 5.0
    # An address of a video ends after a day or two, and each look gives a fresh one. For how long,
    # Runway does not say.
    keeps_videos = timedelta(days=14)
    can_cancel = True
    can_upload = True
    largest_file_bytes = None

    def __init__(self, key: str | None) -> None:
        self._key = key

    @cached_property
    def _client(self) -> Any:
        runway = stainless.import_client("runwayml", "runway")
        return stainless.build_client(
            runway.RunwayML, ("issues", "error", "message"), api_key=self._key
        )

    def upload(self, media: Media) -> str:
        """Return a data URL of a small file, or Runway's own address of a larger one."""
        data = media.read_bytes()
        address = f"data:{media.media_type};base64,{base64.b64encode(data).decode()}"
        if len(address) <= DATA_URL_BYTES:
            return address
        name = f"{media.sha256[:16]}.{media.media_type.partition('/')[2]}"
        try:
            placed = self._client.uploads.create_ephemeral(file=(name, data, media.media_type))
            return str(placed.uri)
        except Exception as error:  # It also sends the file by a client of its own.
            cause = error.__cause__
            reason = cause.answer.text if isinstance(cause, RefusedError) else type(error).__name__
            raise APIError(
                f"{media.kind.value} {media.name or name} could not be uploaded to Runway: "
                f"{reason}. Nothing was started",
                retryable=True,
            ) from error

    def create(self, order: Order, job: Job) -> str:
        """Create a task once; see the protocol."""
        with stainless.creating(_RUNWAY, job):
            made = getattr(self._client, order.endpoint).create(**order.arguments)
            return str(stainless.read_plain(made)["id"])

    def find(self, job: Job) -> Sequence[str]:  # noqa: ARG002 - Runway lists no tasks
        """Return nothing: Runway's client cannot list tasks."""
        return ()

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a task; see the protocol."""
        with stainless.asking(_RUNWAY, "look at the task"):
            task = stainless.read_plain(self._client.tasks.retrieve(run_id))
            return _read_state(task, job)

    def cancel(self, run_id: str, job: Job) -> None:  # noqa: ARG002 - the id says all
        """Delete a task that is not over, which ends it; one that runs is billed all the same."""
        try:
            with stainless.asking(_RUNWAY, "cancel the task"):
                self._client.tasks.delete(run_id)
        except (ResourceNotFoundError, ValidationError):
            return  # It is over, which the next look says.


def _read_state(task: Mapping[str, Any], job: Job) -> RunState:
    status = str(task.get("status"))
    if status in _STATES:
        state = _STATES[status](task)
    else:  # Of a newer Runway: the task goes on.
        state = RunState(status=job.status, message=f"Runway says: {status}")
    paid = (task.get("cost") or task.get("estimatedCost") or {}).get("credits")
    if paid is None:
        return state
    cost = Cost(amount=round(paid * USD_A_CREDIT, 6))
    return replace(state, cost=cost, facts={**state.facts, "credits": paid})


def _read_waiting(task: Mapping[str, Any]) -> RunState:
    limited = ": your account runs as many at once as its tier allows"
    message = "waits at Runway" + (limited if task["status"] == "THROTTLED" else "")
    return RunState(status=JobStatus.QUEUED, message=message)


def _read_running(task: Mapping[str, Any]) -> RunState:
    return RunState(
        status=JobStatus.RUNNING, message="runs at Runway", fraction=task.get("progress")
    )


def _read_success(task: Mapping[str, Any]) -> RunState:
    if task.get("output"):
        return RunState(status=JobStatus.COMPLETED, address=task["output"][0])
    return RunState(
        status=JobStatus.FAILED,
        error="Runway: the task ended without a video",
        error_code=ErrorCode.NO_VIDEO,
    )


def _read_failure(task: Mapping[str, Any]) -> RunState:
    code = task.get("failureCode")
    return RunState(
        status=JobStatus.FAILED,
        error=f"Runway: {task.get('failure')}" + (f" ({code})" if code else ""),
        error_code=ErrorCode.GENERATION,
        facts={} if code is None else {"vendor_code": code},
    )


def _read_cancel(_task: Mapping[str, Any]) -> RunState:
    return RunState(status=JobStatus.CANCELED, message="canceled by Runway")


_STATES: Final[Mapping[str, Callable[[Mapping[str, Any]], RunState]]] = {
    "PENDING": _read_waiting,
    "THROTTLED": _read_waiting,
    "RUNNING": _read_running,
    "SUCCEEDED": _read_success,
    "FAILED": _read_failure,
    "CANCELLED": _read_cancel,
}
