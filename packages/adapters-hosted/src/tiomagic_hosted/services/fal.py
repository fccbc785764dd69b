"""fal.ai, by its client ``fal-client``.

The client repeats a submission up to ten times, after a timeout as well, and fal has no idempotency
key: such a repetition would be billed as a second run. So its requests go through the transport of
:mod:`tiomagic_hosted.sending`. All else is the client's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost
from tiomagic_hosted.errors import Answer
from tiomagic_hosted.sending import (
    Correspondent,
    RefusedError,
    build_sender,
    build_transport,
    read_wait,
)
from tiomagic_hosted.service import Order, RunState

KEY_VARIABLE: Final = "FAL_KEY"
REQUEST_TIMEOUT_S: Final = 60.0
PLATFORM_URL: Final = "https://api.fal.ai/v1"
"""fal's interface about its endpoints, which its client does not have."""
LISTING_TIMEOUT_S: Final = 2.5
"""Of each step. A run waits for prices and for schemas, so shortly: yesterday's do as well."""
UPLOADS_LIVE_FOR: Final = "1d"
"""A run waits in the queue for minutes; after a day fal deletes what was uploaded."""
MODERATION: Final = "content_policy_violation"
"""fal's code for a call that its checks of content refuse."""
_SEPARATOR: Final = "@"
_FAL: Final = Correspondent(title="fal", key=KEY_VARIABLE)
NOT_BILLED: Final = Cost(
    amount=0, basis="fal bills no errors of its own (fal.ai/docs/model-apis/faq)"
)
"""What a run costs that fal's own error ended. One that ended by its inputs may be billed."""
NOT_STARTED: Final = Cost(
    amount=0, basis="fal bills no time in its queue (docs.fal.ai/documentation/model-apis/pricing)"
)
"""What a run costs that was taken out of the queue."""


class FalService:
    """fal, as a service of :class:`~tiomagic_hosted.service.HostedService`.

    Args:
        key: The key; None for a service that can only say what it is.
    """

    name = "fal"
    title = "fal"
    dashboard = "https://fal.ai/dashboard/requests"
    poll_interval_s = 2.0
    keeps_videos = timedelta(days=7)
    can_cancel = True
    can_upload = True
    largest_file_bytes = None

    def __init__(self, key: str | None) -> None:
        self._key = key

    @cached_property
    def _client(self) -> Any:
        return _build_client(self._key)

    def upload(self, media: Media) -> str:
        """Put a file on fal's own store for a day, and return its address."""
        fal = _import_client()
        name = f"{media.sha256[:16]}.{media.media_type.partition('/')[2]}"
        lifetime = fal.StorageSettings(expires_in=UPLOADS_LIVE_FOR)
        try:
            address = self._client.upload(
                media.read_bytes(), media.media_type, name, lifecycle=lifetime
            )
        except Exception as error:  # The client tries two stores and raises what the second did.
            raise APIError(
                f"{media.kind.value} {media.name or name} could not be uploaded to fal: {error}. "
                "Nothing was started",
                retryable=True,
            ) from error
        return str(address)

    def create(self, order: Order, job: Job) -> str:
        """Submit a run once; see the protocol."""
        with _FAL.creating(job):
            handle = self._client.submit(order.endpoint, dict(order.arguments))
        return f"{order.endpoint}{_SEPARATOR}{handle.request_id}"

    def find(self, job: Job) -> Sequence[str]:  # noqa: ARG002 - fal has no search by a caller's id
        """Return nothing: fal's client cannot search."""
        return ()

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a run; see the protocol."""
        fal = _import_client()
        with _FAL.asking("look at the run"):
            handle = self._handle(run_id)
            try:
                status = handle.status(with_logs=True)
            except (KeyError, ValueError) as error:
                # A status of a newer fal: the run goes on.
                return RunState(status=job.status, message=f"fal says: {error}")
            match status:
                case fal.Queued():
                    return RunState(
                        status=JobStatus.QUEUED,
                        message="in fal's queue",
                        queue_position=status.position,
                    )
                case fal.InProgress():
                    return RunState(
                        status=JobStatus.RUNNING, message="runs at fal", logs=_join(status.logs)
                    )
            return self._look_at_end(handle, status, has_started=job.started_at is not None)

    def _look_at_end(self, handle: Any, status: Any, *, has_started: bool) -> RunState:
        logs = _join(status.logs)
        if "cancel" in str(status.error_type or "").lower():
            # What it costs once it has started, fal does not say.
            cost = None if has_started else NOT_STARTED
            message = "canceled by fal"
            return RunState(status=JobStatus.CANCELED, message=message, logs=logs, cost=cost)
        if status.error:
            return self._fail(str(status.error), status.error_type, logs)
        try:
            # The client's own get() polls again in a loop; the run is known to be over.
            answer = handle.client.get(handle.response_url, timeout=REQUEST_TIMEOUT_S)
        except RefusedError as error:
            if error.is_passing:
                raise
            return self._fail(error.answer.text, error.answer.code, logs)
        address = _find_video(answer.json())
        if address is None:
            return self._fail("the run ended without a video", None, logs, ErrorCode.NO_VIDEO)
        seconds = (status.metrics or {}).get("inference_time")
        facts = {} if seconds is None else {"inference_s": seconds}
        return RunState(status=JobStatus.COMPLETED, address=address, logs=logs, facts=facts)

    def _fail(
        self,
        text: str,
        code: str | None,
        logs: str | None,
        kind: ErrorCode = ErrorCode.GENERATION,
    ) -> RunState:
        said = f"fal: {text}" + (f" ({code})" if code else "")
        return RunState(
            status=JobStatus.FAILED,
            error=said,
            error_code=kind,
            logs=logs,
            cost=NOT_BILLED if _is_fals_own(code) else None,
            facts={} if code is None else {"vendor_code": code},
        )

    def cancel(self, run_id: str, job: Job) -> None:  # noqa: ARG002 - the id says all
        """Ask for the end of a run: a run that waits is taken out, one that runs may go on."""
        try:
            with _FAL.asking("cancel the run"):
                self._handle(run_id).cancel()
        except APIError as error:
            if error.details.get("status") is None or error.retryable:
                raise

    def list_prices(self, endpoints: Sequence[str]) -> Mapping[str, Any]:
        """Return fal's answer about the prices of endpoints, at most 50.

        Raises:
            APIError: when it cannot be had within some seconds.
        """
        return self._list("models/pricing", {"endpoint_id": list(endpoints)})

    def list_schemas(self, endpoints: Sequence[str]) -> Mapping[str, Any]:
        """Return fal's answer about endpoints, at most 10, with their OpenAPI documents.

        Raises:
            APIError: when it cannot be had within some seconds.
        """
        return self._list("models", {"endpoint_id": list(endpoints), "expand": "openapi-3.0"})

    def _list(self, part: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        with _FAL.asking("list its prices and arguments", *_import_http_errors(), ValueError):
            found = self._client.ask_platform(part, query)
        return found if isinstance(found, dict) else {}

    def _handle(self, run_id: str) -> Any:
        endpoint, _, request_id = run_id.rpartition(_SEPARATOR)
        return self._client.get_handle(endpoint, request_id)


def _is_fals_own(code: str | None) -> bool:
    """Say whether a failure is fal's own: its runners and its times have HTTP 500 and above."""
    return code is not None and (code.startswith("runner_") or code.endswith("_timeout"))


def _import_client() -> Any:
    try:
        import fal_client  # noqa: PLC0415 - half a second, and only with the extra
    except ImportError as error:
        raise missing_extra_error("fal", "the provider 'fal'", module="fal_client") from error
    return fal_client


def _import_http_errors() -> tuple[type[Exception], ...]:
    _import_client()
    import httpx  # noqa: PLC0415 - the client's own

    return (httpx.HTTPError,)


def _build_client(key: str | None) -> Any:
    """Return fal's client, whose requests for runs are not repeated."""
    fal = _import_client()
    import httpx  # noqa: PLC0415 - the client's own
    from fal_client.client import USER_AGENT, BackupDomainTransport  # noqa: PLC0415

    # The client cannot be closed, so each connection is, after its answer.
    one_use = httpx.Limits(max_keepalive_connections=0)

    # Its second domain is only asked when no connection to the first was made.
    sender = BackupDomainTransport(transport=build_sender(httpx))

    class Client(fal.SyncClient):  # type: ignore[misc, name-defined]
        @cached_property
        def _client(self) -> httpx.Client:
            return httpx.Client(
                transport=build_transport(httpx, _read_answer, sender),
                headers={"Authorization": self._auth.header_value, "User-Agent": USER_AGENT},
                timeout=self.default_timeout,
                follow_redirects=True,
            )

        def ask_platform(self, part: str, query: Mapping[str, Any]) -> Any:
            address = f"{PLATFORM_URL}/{part}"
            return self._client.get(address, params=query, timeout=LISTING_TIMEOUT_S).json()

        def _get_cdn_client(self) -> httpx.Client:
            token = self._token_manager.get_token()
            return httpx.Client(
                headers={
                    "Authorization": f"{token.token_type} {token.token}",
                    "User-Agent": USER_AGENT,
                },
                timeout=self.default_timeout,
                limits=one_use,
            )

    return Client(key=key, default_timeout=REQUEST_TIMEOUT_S)


def _read_answer(response: Any) -> Answer:
    """Return an answer of 400 or above, with fal's own words."""
    code = response.headers.get("x-fal-error-type")
    try:
        body = response.json()
    except ValueError:
        body = None
    text = response.text[:1000]
    if isinstance(body, dict):
        detail = body.get("detail", text)
        code = body.get("error_type") or code
        # A refused argument comes as a list, each with its place, its type and a sentence.
        if isinstance(detail, list):
            code = code or next((str(one.get("type")) for one in detail if "type" in one), None)
            detail = "; ".join(_say_detail(one) for one in detail)
        text = str(detail)
    return Answer(
        status=response.status_code,
        text=text,
        code=code,
        retry_after_s=read_wait(response),
    )


def _say_detail(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    place = ".".join(str(part) for part in one.get("loc", ()) if part != "body")
    return f"{place}: {one.get('msg')}" if place else str(one.get("msg"))


def _find_video(result: object) -> str | None:
    """Return the address of the video in a result; every endpoint of ours has it here."""
    video = result.get("video") if isinstance(result, dict) else None
    address = video.get("url") if isinstance(video, dict) else None
    return address if isinstance(address, str) else None


def _join(logs: object) -> str | None:
    if not isinstance(logs, list) or not logs:
        return None
    lines = (one.get("message", json.dumps(one)) for one in logs if isinstance(one, dict))
    return "".join(f"{line}\n" for line in lines)
