"""The port ``Provider`` for Modal: submit, poll and cancel jobs in rented containers.

A job is submitted once, and marked in the Dict before. The worker first writes which call runs the
job, so a job is found by its own id even if the answer to the submission was lost.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    ConfigurationError,
    RateLimitError,
    ResourceNotFoundError,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    ProviderBase,
    Report,
    Request,
    RunDescription,
)
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.requests.travelling import check_payload, has_shipped_engine
from tiomagic_domain.requests.wire import PlainData
from tiomagic_modal.client.connection import REQUEST_DEADLINE_S, Connection, require_modal
from tiomagic_modal.client.remote import RemoteApp, Variant, container_memory_mib
from tiomagic_modal.client.spool import ResultSpool
from tiomagic_modal.constants import (
    APP_NAME,
    PROVIDER_NAME,
    claim_key,
    progress_key,
    stop_key,
    submission_key,
)
from tiomagic_modal.costs import compute_cost, estimate_run
from tiomagic_modal.deploy.deployment import Deployment, do_nothing
from tiomagic_modal.errors import translate_modal_errors
from tiomagic_modal.gpus import choose_gpu, estimate_cost
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.outcomes import CANCELED_REPORT, STOPPED_AS_LOST, report_lost, report_outcome
from tiomagic_modal.preflight import find_conditions
from tiomagic_modal.rehearsal import rehearse_on_modal
from tiomagic_modal.wire import encode_request

DEFAULT_MODEL = "wan2.1-vace-14b"
LOST_AFTER = timedelta(minutes=15)
"""How long a job without an answer to its submission is searched for before it is withdrawn."""

DEPLOYING_REPORT = Report(
    status=JobStatus.QUEUED,
    message="setting up the app on Modal; to build its image takes some minutes the first time",
)
MAX_REMEMBERED_CALLS = 1000
"""How many of the newest calls this process remembers."""


def utc_now() -> datetime:
    """Return the time, with zone."""
    return datetime.now(tz=UTC)


class ModalProvider(ProviderBase):
    """Runs jobs in containers on Modal.

    Args:
        options: The settings.
        spool: Folder for finished videos until the output store has taken them.
        deadline_s: Seconds within which Modal must answer.
        lost_after: See `LOST_AFTER`.
        now: The time.
    """

    def __init__(
        self,
        options: ModalOptions,
        spool: Path,
        *,
        deadline_s: float = REQUEST_DEADLINE_S,
        lost_after: timedelta = LOST_AFTER,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._options = options
        self._spool = ResultSpool(spool)
        self._lost_after = lost_after
        self._now = now
        self._connection = Connection(options, deadline_s)
        self._deployment = Deployment(self._connection, options.environment)
        self._remote = RemoteApp(self._connection, options.environment)
        self._deploying = threading.Lock()
        self._deployed = False
        self._call_ids: OrderedDict[str, str] = OrderedDict()

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        return PROVIDER_NAME

    def capabilities(self) -> Capabilities:
        """Return what the provider is like."""
        return Capabilities(default_model=DEFAULT_MODEL, blocking=False, runs=has_shipped_engine)

    def describe(self, request: Request) -> RunDescription:
        """Return the GPU that a job would get, and about what an hour of it costs."""
        gpu = choose_gpu(request.card, self._options.gpu)
        return RunDescription(device=gpu or "CPU", cost=estimate_cost(gpu))

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return what a run is expected to take and cost, by the newest runs of its model."""
        return estimate_run(request.card, known, self._choose_variant(request.card, known.settings))

    def preflight(self, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:  # noqa: ARG002
        """Return the GPU, its memory against the model's, and whether there is a token.

        Makes no request and does not import Modal's package.
        """
        return find_conditions(card, self._options)

    def rehearse(self, model: str, settings: Mapping[str, Any] | None = None) -> Rehearsal:
        """Have a model rehearsed in a container, with its defaults.

        Raises:
            UnknownModelError: when there is no such model.
            ConfigurationError: when there are settings.
            TioMagicError: when Modal or the container failed.
        """
        card = find_model(model)
        if settings:
            raise ConfigurationError(
                "modal rehearses a model with its defaults: leave the settings out "
                f"({', '.join(sorted(settings))}), or rehearse it on local",
                details={"settings": sorted(settings)},
            )
        self._deployment.ensure()
        return rehearse_on_modal(card, self._connection, self._options)

    def check(self, request: Request) -> None:
        """Check the numbers, the GPU and that there is a token, without any request.

        Raises:
            ConfigurationError, AuthenticationError: with advice.
            ValidationError: when an input cannot be sent.
        """
        check_payload(request, "Modal")
        self._options.check()
        choose_gpu(request.card, self._options.gpu)
        self._connection.check_token()

    def submit(self, request: Request, observer: Observer) -> Report:
        """Submit a job to Modal, after deploying the app if needed. Idempotent by the job's id.

        Raises:
            APIError: with the code ``answer_lost`` when the job may or may not have started.
            TioMagicError: when it did not start.
        """
        job = request.job
        variant = self._choose_variant(request.card, request.settings)
        facts = {
            "gpu": variant.gpu,
            "timeout_s": variant.timeout_s,
            "scaledown_window_s": variant.scaledown_window_s,
            "modal_app": APP_NAME,
        }
        self._ensure_deployed(lambda: observer.report(DEPLOYING_REPORT))
        observer.raise_if_canceled()
        if not self._claim_submission(job.job_id):
            return Report(
                status=JobStatus.QUEUED,
                call_id=self._call_ids.get(job.job_id) or self._remote.read(claim_key(job.job_id)),
                message="submitted before; not sent again",
            )
        # From here on another process that submits the same job finds the mark, and starts nothing.
        payload = {**encode_request(request), "gpu": variant.gpu}
        call_id = self._spawn(variant, payload, job.job_id)
        self._remember_call(job.job_id, call_id)
        return Report(
            status=JobStatus.QUEUED,
            call_id=call_id,
            message=f"waiting for a container on Modal ({variant.gpu or 'CPU'})",
            progress=Progress(phase=Phase.WAITING),
            facts=facts,
        )

    def _claim_submission(self, job_id: str) -> bool:
        """Return True for the first submission of the job."""
        mark = uuid.uuid4().hex
        if self._remote.write(submission_key(job_id), mark, keep=True):
            return True
        # Modal's client retries a write whose answer was lost, and then finds its own mark.
        return bool(self._remote.read(submission_key(job_id)) == mark)

    def _remember_call(self, job_id: str, call_id: str) -> None:
        """Remember a call that no container has claimed yet; only the newest ones."""
        self._call_ids[job_id] = call_id
        # A long-lived server would otherwise keep the id of every job that it has ever sent.
        while len(self._call_ids) > MAX_REMEMBERED_CALLS:
            self._call_ids.popitem(last=False)

    def _choose_variant(self, card: ModelCard, settings: Mapping[str, Any]) -> Variant:
        gpu = choose_gpu(card, self._options.gpu)
        return Variant(
            model=card.name,
            gpu=gpu,
            timeout_s=self._options.timeout_s,
            scaledown_window_s=self._options.scaledown_window_s,
            memory_mib=container_memory_mib(card, settings, gpu),
        )

    def _ensure_deployed(self, before_deploying: Callable[[], None] = do_nothing) -> None:
        with self._deploying:
            if not self._deployed:
                self._deployment.ensure(before_deploying)
                self._deployed = True

    def _spawn(self, variant: Variant, payload: PlainData, job_id: str) -> str:
        try:
            try:
                return self._request_spawn(variant, payload)
            except ResourceNotFoundError:
                # The app was stopped after the check. Not found means not started.
                self._deployed = False
                self._remote.drop_handles()
                self._ensure_deployed()
                return self._request_spawn(variant, payload)
        # Modal refuses before it starts anything, so the job may be sent again.
        except RateLimitError:
            raise
        except APIError as error:
            raise APIError(
                f"the answer to the submission was lost ({error.message}); job {job_id} may or may "
                "not have started, and is looked up, never sent again",
                details={"job_id": job_id},
                code=ErrorCode.ANSWER_LOST,
                retryable=True,
            ) from error

    def _request_spawn(self, variant: Variant, payload: PlainData) -> str:
        with translate_modal_errors("start the job"):
            return self._remote.spawn(variant, payload)

    def poll(self, job: Job) -> Report:
        """Poll a job, and fetch its video when it is finished.

        Raises:
            APIError: with ``retryable`` when the service cannot be reached.
            ResourceNotFoundError: when Modal does not know the call: another workspace's token?
        """
        # The small request first: it fails soon if Modal cannot be reached.
        moment = self._remote.read(progress_key(job.job_id))
        call_id = job.call_id or self._find_call_id(job, moment)
        if call_id is None:
            return self._report_unclaimed(job)
        return self._fetch_result(job, call_id, moment)

    def _find_call_id(self, job: Job, moment: object) -> str | None:
        if isinstance(moment, Mapping) and "call_id" in moment:
            return str(moment["call_id"])
        claimed = self._remote.read(claim_key(job.job_id))
        return None if claimed is None else str(claimed)

    def _fetch_result(self, job: Job, call_id: str, moment: object) -> Report:
        try:
            result = self._remote.result(call_id)
        except TimeoutError:
            return _report_progress(call_id, moment)
        except Exception as error:  # noqa: BLE001  Whatever the worker raised, it ends here.
            return self._report_error(error, job)
        return compute_cost(job, self._spool.save_result(job, result))

    def _report_error(self, error: Exception, job: Job) -> Report:
        modal = require_modal()
        gone = (modal.exception.NotFoundError, modal.exception.OutputExpiredError)
        if isinstance(error, gone):
            stored = self._remote.read_result(job.job_id)
            if stored is not None:
                return compute_cost(job, self._spool.save_result(job, stored))
        asked = job.status is JobStatus.CANCELING
        if not asked and isinstance(error, (modal.exception.RemoteError, *gone)):
            # Another process may have canceled it after this job was read.
            asked = bool(self._remote.read(stop_key(job.job_id)))
        report = report_outcome(error, job, asked_to_stop=asked)
        unasked = report == CANCELED_REPORT and job.status is not JobStatus.CANCELING
        if unasked and self._remote.read(stop_key(job.job_id)) == STOPPED_AS_LOST:
            # A race: a container claimed the job while it was withdrawn.
            return report_lost(self._lost_after)
        return report

    def _report_unclaimed(self, job: Job) -> Report:
        """Report on a job that no known call runs."""
        is_unwanted = bool(self._remote.read(stop_key(job.job_id)))
        if is_unwanted and job.status is JobStatus.CANCELING:
            return CANCELED_REPORT
        if self._now() - job.creation_time < self._lost_after:
            return Report(
                status=JobStatus.QUEUED,
                message="Modal's answer to the submission was lost; no container has the job yet",
            )
        # Modal drops the claim a week after its last use; the video stays on the Volume.
        stored = self._remote.read_result(job.job_id)
        if stored is not None:
            return compute_cost(job, self._spool.save_result(job, stored))
        # From here on no container starts it. One that has started is found by its claim.
        self._remote.write(stop_key(job.job_id), STOPPED_AS_LOST)
        call_id = self._remote.read(claim_key(job.job_id))
        if call_id is not None:
            return Report(status=JobStatus.QUEUED, call_id=str(call_id))
        return report_lost(self._lost_after)

    def cancel(self, job: Job) -> Report:
        """Cancel exactly this job, and report its state.

        Raises:
            APIError: with ``retryable`` when the service cannot be reached.
        """
        # Written first: a container that starts or restarts later finds it, and a poll knows that
        # the job was canceled, not failed.
        self._remote.write(stop_key(job.job_id), True)
        call_id = job.call_id or self._find_call_id(job, None)
        if call_id is None:
            return Report(
                status=JobStatus.CANCELED, message="withdrawn before a container had taken it up"
            )
        try:
            with translate_modal_errors("cancel the job"):
                self._remote.cancel(call_id)
        except ResourceNotFoundError:
            return CANCELED_REPORT
        report = self._fetch_result(job, call_id, None)
        # Modal has taken the cancel, but a container ends its step first.
        if report.status in {JobStatus.QUEUED, JobStatus.RUNNING}:
            return Report(status=JobStatus.CANCELING, message="the container is asked to stop")
        # The container was stopped in the middle: what it raised then is the cancel, not a failure.
        return CANCELED_REPORT if report.error_code == ErrorCode.REMOTE else report


def _report_progress(call_id: str, moment: object) -> Report:
    if not isinstance(moment, Mapping) or moment.get("call_id") != call_id:
        return Report(status=JobStatus.QUEUED, call_id=call_id)
    try:
        progress = Progress.from_dict(moment)
    except (KeyError, ValueError, TypeError):
        # A newer worker may report a phase that this version does not know.
        return Report(status=JobStatus.RUNNING, call_id=call_id, message=str(moment.get("phase")))
    return Report(
        status=JobStatus.RUNNING, call_id=call_id, progress=progress, message=str(progress)
    )
