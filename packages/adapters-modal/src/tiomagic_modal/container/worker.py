"""The worker class in the container: runs a job with the local engines, or rehearses a model.

The only module that imports both Modal and `tiomagic_local`, the latter inside functions: deploying
needs its source, not its libraries.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import modal
from tiomagic_domain import __version__
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.progress import Phase, ignore_progress
from tiomagic_domain.requests.wire import PlainData, to_plain
from tiomagic_modal.constants import OUTPUTS_DIR, OUTPUTS_VARIABLE, PROTOCOL_VERSION, WEIGHTS_DIR
from tiomagic_modal.container.app import app, hugging_face, image, jobs_dict, outputs, weights
from tiomagic_modal.container.job_store import ContainerJob, ProgressPublisher
from tiomagic_modal.wire import WorkerError, check_protocol, decode_request, pack_error

if TYPE_CHECKING:
    from tiomagic_local.options import LocalOptions

__all__ = ["Stage", "VideoWorker", "app", "prefetch"]

LOADING_PHASES = (Phase.WAITING, Phase.DOWNLOADING, Phase.LOADING)
MOUNTED_VOLUMES: dict[str | PurePosixPath, modal.Volume | modal.CloudBucketMount] = {
    OUTPUTS_DIR: outputs,
    WEIGHTS_DIR: weights,
}
REHEARSAL_TIMEOUT_S = 900
PREFETCH_TIMEOUT_S = 3600
"""Timeout of a download: 45 GiB at 30 MB/s take 26 minutes; a slow hub gets twice that."""


@contextmanager
def raise_worker_errors() -> Iterator[None]:
    """Convert exceptions to `WorkerError`. A cancellation is a BaseException, and passes."""
    try:
        yield
    except WorkerError:
        raise
    except Exception as error:  # noqa: BLE001  Nothing else may leave a container.
        # Without the cause: the caller may be unable to unpickle its class.
        raise pack_error(error) from None


@app.cls(
    image=image,
    volumes=MOUNTED_VOLUMES,
    secrets=[hugging_face],
    cpu=2.0,
    timeout=1800,
    # A container fetches weights when it starts; the caller's timeout does not cover that.
    startup_timeout=PREFETCH_TIMEOUT_S,
    scaledown_window=900,
    # No memory snapshot, not even of the imports: diffusers queries CUDA at import
    # (utils/torch_utils.py, 0.42.1), and after a query without a GPU, CUDA finds none in that
    # process.
)
class VideoWorker:
    """Runs jobs of one model. GPU, timeout and window come with the call."""

    model: str = modal.parameter()

    @modal.enter()
    def fetch(self) -> None:
        """Fetch the weights to the Volume before the timeout of the first job starts."""
        self.runtime: Any = None
        self.began: float | None = time.monotonic()
        self.failure: WorkerError | None = None
        try:
            with raise_worker_errors():
                from tiomagic_local.runtime.pipeline_cache import Runtime  # noqa: PLC0415  Only in a container.
                from tiomagic_local.torch_env.devices import all_together  # noqa: PLC0415  Only in a container.

                _fetch_weights(self.model)
                # The container runs one job at a time, so each job gets all of its GPUs.
                self.runtime = Runtime(replace(_read_options(), device=all_together()))
        except WorkerError as error:
            # Kept and raised by the job: if it were raised here, Modal would restart containers
            # forever.
            self.failure = error

    @modal.method()
    def generate(self, payload: PlainData) -> PlainData:
        """Run one job and return its video, or the result of an earlier start of it.

        Args:
            payload: A request in the wire format.

        Returns:
            A result in the wire format.

        Raises:
            WorkerError: whatever went wrong.
        """
        with raise_worker_errors():
            check_protocol(payload)
            desk = ContainerJob(
                job_id=payload["job"]["job_id"],
                call_id=modal.current_function_call_id() or "local",
                board=jobs_dict,
                disk=outputs,
                folder=Path(os.environ[OUTPUTS_VARIABLE]),
            )
            finished = desk.claim()
            if finished is not None:
                return finished
            if self.failure is not None:
                raise self.failure
            # Only the first job of a container began with its start.
            began, self.began = self.began, None
            starting_s = 0.0 if began is None else time.monotonic() - began
            return self._run(payload, desk, starting_s)

    def _run(self, payload: PlainData, desk: ContainerJob, starting_s: float) -> PlainData:
        with (
            tempfile.TemporaryDirectory(prefix="tiomagic-") as name,
            desk.publish_progress() as moments,
        ):
            folder = Path(name)
            request = decode_request(payload, keep=_build_input_writer(folder))
            video = folder / "video.mp4"
            report = _generate(request, self.runtime, video, moments)
            loading_s, generating_s = _split_seconds(report.facts.get("seconds", {}))
            return desk.commit_result(
                video,
                {
                    "protocol": PROTOCOL_VERSION,
                    "worker": __version__,
                    "job_id": request.job.job_id,
                    "recipe": to_plain(report.video.recipe) if report.video else {},
                    "facts": {
                        **to_plain(report.facts),
                        "worker_version": __version__,
                        "gpu": payload.get("gpu"),
                        "seconds_starting": round(starting_s, 3),
                        "seconds_loading": loading_s,
                        "seconds_generating": generating_s,
                    },
                },
            )


def _generate(request: Request, runtime: Any, target: Path, moments: ProgressPublisher) -> Report:
    from tiomagic_local.runtime.run import run_request  # noqa: PLC0415  Only in a container.

    # No cancel token: Modal raises its own exception in the running code.
    return run_request(request, runtime=runtime, target=target, progress=moments)


def _split_seconds(seconds: Mapping[str, float]) -> tuple[float, float]:
    """Return the seconds that a warm container would have saved, and the rest."""
    loading = sum(seconds.get(phase, 0.0) for phase in LOADING_PHASES)
    return round(loading, 3), round(sum(seconds.values()) - loading, 3)


def _build_input_writer(folder: Path) -> Callable[[str, bytes], Path]:
    def keep(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return keep


def _read_options() -> "LocalOptions":
    """Return the source of weights: the image's setting, or the hub with the secret's token."""
    from tiomagic_local.options import LocalOptions  # noqa: PLC0415  Only in a container.

    folder = os.environ.get("TIOMAGIC_WEIGHTS_DIR")
    token = os.environ.get("HF_TOKEN") or None
    return LocalOptions(weights_dir=Path(folder) if folder else None, hf_token=token)


def _fetch_weights(model: str) -> str:
    """Fetch a model's weights to the Volume if needed, and return their source."""
    from tiomagic_local.engines import find_engine  # noqa: PLC0415  Only in a container.
    from tiomagic_local.weights.locate import Origin, find_weights  # noqa: PLC0415  Only in a container.
    from tiomagic_local.weights.lora_files import find_loras  # noqa: PLC0415  Only in a container.

    card = find_model(model)
    found = find_weights(
        card, _read_options(), pipeline=find_engine(card.engine).pipeline, progress=ignore_progress
    )
    loras = find_loras(
        card.loras, _read_options(), progress=ignore_progress, model=found.by_hand, stays=True
    )
    if found.origin is Origin.HUB or loras:
        weights.commit()  # Commit, so that the next container finds them.
    return f"{found.repository or found.origin.value}@{found.revision}"


@app.function(
    image=image,
    volumes=MOUNTED_VOLUMES,
    secrets=[hugging_face],
    timeout=PREFETCH_TIMEOUT_S,
    scaledown_window=2,
)
def prefetch(model: str) -> str:
    """Download a model's weights to the Volume, on a container without a GPU.

    Returns:
        Repository and revision.

    Raises:
        WorkerError: whatever went wrong.
    """
    with raise_worker_errors():
        return _fetch_weights(model)


@app.cls(
    image=image,
    volumes=MOUNTED_VOLUMES,
    secrets=[hugging_face],
    cpu=2.0,
    timeout=REHEARSAL_TIMEOUT_S,
    scaledown_window=2,
)
class Stage:
    """Rehearses models on the GPU that comes with the call; fetches no weights."""

    @modal.method()
    def rehearse(self, model: str) -> PlainData:
        """Check all that a model needs, and run it with random weights.

        Returns:
            A rehearsal as plain data.

        Raises:
            WorkerError: whatever went wrong.
        """
        with raise_worker_errors():
            from tiomagic_local.rehearsal.rehearse import rehearse  # noqa: PLC0415  Only in a container.

            return rehearse(model, _read_options(), provider="modal").to_dict()
