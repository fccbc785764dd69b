"""The port ``Provider`` for Ray: submit, poll and cancel jobs of a cluster.

The job's id is its name on the cluster, too: whoever asks for it there, and however often it is
submitted, means one job.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ResourceNotFoundError, TioMagicError
from tiomagic_domain.extras import missing_extra_error
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
from tiomagic_domain.progress import Phase, Preview, Progress
from tiomagic_domain.requests.travelling import check_payload, has_shipped_engine
from tiomagic_domain.requests.wire import encode_job
from tiomagic_ray.constants import PROVIDER_NAME
from tiomagic_ray.link.connection import ClusterConnection, rebuild_error
from tiomagic_ray.link.machines import check_shared_folder, list_machines, look_at_machines
from tiomagic_ray.link.spool import FetchedVideos, send_inputs
from tiomagic_ray.options import RayOptions
from tiomagic_ray.placement import Placement
from tiomagic_ray.shared_folder import SharedFolder
from tiomagic_ray.tokens import look_for_token, missing_token_error

DEFAULT_MODEL: Final = "wan2.1-vace-14b"
BATCH_CONCURRENCY: Final = 64
"""Jobs of a batch on the cluster at once: those that find no place wait there, and have its
autoscaler add some. Each takes a thread of the caller."""
PREVIEW_S: Final = 5.0
REHEARSAL_S: Final = 900.0
"""Seconds within which a rehearsal ends, the wait for a place included."""
SENT_WITHIN: Final = timedelta(minutes=2)
"""How long after it was stored a job may still be on its way to the cluster: its inputs are sent
first."""

PAUSE_S: Final = 1.0
"""The coordinator looks for places once a second."""
PAUSE_OF_ONE_S: Final = 0.25
"""For each job before it: those that wait far behind are asked for less often."""
LONGEST_PAUSE_S: Final = 10.0


def utc_now() -> datetime:
    """Return the time, with zone."""
    return datetime.now(UTC)


class RayProvider(ProviderBase):
    """Runs jobs on the machines of a Ray cluster.

    Args:
        options: The settings.
        spool: Folder for finished videos until the output store has taken them.
        connection: To the cluster; None for one of the options.
        now: The time.
    """

    def __init__(
        self,
        options: RayOptions,
        spool: Path,
        *,
        connection: ClusterConnection | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._options = options
        self._videos = FetchedVideos(spool, options.shared_dir)
        self._connection = connection or ClusterConnection(options)
        self._now = now
        self._shared_on: set[str] = set()

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        return PROVIDER_NAME

    def capabilities(self) -> Capabilities:
        """Return the provider's properties."""
        return Capabilities(
            default_model=DEFAULT_MODEL,
            blocking=False,
            runs=has_shipped_engine,
            batch_concurrency=BATCH_CONCURRENCY,
        )

    def describe(self, request: Request) -> RunDescription:
        """Return what kind of device a job would get; makes no request."""
        wanted = self._place(request.card)
        return RunDescription(device=self._options.gpu or ("GPU" if wanted.gpus else "CPU"))

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return the time of a run, for which a cluster of one's own sends no bill."""
        return replace(super().estimate(request, known), amount=0.0)

    def preflight(self, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:  # noqa: ARG002
        """Return whether there is a token; what the machines have, the cluster says when asked."""
        return RunConditions(tokens=(look_for_token(self._options),), place="the cluster")

    def check(self, request: Request) -> None:
        """Check the settings and the inputs, without a cluster.

        Raises:
            MissingDependencyError: with the command that installs Ray.
            ConfigurationError: with advice.
            AuthenticationError: ``cluster_token``, when there is none or it cannot be one.
            ValidationError: when an input cannot be sent.
        """
        if importlib.util.find_spec("ray") is None:
            raise missing_extra_error("ray", "running models on a Ray cluster", module="ray")
        self._options.check()
        token = look_for_token(self._options)
        if token.is_needed and not token.is_there:
            # Here, and not by the preflight, which would call it a run that does not fit.
            raise missing_token_error(self._options.ray_address)
        check_payload(request, "the cluster")

    def ask_ahead(self, request: Request) -> None:
        """Connect to the cluster, and look whether it has what the model needs.

        Raises:
            AuthenticationError: with the code ``cluster_token``.
            ConfigurationError: ``cluster_versions``, ``no_such_gpu`` or ``shared_folder``.
            APIError: ``no_cluster``.
        """
        self._settle(request.card)
        self._check_shared_folder()

    def submit(self, request: Request, observer: Observer) -> Report:
        """Send a job to the cluster. Idempotent by the job's id.

        Raises:
            APIError: with the code ``answer_lost`` when the job may or may not have started.
            TioMagicError: when it did not start.
        """
        job, link = request.job, self._connection
        placement = self._settle(request.card)
        try:
            known = link.coordinator("look", job.job_id)
            if known is not None:
                return self._report(job, known)
            cluster = link.coordinator("describe")["cluster"]
            self._hand_inputs(request)
        except APIError as error:
            raise _say_not_sent(error) from error
        observer.raise_if_canceled()
        media = {name: item.to_reference() for name, item in request.media.items()}
        shared = self._options.shared_dir
        where = {"cluster": cluster} if shared is None else {"shared": str(shared)}
        order = {
            "task": {"job": encode_job(job), "media": media, **where},
            "placement": placement.to_list(),
            "idle_s": float(self._options.worker_idle_s),
            "retry": job.retry,
        }
        try:
            return self._report(job, link.coordinator("submit", order))
        except APIError as error:
            raise APIError(
                f"the answer to the submission was lost ({error.message}); job {job.job_id} may or "
                "may not have started, and is looked up, never sent again",
                details={"job_id": job.job_id},
                code=ErrorCode.ANSWER_LOST,
                retryable=True,
            ) from error

    def poll(self, job: Job) -> Report:
        """Look a job up on the cluster, and fetch its video when it is finished.

        Raises:
            APIError: with ``retryable`` when the cluster cannot be reached.
            ResourceNotFoundError: when it runs on another cluster.
        """
        known = self._connection.coordinator("look", job.job_id)
        if known is None:
            return self._report_unknown(job)
        return self._report(job, known)

    def cancel(self, job: Job) -> Report:
        """Have exactly this job stop at its next step, and report its state.

        Raises:
            APIError: with ``retryable`` when the cluster cannot be reached.
            ResourceNotFoundError: when it runs on another cluster.
        """
        self._check_cluster(job)
        known = self._connection.coordinator("cancel", job.job_id)
        report = self._report(job, known)
        if report.status.is_terminal:
            return report
        return replace(report, status=JobStatus.CANCELING, message="stops after the step it is at")

    def preview(self, job: Job) -> Preview:
        """Return the newest preview of a job; see the port. Without a connection there is none."""
        if not self._connection.is_open:
            return Preview()
        try:
            jpeg, reason = self._connection.coordinator("preview", job.job_id, waits_s=PREVIEW_S)
        except TioMagicError:
            return Preview()
        return Preview(jpeg=jpeg, reason=reason)

    def rehearse(self, model: str, settings: Mapping[str, Any] | None = None) -> Rehearsal:
        """Have a model rehearsed on a machine of the cluster, in a place as a job would get.

        Raises:
            UnknownModelError: when there is no such model.
            APIError: when no machine had a place for it in time.
            TioMagicError: when the cluster cannot be used.
        """
        card = find_model(model)
        place = self._settle(card)
        if not place.fits_into(self._connection.ask("free_on_each")):
            self._connection.coordinator("end_idle_workers")
        given, waits_s = dict(settings or {}), REHEARSAL_S + PREVIEW_S
        said = self._connection.ask(
            "rehearse", model, given, place.to_list(), waits_s=waits_s, limit_s=REHEARSAL_S
        )
        if "error" in said:
            raise rebuild_error(said["error"])
        return Rehearsal.from_dict(said["answer"], provider=PROVIDER_NAME)

    def unload(self) -> None:
        """End the connection; jobs go on, and the next request connects again."""
        self._connection.close()

    def _place(self, card: ModelCard) -> Placement:
        return self._options.place(needs_gpu=card.gpu_memory_gib > 0)

    def _settle(self, card: ModelCard) -> Placement:
        try:
            nodes = self._connection.ask("nodes")
        except APIError as error:
            if error.code != ErrorCode.NO_CLUSTER:
                raise
            # To a submission this is no passing trouble: nothing has begun that could go on.
            raise APIError(error.message, details=error.details, code=error.code) from error
        there = [node["resources"] for node in nodes]
        return self._place(card).settle([*there, *self._options.find_autoscaled()])

    def _check_shared_folder(self) -> None:
        """Raise if a machine has not the shared folder; each is asked once."""
        shared = self._options.shared_dir
        if shared is None:
            return
        if self._shared_on.issuperset(machine.node for machine in list_machines(self._connection)):
            return
        machines = list(look_at_machines(self._connection, shared, weights=False))
        check_shared_folder(machines, shared)
        self._shared_on = {machine.node for machine in machines}

    def _hand_inputs(self, request: Request) -> None:
        """Send what the cluster lacks, or put it into the shared folder."""
        if self._options.shared_dir is None:
            send_inputs(self._connection, request.media.values())
            return
        shared = SharedFolder(self._options.shared_dir)
        shared.open_job(request.job.job_id)
        for media in request.media.values():
            shared.put_input(media)

    def _check_cluster(self, job: Job) -> None:
        """Raise if a job was sent to another cluster than the one that is configured."""
        if job.call_id is None:
            return
        cluster = self._connection.coordinator("describe")["cluster"]
        theirs = job.call_id.partition("/")[0]
        if theirs != cluster:
            raise ResourceNotFoundError(
                f"job {job.job_id} was sent to the cluster {theirs}, and address="
                f"{self._options.address!r} is the cluster {cluster}: configure the address of the "
                "first, or its folder on the head was removed and the job is gone",
                details={"cluster": cluster, "sent_to": theirs},
            )

    def _report_unknown(self, job: Job) -> Report:
        """Report on a job that the cluster does not know."""
        self._check_cluster(job)
        if job.call_id is None and self._now() - job.creation_time < SENT_WITHIN:
            return Report(status=job.status, message="is on its way to the cluster")
        # From here on it cannot start there any more.
        return self._report(job, self._connection.coordinator("cancel", job.job_id, as_lost=True))

    def _report(self, job: Job, known: Mapping[str, Any]) -> Report:
        call_id = f"{known['cluster']}/{job.job_id}"
        outcome = known["outcome"]
        if outcome is not None:
            return self._report_end(job, call_id, known, outcome)
        if known["state"] == "waiting":
            return Report(
                status=JobStatus.QUEUED,
                call_id=call_id,
                message=_say_waiting(known),
                progress=Progress(phase=Phase.WAITING),
                queue_position=known["position"],
                retry_after=_pause_before(known["position"] or 0),
            )
        progress = _read_progress(known["progress"])
        return Report(
            status=JobStatus.CANCELING if known["is_canceled"] else JobStatus.RUNNING,
            call_id=call_id,
            progress=progress,
            message=str(progress) if progress else f"begins on {known['host'] or 'a worker'}",
            logs=known["logs"] or None,
        )

    def _report_end(
        self, job: Job, call_id: str, known: Mapping[str, Any], outcome: Mapping[str, Any]
    ) -> Report:
        status, message = JobStatus(outcome["status"]), outcome["message"]
        report = Report(status=status, call_id=call_id, message=message, logs=known["logs"] or None)
        lost = {"workers_lost": known["lost"]} if known["lost"] else {}
        match status:
            case JobStatus.COMPLETED:
                video = self._videos.take(job, outcome, self._connection)
                return replace(report, video=video, facts={**outcome["facts"], **lost})
            case JobStatus.FAILED:
                return replace(report, error=message, error_code=outcome["code"], facts=lost)
        return report


def _say_not_sent(error: APIError) -> APIError:
    """Return what an error before the submission means: no later check will find the job."""
    if error.code != ErrorCode.UNREACHABLE:
        return error
    return APIError(
        f"job not sent: the Ray cluster does not answer ({error.details['reason']}). Submit "
        "it once more",
        details=error.details,
        code=error.code,
        retryable=True,
    )


def _say_waiting(known: Mapping[str, Any]) -> str:
    lost = "its worker was lost, and it runs again: " if known["lost"] else ""
    return f"{lost}waits for a worker on the cluster"


def _pause_before(position: int) -> float:
    """Return after how many seconds it is worth asking for a waiting job again."""
    return min(LONGEST_PAUSE_S, PAUSE_S + PAUSE_OF_ONE_S * position)


def _read_progress(plain: Mapping[str, Any] | None) -> Progress | None:
    if plain is None:
        return None
    try:
        return Progress.from_dict(plain)
    except (KeyError, ValueError):
        return None  # A newer worker may report a phase that this version does not know.
