"""The port ``Provider`` over a vendor: send a job once, poll it, cancel it, fetch its video.

A vendor bills each request for a run. So a job is entered in the ledger before it is sent and never
sent again; a submission whose answer was lost is looked up where the vendor has a search, and is
else reported as unknown, with the place where the user can see what became of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    Problem,
    ProcessingError,
    ResourceNotFoundError,
    TioMagicError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import Estimate, read_estimate
from tiomagic_domain.money.listed_price import ListedPrice
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    ProviderBase,
    Report,
    Request,
    RunDescription,
)
from tiomagic_domain.progress import Phase, Progress
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.ledger import Ledger
from tiomagic_hosted.results import ResultFolder
from tiomagic_hosted.service import HostedService, RunState

SEARCHED_FOR: Final = timedelta(minutes=15)
"""How long a run without a known id is searched for. A vendor lists a run as soon as it has
accepted it; a quarter of an hour outlasts its caches and the retries of a proxy between."""
_MIB: Final = 2**20
CANCEL_SENT: Final = "cancel_sent"
"""Fact of a job: the vendor has taken the request to end its run."""


def utc_now() -> datetime:
    """Return the time, with zone."""
    return datetime.now(tz=UTC)


class HostedProvider(ProviderBase):
    """Runs jobs at a vendor, for money.

    Args:
        service: The vendor.
        catalogue: The vendor's models.
        ledger: Which jobs were sent.
        results: Where fetched videos go.
        check_key: Raises AuthenticationError when there is no key.
        searched_for: See `SEARCHED_FOR`.
        now: The time.
    """

    def __init__(
        self,
        service: HostedService,
        *,
        catalogue: Catalogue,
        ledger: Ledger,
        results: ResultFolder,
        check_key: Callable[[], None],
        searched_for: timedelta = SEARCHED_FOR,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._service = service
        self._catalogue = catalogue
        self._ledger = ledger
        self._results = results
        self._check_key = check_key
        self._searched_for = searched_for
        self._now = now

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        return self._service.name

    def capabilities(self) -> Capabilities:
        """Return the provider's properties."""
        return Capabilities(
            default_model=self._catalogue.default_model,
            blocking=False,
            runs=self._catalogue.has,
            other_defaults=self._catalogue.find_other_defaults(),
        )

    def describe(self, request: Request) -> RunDescription:
        """Return what a run costs by the vendor's price list."""
        quote = self._catalogue.quote(request, today=self._now().date())
        if quote is None or quote.amount is None:
            return RunDescription()
        return RunDescription(cost=Cost(amount=quote.amount, currency=quote.currency))

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return what a run costs by the vendor's price list, and how long such runs took."""
        quote = self._catalogue.quote(request, today=known.at.date())
        if quote is None:
            quote = Estimate(basis=f"no price list of {self._service.title} is known for this call")
        if not self._service.can_cancel:
            stuck = f"{quote.basis}; {self._service.title} cannot stop a run that it has taken"
            quote = replace(quote, basis=stuck)
        return quote if known.time is None else replace(quote, seconds=known.time.seconds)

    def list_prices(self, card: ModelCard, feature: Feature) -> list[ListedPrice]:
        """Return the vendor's prices for a feature of a model."""
        return self._catalogue.list_prices(card, feature)

    def check(self, request: Request) -> None:
        """Check that there is a key, and that the vendor can read the inputs, without a request.

        Raises:
            AuthenticationError, ConfigurationError, ValidationError: with advice.
        """
        self._check_key()
        self._catalogue.check(request)
        self._check_inputs(request)

    def _check_inputs(self, request: Request) -> None:
        wrong = [
            Problem(field=name, message=message, given=media.name or media.kind.value)
            for name, media in request.media.items()
            if (message := self._find_flaw(media, is_address=name in request.addresses))
        ]
        if wrong:
            subject = f"{request.card.name} at {self._service.title}"
            raise ValidationError.of(wrong, subject=subject, code=ErrorCode.FILE_NOT_TAKEN)

    def _find_flaw(self, media: Media, *, is_address: bool) -> str | None:
        """Return why the vendor cannot read an input, and what works; None if it can."""
        title, largest = self._service.title, self._service.largest_file_bytes
        if not self._service.can_upload and not is_address:
            return (
                f"must be an https address: {title} reads pictures only from addresses, and has no "
                "store for yours; on another's host anybody could see it. Give the address of a "
                "picture that is in the web already, or use a provider that takes files, such as "
                "'fal'"
            )
        size = 0 if largest is None else media.path.stat().st_size
        if largest is None or size <= largest:
            return None
        return (
            f"must have at most {largest // _MIB} MiB, not {-(-size // _MIB)}: {title} takes no "
            "larger ones. Save it smaller, or as JPEG, or use a provider with a store for files, "
            "such as 'fal'"
        )

    def _upload(self, request: Request) -> Request:
        self._check_inputs(request)  # A stored job has no addresses.
        if self._service.can_upload:
            return request.with_uploads(self._service.upload)
        return replace(request, urls=request.addresses)

    def ask_ahead(self, request: Request) -> None:
        """Find out whether the vendor still takes the call; see the base."""
        self._catalogue.ask_ahead(request)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Send a job to the vendor, once. Idempotent by the job's id.

        Raises:
            APIError: with the code ``answer_lost`` when the job may or may not have started.
            TioMagicError: when it did not start.
        """
        job = request.job
        if self._ledger.has(job.job_id):
            return self._report_sent_before(job)
        # Uploads cost nothing, so they come before the point of no return.
        order = self._catalogue.build_order(self._upload(request))
        observer.raise_if_canceled()
        if not self._ledger.enter(job.job_id):  # A race: another process was first.
            return self._report_sent_before(job)
        try:
            run_id = self._service.create(order, job)
        except TioMagicError as error:
            # Only a refusal is known to have started nothing; any other exception is not.
            if error.code != ErrorCode.ANSWER_LOST:
                self._ledger.strike(job.job_id)
            raise
        report = self._report_sent(run_id, f"{self._service.title} has the job")
        # Two places, so that one of them failing does not lose what is being paid for.
        observer.report(report)
        try:
            self._ledger.write_run(job.job_id, run_id)
        except ProcessingError as error:
            return Report(status=report.status, call_id=run_id, message=error.message)
        return report

    def _report_sent_before(self, job: Job) -> Report:
        return self._report_sent(self._ledger.find_run(job.job_id), "sent before; not sent again")

    def _report_sent(self, run_id: str | None, message: str, of: Job | None = None) -> Report:
        return Report(
            status=JobStatus.QUEUED if of is None else of.status,
            call_id=run_id,
            message=message,
            progress=Progress(phase=Phase.WAITING),
            retry_after=self._service.poll_interval_s,
        )

    def poll(self, job: Job) -> Report:
        """Poll a job, and fetch its video when it is finished.

        Raises:
            APIError: with ``retryable`` when the vendor cannot be reached.
        """
        run_id = self._find_run(job)
        if run_id is None:
            return self._report_unseen(job)
        try:
            state = self._service.look(run_id, job)
        except ResourceNotFoundError as error:
            if CANCEL_SENT in job.facts:
                # The vendor took the request to end it, and now has it no more.
                message = f"canceled: {self._service.title} has removed the run"
                return Report(status=JobStatus.CANCELED, call_id=run_id, message=message)
            if self._now() - job.creation_time < self._searched_for:
                # A run that was just accepted may not be listed everywhere yet.
                return self._report_sent(run_id, error.message, of=job)
            return self._report_failure(error.message, ErrorCode.LOST)
        return self._report_state(job, run_id, state)

    def _find_run(self, job: Job) -> str | None:
        known = job.call_id or self._ledger.find_run(job.job_id)
        if known is not None:
            return known
        free = [run for run in self._service.find(job) if self._ledger.is_free(job.job_id, run)]
        if len(free) != 1 or not self._ledger.claim(job.job_id, free[0]):
            return None
        self._ledger.write_run(job.job_id, free[0])
        return free[0]

    def _report_unseen(self, job: Job) -> Report:
        """Report on a job of which no run is known."""
        if self._now() - job.creation_time < self._searched_for:
            message = f"no answer of {self._service.title} to the submission yet"
            return self._report_sent(None, message, of=job)
        if not self._ledger.has(job.job_id):
            return self._report_failure(
                f"{self._service.title} has no run of this job: it was not sent from this machine",
                ErrorCode.LOST,
            )
        return self._report_failure(
            f"{self._service.title} never answered the submission: the run may have been made and "
            f"billed. Look at {self._service.dashboard} before you run it again",
            ErrorCode.OUTCOME_UNKNOWN,
        )

    def _report_state(self, job: Job, run_id: str, state: RunState) -> Report:
        said = Report(
            status=state.status,
            call_id=run_id,
            message=state.message,
            queue_position=state.queue_position,
            logs=state.logs,
            cost=self._find_cost(job, state),
            facts=state.facts,
        )
        match state.status:
            case JobStatus.COMPLETED:
                return self._report_video(job, said, state)
            case JobStatus.FAILED:
                return replace(
                    said, error=state.error or "no reason given", error_code=state.error_code
                )
            case JobStatus.CANCELED:
                return said
        is_unwanted = job.status is JobStatus.CANCELING
        if is_unwanted and self._service.can_cancel and CANCEL_SENT not in job.facts:
            # The run may have become known only now. Sent once: to some vendors a second request
            # means that the finished video is to be deleted.
            self._service.cancel(run_id, job)
            said = replace(said, facts={**said.facts, CANCEL_SENT: True})
        return replace(
            said,
            status=JobStatus.CANCELING if is_unwanted else state.status,
            message=self._say_stop() if is_unwanted else state.message,
            progress=_describe_progress(state),
            retry_after=self._service.poll_interval_s,
        )

    def _find_cost(self, job: Job, state: RunState) -> Cost | None:
        """Return what the vendor billed, or what a finished run costs by the list of its day."""
        if state.cost is not None:
            said = state.cost.basis or f"as {self._service.title} says"
            return replace(state.cost, basis=said)
        quote = read_estimate(job.facts)
        if state.status is not JobStatus.COMPLETED or quote is None or quote.amount is None:
            return None
        basis = f"by the price list, {self._service.title} does not say: {quote.basis}"
        return Cost(amount=quote.amount, currency=quote.currency, basis=basis)

    def _report_video(self, job: Job, said: Report, state: RunState) -> Report:
        try:
            video = self._results.take(job, state)
        except APIError as error:
            if self._now() - job.creation_time < self._service.keeps_videos:
                raise
            return replace(
                said,
                status=JobStatus.FAILED,
                error=f"{self._service.title} no longer has the video: {error.message}",
                error_code=ErrorCode.NO_VIDEO,
            )
        return replace(said, video=video, message="completed")

    def _report_failure(self, message: str, code: ErrorCode) -> Report:
        return Report(status=JobStatus.FAILED, error=message, error_code=code, message=message)

    def cancel(self, job: Job) -> Report:
        """Ask the vendor to end exactly this job, and report its state.

        Where the vendor has no such request the run goes on, is billed, and its video is kept.

        Raises:
            APIError: with ``retryable`` when the vendor cannot be reached.
        """
        run_id = self._find_run(job)
        if run_id is None:
            report = self._report_unseen(job)
            return (
                report if report.status.is_terminal else replace(report, status=JobStatus.CANCELING)
            )
        return self.poll(replace(job, status=JobStatus.CANCELING))  # Which asks for the end.

    def _say_stop(self) -> str:
        title = self._service.title
        if self._service.can_cancel:
            return f"{title} is asked to stop the run"
        return f"{title} cannot stop a run: it is made and billed, and its video is kept"


def _describe_progress(state: RunState) -> Progress:
    if state.status is JobStatus.QUEUED:
        return Progress(phase=Phase.WAITING)
    if state.fraction is None:
        return Progress(phase=Phase.GENERATING)
    return Progress(phase=Phase.GENERATING, step=round(100 * state.fraction), steps=100)
