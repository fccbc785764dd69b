"""Luma, by its client ``lumaai``.

Luma reads pictures from their addresses only, lists all runs of an account with what was asked of
each, and has no request that stops a run: deleting one removes its record, and its video with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost
from tiomagic_hosted.catalogue.luma import CATALOGUE
from tiomagic_hosted.sending import Correspondent
from tiomagic_hosted.service import Order, RunState
from tiomagic_hosted.services import stainless

KEY_VARIABLE: Final = "LUMAAI_API_KEY"
FRAMES: Final = ("frame0", "frame1")
"""Luma's names of the first and the last picture."""
SENT_WITHIN: Final = timedelta(seconds=stainless.REQUEST_TIMEOUT_S + 15)
"""A run of a job begins within this time of the job: its request has ended by then."""
CLOCKS_DIFFER_BY: Final = timedelta(seconds=15)
"""How much Luma's clock may be behind this one."""
SETTLED_AFTER: Final = 2 * SENT_WITHIN
"""A lost run is searched for only then: each answer to another job's request has come, so that no
run is taken that is another job's."""
PAGE: Final = 100
MAX_PAGES: Final = 5
"""A run of the last quarter of an hour is among the first few hundred, whatever their order."""
_LUMA: Final = Correspondent(title="Luma", key=KEY_VARIABLE)
NOT_BILLED: Final = Cost(amount=0, basis="Luma refunds failed runs (docs.lumalabs.ai/docs/faq)")
"""What a failed run costs."""


class LumaService:
    """Luma, as a service of :class:`~tiomagic_hosted.service.HostedService`.

    Args:
        key: The key; None for a service that can only say what it is.
        now: The time.
    """

    name = "luma"
    title = "Luma"
    dashboard = "https://lumalabs.ai/dream-machine/api/billing/overview"
    # docs.lumalabs.ai/docs/python-video-generation waits so long between two looks.
    poll_interval_s = 3.0
    # Each look gives the video's address. For how long, Luma does not say.
    keeps_videos = timedelta(days=14)
    can_cancel = False
    can_upload = False
    largest_file_bytes = None

    def __init__(
        self, key: str | None, *, now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    ) -> None:
        self._key = key
        self._now = now

    @cached_property
    def _client(self) -> Any:
        luma = stainless.import_client("lumaai", "luma")
        return stainless.build_client(luma.LumaAI, ("detail", "message"), auth_token=self._key)

    def upload(self, media: Media) -> str:
        """Say that Luma takes no files."""
        raise APIError(f"Luma takes no files: {media.kind.value} {media.name or ''} was not sent")

    def create(self, order: Order, job: Job) -> str:
        """Create a generation once; see the protocol."""
        said = dict(order.arguments)
        pictures = {
            frame: {"type": "image", "url": said.pop(frame)} for frame in FRAMES if frame in said
        }
        with stainless.creating(_LUMA, job):
            more = {"keyframes": pictures} if pictures else {}
            made = stainless.read_plain(self._client.generations.create(**said, **more))
            return str(made["id"])

    def find(self, job: Job) -> Sequence[str]:
        """Return the runs that were asked for the same, in the minute of the job's submission."""
        first, last = job.creation_time - CLOCKS_DIFFER_BY, job.creation_time + SENT_WITHIN
        if self._now() < job.creation_time + SETTLED_AFTER:
            return ()
        wanted = _describe_order(job)
        return [
            str(one["id"])
            for one in self._list()
            if first <= _read_time(one) <= last and _is_asked(one.get("request"), wanted)
        ]

    def _list(self) -> Iterator[Mapping[str, Any]]:
        for page in range(MAX_PAGES):
            with stainless.asking(_LUMA, "list its runs"):
                answer = stainless.read_plain(
                    self._client.generations.list(limit=PAGE, offset=page * PAGE)
                )
                found = list(answer["generations"])
            yield from found
            if not answer.get("has_more"):
                return

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a generation; see the protocol."""
        with stainless.asking(_LUMA, "look at the run"):
            run = stainless.read_plain(self._client.generations.get(run_id))
            return _read_state(run, job)

    def cancel(self, run_id: str, job: Job) -> None:
        """Do nothing: Luma cannot stop a run."""


def _read_state(run: Mapping[str, Any], job: Job) -> RunState:
    match state := run.get("state"):
        case "queued":
            return RunState(status=JobStatus.QUEUED, message="waits at Luma")
        case "dreaming":
            return RunState(status=JobStatus.RUNNING, message="runs at Luma")
        case "completed":
            address = (run.get("assets") or {}).get("video")
            if address:
                return RunState(status=JobStatus.COMPLETED, address=address)
            return RunState(
                status=JobStatus.FAILED,
                error="Luma: the run ended without a video",
                error_code=ErrorCode.NO_VIDEO,
            )
        case "failed":
            return RunState(
                status=JobStatus.FAILED,
                error=f"Luma: {run.get('failure_reason') or 'no reason given'}",
                error_code=ErrorCode.GENERATION,
                cost=NOT_BILLED,
            )
    # A state of a newer Luma: the run goes on.
    return RunState(status=job.status, message=f"Luma says: {state}")


def _describe_order(job: Job) -> dict[str, object]:
    """Return what was asked of Luma for a job; of pictures, whose addresses are not kept, None."""
    endpoint = CATALOGUE.endpoints[job.model, job.feature]
    said = {**endpoint.fixed, **endpoint.say(job.arguments)}
    return {name: None if name in FRAMES else value for name, value in said.items()}


def _is_asked(request: Mapping[str, Any] | None, wanted: Mapping[str, object]) -> bool:
    if request is None:
        return False
    pictures = {name for name, given in (request.get("keyframes") or {}).items() if given}
    return pictures == {name for name in FRAMES if name in wanted} and all(
        request.get(name) == value for name, value in wanted.items() if name not in FRAMES
    )


def _read_time(run: Mapping[str, Any]) -> datetime:
    try:
        made = datetime.fromisoformat(str(run.get("created_at")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return made if made.tzinfo else made.replace(tzinfo=UTC)
