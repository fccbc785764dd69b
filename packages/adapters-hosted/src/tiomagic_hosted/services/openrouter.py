"""OpenRouter, by its client ``openrouter``: many makers' models in one shape.

The client repeats a request for up to an hour after a status 5xx or a broken connection, also one
that starts a run. So each call switches that off, and its requests go through the transport of
:mod:`tiomagic_hosted.sending`. OpenRouter has no request that stops a run, and none that lists
runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost
from tiomagic_hosted.data_urls import write_data_url
from tiomagic_hosted.errors import Answer
from tiomagic_hosted.sending import Correspondent, build_transport, find_tls, read_wait
from tiomagic_hosted.service import Order, RunState

KEY_VARIABLE: Final = "OPENROUTER_API_KEY"
REQUEST_TIMEOUT_MS: Final = 60_000
LISTING_TIMEOUT_MS: Final = 5_000
"""A run waits for the list of models, so it waits shortly: a list of yesterday does as well."""
LARGEST_PICTURE_BYTES: Final = 15 * 2**20
"""A picture travels inside the request, a third larger; the client's documents name no limit."""
FIRST_FRAME, LAST_FRAME = "first_frame", "last_frame"
_CHUNK_BYTES: Final = 2**18
_OPENROUTER: Final = Correspondent(title="OpenRouter", key=KEY_VARIABLE)
_NO_RETRIES: Final[dict[str, Any]] = {"retries": None, "timeout_ms": REQUEST_TIMEOUT_MS}


class OpenRouterService:
    """OpenRouter, as a service of :class:`~tiomagic_hosted.service.HostedService`.

    Args:
        key: The key; None for a service that can only say what it is.
        server_url: Where it is; None for the vendor's own address.
    """

    name = "openrouter"
    title = "OpenRouter"
    dashboard = "https://openrouter.ai/activity"
    poll_interval_s = 10.0  # Its documents ask for 10 to 30 seconds.
    keeps_videos = timedelta(days=1)
    can_cancel = False
    can_upload = True
    largest_file_bytes = LARGEST_PICTURE_BYTES

    def __init__(self, key: str | None, server_url: str | None = None) -> None:
        self._key = key
        self._server_url = server_url

    @cached_property
    def _videos(self) -> Any:
        return _build_client(self._key, self._server_url).video_generation

    def upload(self, media: Media) -> str:
        """Return a picture as a data URL: OpenRouter has no store for them."""
        return write_data_url(media)

    def create(self, order: Order, job: Job) -> str:
        """Ask for a run once; see the protocol."""
        arguments = dict(order.arguments)
        frames = [
            {"type": "image_url", "image_url": {"url": arguments.pop(end)}, "frame_type": end}
            for end in (FIRST_FRAME, LAST_FRAME)
            if end in arguments
        ]
        if frames:
            arguments["frame_images"] = frames
        with _OPENROUTER.creating(job, *_import_errors()):
            answer = self._videos.generate(model=order.endpoint, **arguments, **_NO_RETRIES)
        return str(answer.id)

    def find(self, job: Job) -> Sequence[str]:  # noqa: ARG002 - OpenRouter lists no runs
        """Return nothing: OpenRouter has no list of runs."""
        return ()

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a run; see the protocol."""
        with _OPENROUTER.asking("look at the run", *_import_errors()):
            run = self._videos.get_generation(job_id=run_id, **_NO_RETRIES)
        return self._read_state(run_id, run) or RunState(
            # A status of a newer OpenRouter: the run goes on.
            status=job.status,
            message=f"OpenRouter says: {run.status}",
        )

    def _read_state(self, run_id: str, run: Any) -> RunState | None:
        cost, state = _read_cost(run.usage), None
        match run.status:
            case "pending":
                state = RunState(status=JobStatus.QUEUED, message="waits at OpenRouter")
            case "in_progress":
                state = RunState(status=JobStatus.RUNNING, message="runs at OpenRouter")
            case "completed" if run.unsigned_urls or run.urls:
                state = RunState(
                    status=JobStatus.COMPLETED, read=lambda: self._read(run_id), cost=cost
                )
            case "completed":
                state = _fail("the run ended without a video", cost, ErrorCode.NO_VIDEO)
            case "cancelled":
                state = RunState(
                    status=JobStatus.CANCELED, message="canceled by OpenRouter", cost=cost
                )
            case "failed" | "expired":
                reason = run.error or "no reason given"
                state = _fail(reason if run.status == "failed" else f"expired: {reason}", cost)
        return state

    def _read(self, run_id: str) -> Iterator[bytes]:
        """Give the video's bytes; its address needs the key, so the client asks for it."""
        import httpx  # noqa: PLC0415 - the client's own

        with _OPENROUTER.fetching(httpx.HTTPError, *_import_errors()):
            answer = self._videos.get_video_content(job_id=run_id, index=0, **_NO_RETRIES)
            yield from answer.iter_bytes(_CHUNK_BYTES)

    def cancel(self, run_id: str, job: Job) -> None:
        """Do nothing: OpenRouter has no such request."""

    def list_models(self) -> Mapping[str, Any]:
        """Return OpenRouter's list of models for videos, with their limits and prices.

        Raises:
            APIError: when it cannot be had within some seconds.
        """
        with _OPENROUTER.asking("list its models", *_import_errors()):
            answer = self._videos.list_videos_models(retries=None, timeout_ms=LISTING_TIMEOUT_MS)
        # A word that the client does not know yet is taken as it is.
        listed: Mapping[str, Any] = answer.model_dump(mode="json", by_alias=True, warnings=False)
        return listed


def _import_client() -> Any:
    try:
        import openrouter  # noqa: PLC0415 - most of a second, and only with the extra
    except ImportError as error:
        raise missing_extra_error(
            "openrouter", "the provider 'openrouter'", module="openrouter"
        ) from error
    return openrouter


def _import_errors() -> tuple[type[Exception], ...]:
    """Return what the client raises for an answer that it cannot read."""
    _import_client()
    from openrouter import errors  # noqa: PLC0415

    return (errors.OpenRouterError, errors.NoResponseError)


def _build_client(key: str | None, server_url: str | None) -> Any:
    openrouter = _import_client()
    import httpx  # noqa: PLC0415 - the client's own

    return openrouter.OpenRouter(
        api_key=key or "",
        server_url=server_url,
        client=httpx.Client(transport=build_transport(httpx, _read_answer), follow_redirects=True),
        # Not used, but the client would build one of its own, and read all certificates for it.
        async_client=httpx.AsyncClient(verify=find_tls(httpx)),
        retry_config=None,
    )


def _read_answer(response: Any) -> Answer:
    """Return an answer of 400 or above, with OpenRouter's own words."""
    text, code, reasons = response.text[:1000], None, None
    try:
        said = response.json()["error"]
        text, metadata = str(said["message"]), said.get("metadata") or {}
        # The maker's own words, which say why, are beside OpenRouter's.
        reasons = metadata.get("reasons")
        why = metadata.get("raw") or ", ".join(reasons or ())
        text += f" ({why})" if why else ""
        code = metadata.get("error_type") or metadata.get("provider_code")
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # Not its usual form: the text says what there is.
    return Answer(
        status=response.status_code,
        text=text,
        code=code,
        retry_after_s=read_wait(response),
        is_moderation=response.status_code == 403 and bool(reasons),
    )


def _read_cost(usage: Any) -> Cost | None:
    amount = getattr(usage, "cost", None)
    # The client has an object of its own for what is not there.
    return Cost(amount=float(amount)) if isinstance(amount, int | float) else None


def _fail(text: str, cost: Cost | None, kind: ErrorCode = ErrorCode.GENERATION) -> RunState:
    return RunState(
        status=JobStatus.FAILED, error=f"OpenRouter: {text}", error_code=kind, cost=cost
    )
