"""Google, by its client ``google-genai``: Gemini Omni by a key, Veo by a project of Google Cloud.

The client makes Veo's videos only on the Agent Platform, Google Cloud's side: the Gemini API, which
takes a key, has Gemini Omni in its place. So a run's id says whose it is:

=========================  =======================================================================
``interactions/ID``        an interaction of the Gemini API, in the background
``projects/…/operations/``  an operation of the Agent Platform
=========================  =======================================================================

The client repeats the creation of an interaction four times by default. Retries are off, and its
requests go through the transport of :mod:`tiomagic_hosted.sending`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import AuthenticationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_hosted.data_urls import write_data_url
from tiomagic_hosted.errors import Answer
from tiomagic_hosted.sending import Correspondent, build_transport, find_tls, read_wait
from tiomagic_hosted.service import Order, RunState

FILTERED: Final = "rai_media_filtered"
"""Google's field of the reasons for a refusal, as a code: it gives no other."""
KEY_VARIABLE: Final = "GEMINI_API_KEY"
DEFAULT_LOCATION: Final = "us-central1"
"""Where Veo runs if no place is set: the first region that has all its models."""
REQUEST_TIMEOUT_MS: Final = 120_000
"""The answer about a finished run of Veo has the video in it."""
LARGEST_PICTURE_BYTES: Final = 15 * 2**20
"""A request of the Gemini API has at most 20 MB, and a picture grows by a third in it."""
OMNI: Final = "omni/"
"""What the path of an endpoint of the Gemini API begins with."""
_INTERACTION: Final = "interactions/"
_GOOGLE: Final = Correspondent(title="Google", key=KEY_VARIABLE)


class GoogleService:
    """Google, as a service of :class:`~tiomagic_hosted.service.HostedService`.

    Args:
        key: The key of the Gemini API; None without one.
        project: The project of Google Cloud that Veo is billed to; None without one.
        location: Its place.
        credentials: Of Google Cloud; None for this machine's own.
        base_url: Where Google is; None for its own addresses.
    """

    name = "google"
    title = "Google"
    dashboard = "https://aistudio.google.com/usage, or console.cloud.google.com for Veo"
    poll_interval_s = 10.0
    keeps_videos = timedelta(days=2)
    can_cancel = False
    can_upload = True
    largest_file_bytes = LARGEST_PICTURE_BYTES

    def __init__(
        self,
        key: str | None,
        project: str | None = None,
        location: str = DEFAULT_LOCATION,
        *,
        credentials: Any = None,
        base_url: str | None = None,
    ) -> None:
        self._key = key
        self._project = project
        self._location = location
        self._credentials = credentials
        self._base_url = base_url

    @cached_property
    def _gemini(self) -> Any:
        return _build_client(self._base_url, vertexai=False, api_key=self._key or "none")

    @cached_property
    def _platform(self) -> Any:
        with _signing():
            return _build_client(
                self._base_url,
                vertexai=True,
                project=self._project,
                location=self._location,
                credentials=self._credentials,
            )

    def upload(self, media: Media) -> str:
        """Return a picture as a data URL: it travels inside the request."""
        return write_data_url(media)

    def create(self, order: Order, job: Job) -> str:
        """Ask for a run once; see the protocol."""
        if order.endpoint.startswith(OMNI):
            return self._create_interaction(order, job)
        client, arguments = self._platform, dict(order.arguments)
        source = {"prompt": arguments.pop("prompt", None)}
        if "image" in arguments:
            source["image"] = _read_picture(arguments.pop("image"))
        if "last_frame" in arguments:
            arguments["last_frame"] = _read_picture(arguments["last_frame"])
        with _GOOGLE.creating(job, *_find_odd_answers()), _signing():
            operation = client.models.generate_videos(
                model=order.endpoint, source=source, config={"number_of_videos": 1, **arguments}
            )
            if not operation.name:
                raise ValueError("an operation without a name")
        return str(operation.name)

    def _create_interaction(self, order: Order, job: Job) -> str:
        arguments = dict(order.arguments)
        content: list[Mapping[str, Any]] = [{"type": "text", "text": arguments.pop("prompt")}]
        task = "text_to_video"
        if "image" in arguments:
            picture, task = _read_picture(arguments.pop("image")), "image_to_video"
            data = base64.b64encode(picture["image_bytes"]).decode()
            content.insert(0, {"type": "image", "data": data, "mime_type": picture["mime_type"]})
        client = self._gemini
        with _GOOGLE.creating(job, *_find_odd_answers()):
            made = client.interactions.create(
                model=order.endpoint.removeprefix(OMNI),
                input=content,
                background=True,
                store=True,  # Without, a run in the background cannot be asked for.
                generation_config={"video_config": {"task": task}},
                response_format=[{"type": "video", "delivery": "uri", **arguments}],
            )
            if not made.id:
                raise ValueError("an interaction without an id")
        return f"{_INTERACTION}{made.id}"

    def find(self, job: Job) -> Sequence[str]:  # noqa: ARG002 - no search by a caller's id
        """Return nothing: the client has no search for either kind of run."""
        return ()

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a run; see the protocol."""
        if run_id.startswith(_INTERACTION):
            return self._look_at_interaction(run_id.removeprefix(_INTERACTION), job)
        types, client = _import_client().types, self._platform
        with _GOOGLE.asking("look at the run", *_find_odd_answers()), _signing():
            operation = client.operations.get(types.GenerateVideosOperation(name=run_id))
        if operation.error:
            said = operation.error
            code = said.get("status") or said.get("code")
            return _fail(str(said.get("message")), None if code is None else str(code))
        if not operation.done:
            return RunState(status=JobStatus.RUNNING, message="runs at Google")
        return _read_operation(operation.response)

    def _look_at_interaction(self, interaction_id: str, job: Job) -> RunState:
        client = self._gemini
        with _GOOGLE.asking("look at the run", *_find_odd_answers()):
            run = client.interactions.get(interaction_id)
        match run.status:
            case "in_progress" | "queued":
                return RunState(status=JobStatus.RUNNING, message="runs at Google")
            case "completed":
                return self._find_video(run)
            case "cancelled":
                return RunState(status=JobStatus.CANCELED, message="canceled by Google")
            case "failed" | "incomplete":
                return _fail(*_read_faults(run))
        # A status of a newer Google: the run goes on.
        return RunState(status=job.status, message=f"Google says: {run.status}")

    def _find_video(self, run: Any) -> RunState:
        video = run.output_video
        if video is None or not (video.data or video.uri):
            text, code = _read_faults(run)
            # A model that will not make a video says why in words.
            return _fail(
                text, code, ErrorCode.GENERATION if run.output_text else ErrorCode.NO_VIDEO
            )
        if video.data:
            data = base64.b64decode(video.data)
            return RunState(status=JobStatus.COMPLETED, read=lambda: iter([data]))
        return RunState(status=JobStatus.COMPLETED, read=lambda: self._read(video.uri))

    def _read(self, uri: str) -> Iterator[bytes]:
        """Give the video's bytes; its address needs the key, so the client asks for it."""
        with _GOOGLE.fetching(_import_http().HTTPError, ValueError, IndexError):
            yield self._gemini.files.download(file=uri)

    def cancel(self, run_id: str, job: Job) -> None:
        """Do nothing: no request is documented to stop a video."""


def _read_operation(response: Any) -> RunState:
    """Return the end of a run of Veo."""
    reasons = response.rai_media_filtered_reasons if response is not None else None
    videos = response.generated_videos if response is not None else None
    video = videos[0].video if videos else None
    if video is not None and video.video_bytes:
        data = video.video_bytes
        return RunState(status=JobStatus.COMPLETED, read=lambda: iter([data]))
    if reasons:
        return _fail("; ".join(reasons), FILTERED)
    return _fail("the run ended without a video", None, ErrorCode.NO_VIDEO)


def _read_faults(run: Any) -> tuple[str, str | None]:
    """Return why an interaction has no video, and Google's code of it."""
    faults = run.errors or ()
    text = "; ".join(one.message for one in faults if one.message) or run.output_text
    code = next((str(one.code) for one in faults if one.code), None)
    return text or "the run ended without a video", code


def _fail(text: str, code: str | None, kind: ErrorCode = ErrorCode.GENERATION) -> RunState:
    return RunState(
        status=JobStatus.FAILED,
        error=f"Google: {text}" + (f" ({code})" if code else ""),
        error_code=kind,
        facts={} if code is None else {"vendor_code": code},
    )


def _read_picture(address: str) -> dict[str, Any]:
    """Return a data URL of :meth:`GoogleService.upload` as the client takes a picture."""
    head, _, data = address.partition(",")
    kind = head.removeprefix("data:").partition(";")[0]
    return {"image_bytes": base64.b64decode(data), "mime_type": kind}


@contextmanager
def _signing() -> Iterator[None]:
    """Say what to do when Google Cloud's credentials are missing; nothing was sent then."""
    _import_client()
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - the client's own

    try:
        yield
    except GoogleAuthError as error:
        raise AuthenticationError(
            f"Google Cloud's credentials of this machine do not work: {error}. Run: gcloud auth "
            "application-default login",
        ) from error


def _import_client() -> Any:
    try:
        from google import genai  # noqa: PLC0415 - a second, and only with the extra
    except ImportError as error:
        raise missing_extra_error(
            "google", "the provider 'google'", module="google.genai"
        ) from error
    return genai


def _import_http() -> Any:
    """Return the HTTP library that the client uses: ``httpx`` where it is, as the client does."""
    try:
        import httpx  # noqa: PLC0415
    except ImportError:
        import httpx2  # noqa: PLC0415

        return httpx2
    return httpx


def _find_odd_answers() -> tuple[type[Exception], ...]:
    """Return what the client raises for an answer that it cannot read."""
    _import_client()
    from google.genai import errors  # noqa: PLC0415

    # Nothing public is above the errors of interactions.
    from google.genai._interactions_errors import GeminiNextGenAPIClientError  # noqa: PLC0415

    return (errors.APIError, GeminiNextGenAPIClientError, AttributeError, TypeError)


def _build_client(base_url: str | None, **named: Any) -> Any:
    genai, http = _import_client(), _import_http()
    tls = find_tls(http)
    options = {
        "base_url": base_url,
        "timeout": REQUEST_TIMEOUT_MS,
        "retry_options": {"attempts": 1},
        "httpx_client": http.Client(
            transport=build_transport(http, _read_answer), follow_redirects=True
        ),
        # Not used, but the client would build its own, and read all certificates for each.
        "httpx_async_client": http.AsyncClient(verify=tls),
        "async_client_args": {"ssl": tls},
    }
    given = {name: value for name, value in options.items() if value is not None}
    return genai.Client(http_options=genai.types.HttpOptions(**given), **named)


def _read_answer(response: Any) -> Answer:
    """Return an answer of 400 or above, with Google's own words."""
    text, code, status = response.text[:1000], None, response.status_code
    try:
        body = response.json()
        error = (body[0] if isinstance(body, list) else body)["error"]
        text, code = str(error["message"]), error.get("status") or error.get("code")
        reasons = {str(one.get("reason")) for one in error.get("details") or ()}
        # A wrong key is a wrong argument for Google.
        status = 401 if "API_KEY_INVALID" in reasons else status
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass  # Not its usual form: the text says what there is.
    return Answer(
        status=status,
        text=text,
        code=None if code is None else str(code),
        retry_after_s=read_wait(response),
    )
