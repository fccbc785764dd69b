"""The provider ``local``: runs models in this process, on this machine."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, GenerationCanceledError, ProcessingError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.ports.processes import ProcessState
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    ProviderBase,
    Report,
    Request,
    RunDescription,
)
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_domain.progress import Preview, Progress
from tiomagic_domain.workers.unreachable import describe_unreachable_run
from tiomagic_local.engines import can_run
from tiomagic_local.jobs.previews import RunPreviews
from tiomagic_local.jobs.processes import FOLDER, ProcessIdentity, SystemProcesses
from tiomagic_local.jobs.spool import LocalSpool
from tiomagic_local.options import LocalOptions
from tiomagic_local.preflight.conditions import look_ahead, run_device
from tiomagic_local.preflight.machine import MachineFacts, read_machine
from tiomagic_local.preview.request import preview_with
from tiomagic_local.torch_env.devices import group_members
from tiomagic_local.weights.given_files import check_given_files
from tiomagic_local.weights.inventory import list_run_files, take_inventory
from tiomagic_local.weights.locate import local_folder
from tiomagic_local.weights.lora_files import check_loras
from tiomagic_media.pose.models import EXTRA_PURPOSE as POSE_PURPOSE

__all__ = ["LocalOptions", "LocalProvider"]

DEFAULT_MODELS = ("doodle", "wan2.1-vace-1.3b")
"""The default model: the first of these that the catalogue has. ``doodle`` comes with this package
and runs on any computer; the other one is the smallest that can do all."""

ENGINE_MODULES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "ftfy")
POSE_MODULES = ("onnxruntime", "huggingface_hub")

START_TIMEOUT_S = 60.0
"""Seconds that a stored job may have no process: a submission stores the job first and its process
shortly after."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocalProvider(ProviderBase):
    """Runs jobs in the calling process and returns when they are over.

    Args:
        options: With the source of weights and the device.
        spool: Folder of finished videos until they are saved. In a folder ``processes`` beside it,
            running processes show that they live.
        now: Gives the current time, with zone.
        run: Makes the video of a request, with the arguments of ``runtime.run.run_request``; None
            for that function. Tests of processes draw a video here, where no model is needed.
        machine: Looks at the machine before a run. Tests give the facts of another machine.
    """

    def __init__(
        self,
        options: LocalOptions,
        spool: Path,
        *,
        now: Callable[[], datetime] = _utc_now,
        run: Callable[..., Report] | None = None,
        machine: Callable[[], MachineFacts] = read_machine,
    ) -> None:
        from tiomagic_local.runtime.pipeline_cache import Runtime

        self._options = options
        self._processes = SystemProcesses(spool.parent / FOLDER)
        self._spool = LocalSpool(spool, self._processes)
        with contextlib.suppress(OSError):  # A folder that cannot be cleaned now does no harm.
            self._spool.sweep()
        self._now = now
        self._run = run
        self._machine = machine
        self._runtime = Runtime(options)

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        return "local"

    def capabilities(self) -> Capabilities:
        """Return the provider's properties; loads nothing heavy."""
        default = next(name for name in DEFAULT_MODELS if name in models())
        return Capabilities(default_model=default, blocking=True, runs=can_run)

    def describe(self, request: Request) -> RunDescription:  # noqa: ARG002 - the port's argument
        """Return the device that a job would run on; loads no torch."""
        wanted = self._options.device
        if wanted is not None and group_members(wanted):
            return RunDescription(device=",".join(group_members(wanted)))
        return RunDescription(device=run_device(wanted, self._machine()).name)

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return the time of a run, which costs nothing here."""
        return replace(super().estimate(request, known), amount=0.0)

    def preflight(self, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:
        """Return what a run meets on this machine; loads no torch, see the port."""
        return look_ahead(card, settings, self._options, self._machine())

    def preview(self, job: Job) -> Preview:
        """Return the newest preview of a job, from the spool; see the port."""
        return self._spool.previews.ask(job.job_id)

    def unload(self) -> None:
        """Free the model that is kept loaded."""
        self._runtime.unload()

    def rehearse(self, model: str, settings: Mapping[str, Any] | None = None) -> Rehearsal:
        """Rehearse a model on this machine; see `tiomagic_domain.ports.ProviderBase`.

        Raises:
            UnknownModelError: when there is no such model.
            MissingDependencyError: with the command that installs what is missing.
            ConfigurationError: when the device cannot be used.
        """
        _require("local", "running a model on this machine", ENGINE_MODULES)
        from tiomagic_local.rehearsal.rehearse import rehearse

        # A loaded model would occupy the memory.
        self.unload()
        return rehearse(model, self._options, settings=settings)

    def check(self, request: Request) -> None:
        """Raise if the job cannot run; loads no torch.

        Raises:
            MissingDependencyError: with the command that installs what is missing.
            ConfigurationError: when there is no such engine, a folder of weights is not there, or
                the device is written as a group that cannot be.
            ValidationError: when a file of weights is not there, or a LoRA file is none.
        """
        _require("local", "running a model on this machine", ENGINE_MODULES)
        if "guiding_video" in request.media:
            _require("pose", POSE_PURPOSE, POSE_MODULES)
        if not can_run(request.card):
            raise ConfigurationError(
                f"{request.card.name!r} needs the engine {request.card.engine!r}, which is not "
                "here: update tiomagic, or install what brings it",
                details={"engine": request.card.engine},
            )
        group_members(self._options.device)
        local_folder(request.card, self._options)
        check_loras(Lora.from_arguments(request.settings.get("loras", ())), self._options)
        check_given_files(request.card, request.settings, self._options)

    def ask_ahead(self, request: Request) -> None:
        """Ask the hub for the lists of a model's files, if it is not all here. Loads no torch.

        A run imports its libraries first, which takes longer than to see that there is no network.

        Raises:
            AuthenticationError, APIError, ConfigurationError: as a download.
        """
        card = request.card.at(request.settings.get("revisions", {}))
        if self._run is not None or self._options.repository is not None:
            return  # It reads no weights, or others than the card's.
        settings = request.settings
        if not take_inventory(card, self._options, settings=settings).is_complete:
            from tiomagic_local.weights.hub import ask_for_lists

            wanted = list_run_files(card, self._options, settings)
            ask_for_lists(wanted, model=card.name, token=self._options.hf_token)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Run a job to its end, or return at once when it was run or runs elsewhere.

        Raises:
            TioMagicError: when it failed.
        """
        job_id = request.job.job_id
        self._spool.sweep()
        worker = self._me()
        with self._spool.claim(job_id, worker) as holder:
            if holder is not None:
                return _running(holder)
            video = self._spool.find_finished(job_id)
            if video is not None:
                return _completed(video)
            observer.report(_running(worker))
            from tiomagic_local.runtime import run

            def tell(progress: Progress) -> None:
                if progress.preview is not None:
                    self._spool.previews.put(job_id, progress.preview)
                observer.report(Report(status=JobStatus.RUNNING, progress=progress))

            def note(text: str) -> None:
                observer.report(Report(status=JobStatus.RUNNING, message=text))

            target, runtime = self._spool.path(job_id), self._runtime
            try:
                with preview_with(RunPreviews(self._spool.previews, job_id)):
                    return (self._run or run.run_request)(
                        request,
                        runtime=runtime,
                        target=target,
                        progress=tell,
                        cancel=observer,
                        note=note,
                    )
            except GenerationCanceledError as error:
                return Report(status=JobStatus.CANCELED, message=error.message)
            except (ProcessingError, OSError) as error:
                # A network drive that was lost meanwhile is not the job's fault.
                self._spool.check(error)
                raise

    def poll(self, job: Job) -> Report:
        """Report the state of a job, from what is visible on this machine."""
        video = self._spool.find_finished(job.job_id)
        if video is not None:
            return _completed(video)
        worker = self._worker(job)
        if worker is None:
            return self._without_worker(job)
        life = self._processes.get_state(worker.call_id)
        if life is ProcessState.UNKNOWN:
            where = f"process {worker.pid} of the machine {worker.host!r}"
            message = describe_unreachable_run(job.job_id, where)
            return Report(status=job.status, message=message, is_reachable=False)
        if life is ProcessState.ALIVE:
            return Report(status=JobStatus.RUNNING, call_id=worker.call_id)
        self._spool.sweep()
        return _lost(f"the process {worker.pid} that ran the job has died without finishing it")

    def cancel(self, job: Job) -> Report:
        """Cancel a job. The process that runs it reads the request in the database."""
        report = self.poll(job)
        if report.status is JobStatus.COMPLETED:
            return report
        if report.status is JobStatus.FAILED:
            message = "canceled; the process that ran it was gone already"
            return Report(status=JobStatus.CANCELED, message=message)
        if not report.is_reachable:
            return Report(status=JobStatus.CANCELING, message=report.message, is_reachable=False)
        return Report(status=JobStatus.CANCELING, message="stops after the step it is at")

    def _me(self) -> ProcessIdentity:
        """Return this process, visible to others from now on."""
        me = ProcessIdentity.from_call_id(self._processes.current())
        assert me is not None, "it has named itself"
        return me

    def _worker(self, job: Job) -> ProcessIdentity | None:
        named = ProcessIdentity.from_call_id(job.call_id) if job.call_id else None
        return named or self._spool.worker(job.job_id)

    def _without_worker(self, job: Job) -> Report:
        if (self._now() - job.creation_time).total_seconds() < START_TIMEOUT_S:
            return Report(status=job.status, message="is about to start")
        return _lost("the process that was to run the job has died before it began")


def _running(worker: ProcessIdentity) -> Report:
    return Report(status=JobStatus.RUNNING, call_id=worker.call_id, message="running")


def _completed(video: VideoFile) -> Report:
    """Return the final report of a job from its video, the only source of its facts."""
    facts = video.recipe.get("facts")
    known = facts if isinstance(facts, dict) else {}
    return Report(status=JobStatus.COMPLETED, message="completed", video=video, facts=known)


def _lost(message: str) -> Report:
    return Report(status=JobStatus.FAILED, error=message, error_code=ErrorCode.WORKER_LOST)


def _require(extra: str, purpose: str, modules: tuple[str, ...]) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise missing_extra_error(extra, purpose, module=module)
