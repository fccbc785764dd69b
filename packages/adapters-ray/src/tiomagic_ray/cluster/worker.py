"""The actor that holds a model and runs one job at a time, with the local engines.

It imports `tiomagic_local` inside functions, as only `node_tasks` and `engine_options` do, too: a
worker is made where its GPU is, and a coordinator needs no engine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import ray.exceptions

import ray
from tiomagic_domain import __version__
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.progress import Progress
from tiomagic_domain.requests.wire import decode_job, decode_media, describe_error, to_plain
from tiomagic_ray.cluster.engine_options import read_engine_options
from tiomagic_ray.cluster.inputs import (
    find_input,
    find_shared_folder,
    new_folder,
    sweep_node,
)
from tiomagic_ray.cluster.previews import WorkerPreviews
from tiomagic_ray.constants import CHUNK_BYTES, COORDINATOR_NAME, LEASH_S, NAMESPACE
from tiomagic_ray.placement import Placement

BEAT_S: Final = 0.5
"""Seconds between two words to the coordinator while a job runs: polls are no faster."""
IDLE_BEAT_S: Final = 3.0
ANSWER_S: Final = LEASH_S / 4
"""A word that is not answered so long is said again."""
TRANSFER_S: Final = 120.0
EXIT_ALONE: Final = 71
"""Exit code of a worker that has heard nothing of the coordinator."""
MAX_LOG_CHARS: Final = 60_000


class ClusterWorker:
    """Runs jobs of the cluster.

    Args:
        name: The actor's.
        placement: What it asked Ray for, as plain data.
        idle_s: How long it is kept without a job.
    """

    def __init__(self, name: str, placement: list[Any], idle_s: float) -> None:
        self._name = name
        self._placement = Placement(*placement)
        self._about = {"name": name, "placement": placement, "idle_s": idle_s}
        self._coordinator = ray.get_actor(COORDINATOR_NAME, NAMESPACE)
        self._begun = threading.Event()
        self._taking = threading.Lock()
        self._newest: str | None = None
        self._run: RunOfJob | None = None
        self._ending: RunOfJob | None = None
        self._model: str | None = None
        self._runtime: Any = None
        self._heard = time.monotonic()
        sweep_node()
        threading.Thread(target=self._beat, name="tiomagic-beat", daemon=True).start()

    def describe(self) -> dict[str, Any]:
        """Return where it is."""
        return {
            **self._about,
            "model": self._model,
            "node": ray.get_runtime_context().get_node_id(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "tiomagic": __version__,
        }

    def live(self) -> None:
        """Never return. Its death ends this call, which is how that is noticed."""
        threading.Event().wait()

    def run(self, task: dict[str, Any], attempt: str) -> bool:
        """Begin a job, unless it was begun; return whether this worker has this attempt of it.

        Idempotent: a call whose answer was lost is made again.
        """
        with self._taking:
            if self._newest != attempt:
                if self._run is not None:
                    return False
                self._newest = attempt
                self._run = RunOfJob(task["job"]["job_id"], attempt, self._hold)
                threading.Thread(target=self._work, args=(task, self._run), daemon=True).start()
                self._begun.set()
        return True

    def _work(self, task: dict[str, Any], run: RunOfJob) -> None:
        handler = run.listen()
        run.note(f"job {run.job_id} has started on {socket.gethostname()}, with {self._name}")
        try:
            shared = find_shared_folder(task)
            with new_folder() as folder:
                outcome = self._make(task, run, folder / "video.mp4")
                if shared is not None:
                    shared.put_video(run.job_id, folder / "video.mp4")
                    outcome["shared"] = task["shared"]
                else:
                    self._deliver(run, folder / "video.mp4")
        except GenerationCanceledError:
            outcome = {"status": "canceled", "message": "canceled"}
        except Exception as error:  # noqa: BLE001  Whatever it is, the job ends with it.
            told = describe_error(error)
            outcome = {"status": "failed", **told}
            if isinstance(error, ImportError) and (error.name or "").startswith("tiomagic_"):
                outcome["code"] = str(ErrorCode.NOT_INSTALLED_THERE)
        finally:
            logging.getLogger().removeHandler(handler)
        run.note(f"job {run.job_id} is {outcome['status']}: {outcome['message']}")
        outcome["logs"] = run.logs
        # The coordinator gives the next job as soon as it has heard of this end.
        self._ending, self._run = run, None
        self._tell_end(run, outcome)
        if self._ending is run:
            self._ending = None

    def _make(self, task: dict[str, Any], run: RunOfJob, target: Path) -> dict[str, Any]:
        from tiomagic_local.preview.request import preview_with  # noqa: PLC0415  Where the GPU is.
        from tiomagic_local.runtime.run import run_request  # noqa: PLC0415  The same.

        request = self._decode(task)
        with preview_with(run.previews):
            report: Report = run_request(
                request,
                runtime=self._find_runtime(),
                target=target,
                progress=run.take_progress,
                cancel=run,
                note=run.note,
            )
        self._model = request.card.name
        return {
            "status": "completed",
            "message": report.message,
            "sha256": sha256_of(target),
            "recipe": to_plain(report.video.recipe) if report.video else {},
            "facts": {
                **to_plain(report.facts),
                "worker": self._name,
                "gpus_of_worker": self._placement.gpus,
                "worker_version": __version__,
                "host": socket.gethostname(),
                "ray": ray.__version__,
            },
        }

    def _find_runtime(self) -> Any:
        from tiomagic_local.runtime.pipeline_cache import Runtime  # noqa: PLC0415  Where the GPU is.

        if self._runtime is None:
            self._runtime = Runtime(read_engine_options(on_gpu=self._placement.gpus > 0))
        return self._runtime

    def _decode(self, task: dict[str, Any]) -> Request:
        job = decode_job(task["job"])
        media, shared = {}, find_shared_folder(task)
        for name, reference in task["media"].items():
            digest = reference["sha256"]
            if shared is not None:
                media[name] = decode_media(reference, shared.find_input(digest))
                continue

            def fetch(offset: int, digest: str = digest) -> bytes:
                piece: bytes = self._ask("read_input", digest, offset)
                return piece

            media[name] = decode_media(reference, find_input(digest, task["cluster"], fetch))
        return Request(job=job, card=find_model(job.model, job.feature), media=media)

    def _deliver(self, run: RunOfJob, video: Path) -> None:
        """Send a finished video in pieces, each through Ray's object store."""
        with video.open("rb") as file:
            while True:
                offset = file.tell()
                piece = file.read(CHUNK_BYTES)
                if not piece:
                    return
                if not self._ask("write_result", run.job_id, run.attempt, offset, piece):
                    raise GenerationCanceledError("this run of the job was given up")

    def _tell_end(self, run: RunOfJob, outcome: dict[str, Any]) -> None:
        try:
            self._ask("finish", self._name, run.job_id, run.attempt, outcome)
        except Exception as error:  # noqa: BLE001  What cannot be told must not stay a running job.
            failed = {"status": "failed", **describe_error(error), "logs": run.logs}
            self._ask("finish", self._name, run.job_id, run.attempt, failed)

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the coordinator, again while it cannot answer: it comes back by itself.

        If it does not, `_beat` ends this process.
        """
        while True:
            try:
                asked = getattr(self._coordinator, method).remote(*arguments)
                return ray.get(asked, timeout=TRANSFER_S)
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
                time.sleep(BEAT_S)

    def _beat(self) -> None:
        """Say to the coordinator that this worker lives, and do what it answers."""
        while True:
            run = self._run or self._ending
            said = {
                **self._about,
                "model": self._model,
                "job_id": run and run.job_id,
                "attempt": run and run.attempt,
                "progress": run and run.progress,
                "preview": run and run.previews.take_new(),
                "logs": run.logs if run else "",
            }
            asked_at = time.monotonic()
            try:
                answer = ray.get(self._coordinator.hello.remote(said), timeout=ANSWER_S)
            except (ray.exceptions.RayError, OSError):
                self._end_alone()
                time.sleep(BEAT_S)
                continue
            # Not when the answer came: this process may have been stopped in between.
            self._heard = asked_at
            if run is not None:
                run.is_canceled = run.is_canceled or answer["cancel"]
                run.previews.is_asked = answer["preview"]
            self._begun.wait(BEAT_S if run is not None else IDLE_BEAT_S)
            self._begun.clear()

    def _end_alone(self) -> None:
        """End this process if it is cut off for long: its job may begin elsewhere.

        A coordinator that is started again is silent, too, but then Ray's head answers.
        """
        asked_at = time.monotonic()
        if self._is_in_touch():
            self._heard = asked_at
        if time.monotonic() - self._heard > LEASH_S:
            sys.stderr.write("tiomagic: no word of the coordinator; this worker ends\n")
            # At once, whatever its engine is doing.
            os._exit(EXIT_ALONE)

    def _is_in_touch(self) -> bool:
        """Say whether Ray's head answers, has this node among the living ones, and a coordinator.

        That may be another one than before: it is the one that is asked from now on.
        """
        found: list[bool] = []

        def ask() -> None:
            me = ray.get_runtime_context().get_node_id()
            is_alive = any(node["NodeID"] == me and node["Alive"] for node in ray.nodes())
            self._coordinator = ray.get_actor(COORDINATOR_NAME, NAMESPACE)
            found.append(is_alive)

        def try_to_ask() -> None:
            with contextlib.suppress(ValueError, ray.exceptions.RayError):
                ask()

        # In a thread of its own: without a head Ray's question does not come back.
        asking = threading.Thread(target=try_to_ask, daemon=True)
        asking.start()
        asking.join(ANSWER_S)
        return found == [True]

    def _hold(self) -> None:
        """Go no further while nothing was heard for long: the job may have begun elsewhere.

        This worker then hears a word, or ends.
        """
        while time.monotonic() - self._heard > LEASH_S:
            time.sleep(BEAT_S)


class RunOfJob:
    """One run of a job: the cancel token, the newest progress, and the log.

    Args:
        job_id: The job.
        attempt: The coordinator's name for this run.
        hold: Called at each step; returns when the run may go on.
    """

    def __init__(self, job_id: str, attempt: str, hold: Callable[[], None]) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self._hold = hold
        self.is_canceled = False
        self.progress: dict[str, Any] | None = None
        self.previews = WorkerPreviews()
        self.logs = ""

    def take_progress(self, progress: Progress) -> None:
        """Take one event of the engine."""
        self.progress = progress.to_dict()
        if progress.preview is not None:
            self.previews.put(progress.preview)

    def note(self, text: str) -> None:
        """Take a line for the log."""
        line = f"{time.strftime('%H:%M:%S')} {text}\n"
        self.logs = (self.logs + line)[-MAX_LOG_CHARS:]

    def raise_if_canceled(self) -> None:
        """End the run if it was asked to stop.

        Raises:
            GenerationCanceledError: when it was.
        """
        self._hold()
        if self.is_canceled:
            raise GenerationCanceledError("canceled")

    def listen(self) -> logging.Handler:
        """Have what is logged from now on in the log, too; return what ends that."""
        handler = LogListener(self.note)
        logging.getLogger().addHandler(handler)
        return handler


class LogListener(logging.Handler):
    """Passes what is logged on as lines.

    Args:
        note: Takes a line.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        self._note(f"{record.levelname.lower()} {record.getMessage()}")
