"""How each part is built. Heavy imports are inside, so that a part costs only whoever uses it."""

# ruff: noqa: PLC0415 - see above.

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiomagic.wiring.extras import part_missing_error
from tiomagic.wiring.launcher import JOB_LOGS_FOLDER, WORKER_LOGS_FOLDER
from tiomagic.wiring.lazy import AbsentMediaReader, LazyRepository
from tiomagic.wiring.settings import STATE_FOLDER
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.owner_only import restrict_to_owner

if TYPE_CHECKING:
    from tiomagic.wiring.clock import SystemClock
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.ports import (
        Clock,
        JobRepository,
        Launcher,
        MediaReader,
        OutputStore,
        Pictures,
        Provider,
    )
    from tiomagic_domain.workers import Background
    from tiomagic_storage import GenerationLog, SqlJobRepository

INPUTS_FOLDER = "inputs"
"""Folder of the state folder: pictures and videos that were given, by their hash."""
SPOOL_FOLDER = "spool"
"""Folder of the state folder: videos that are not in their place yet."""
OWNER_ONLY_FOLDERS: Final = (
    INPUTS_FOLDER,
    SPOOL_FOLDER,
    JOB_LOGS_FOLDER,
    WORKER_LOGS_FOLDER,
    "uploads",
)
"""The folders of the state folder."""


def build_clock() -> SystemClock:
    """Return the clock of this machine."""
    from tiomagic.wiring.clock import SystemClock

    return SystemClock()


def build_repository(url: str, state_dir: Path, log_path: Path) -> Iterator[LazyRepository]:
    """Give the job repository at a URL and close it in the end."""

    def open_it() -> SqlJobRepository:
        from tiomagic_storage import open_repository

        _restrict_state_folder(state_dir)
        repository = open_repository(url)
        _import_old_log(log_path, repository)
        return repository

    repository = LazyRepository(open_it)
    yield repository
    repository.close()


def _restrict_state_folder(state_dir: Path) -> None:
    """Close to others what an older version has made for everybody to read.

    A state folder of another name may be one that the user made, and has other things in it.
    """
    if state_dir.name == STATE_FOLDER:
        restrict_to_owner(state_dir)
    for name in OWNER_ONLY_FOLDERS:
        restrict_to_owner(state_dir / name)


def _import_old_log(log_path: Path, repository: SqlJobRepository) -> None:
    """Take the jobs that tiomagic 1.0.0 has left in a log into the history."""
    from tiomagic.display.journal import get_logger
    from tiomagic_storage import GenerationLog

    try:
        count = GenerationLog(log_path, repository).import_old_log()
    except ProcessingError as error:
        # The next job that is written into the log meets the same, and it is said there.
        get_logger().debug("history.not_imported", error=error.message, code=error.code)
        return
    if count:
        get_logger().info("history.imported", path=str(log_path), jobs=count)


def build_outputs(folder: Path) -> OutputStore:
    """Return the folder of finished videos."""
    from tiomagic_storage import FolderOutputStore

    return FolderOutputStore(folder)


def build_generation_log(path: Path, repository: JobRepository) -> GenerationLog:
    """Return the log of the newest jobs for people and old scripts."""
    from tiomagic_storage import GenerationLog

    return GenerationLog(path, repository)


def build_media(state_dir: Path, *, allow_private: bool) -> MediaReader:
    """Return the reader of pictures and videos, or one that says what it lacks."""
    try:
        from tiomagic_media import LocalMediaReader
    except ImportError as error:
        return AbsentMediaReader(part_missing_error("media", error))
    return LocalMediaReader(state_dir / INPUTS_FOLDER, allow_private_addresses=allow_private)


def build_pictures() -> Pictures:
    """Return what makes pictures of videos.

    Raises:
        MissingDependencyError: when its packages are not installed.
    """
    try:
        from tiomagic_media.pictures.maker import PictureMaker
    except ImportError as error:
        raise part_missing_error("media", error) from error
    return PictureMaker()


def build_local(
    *,
    model_path: Path | None,
    weights_dir: Path | None,
    hf_token: str | None,
    device: str | None,
    state_dir: Path,
) -> Provider:
    """Return the provider that runs models in this process.

    Raises:
        MissingDependencyError: when its packages are not installed.
    """
    try:
        from tiomagic_local.provider import LocalOptions, LocalProvider
    except ImportError as error:
        raise part_missing_error("local", error) from error
    options = LocalOptions(
        model_path=model_path, weights_dir=weights_dir, hf_token=hf_token, device=device
    )
    return LocalProvider(options, state_dir / SPOOL_FOLDER)


def build_background(
    repository: JobRepository,
    clock: Clock,
    launcher: Launcher,
    settings: Callable[[], Settings],
    *,
    shares_devices: bool,
) -> Background | None:
    """Return what jobs need to run without their caller; None where they cannot.

    They need the local adapter, and a repository that keeps leases as well.

    Args:
        repository: Where jobs, and perhaps leases, are kept.
        clock: The time.
        launcher: Starts workers.
        settings: Gives the settings that hold.
        shares_devices: True when the provider ``local`` is ours, whose runs in this process take
            turns with workers on the devices of this machine.
    """
    leases = getattr(repository, "leases", None)
    try:
        from tiomagic_local.jobs.device_locks import FileDeviceLocks
        from tiomagic_local.jobs.processes import FOLDER, SystemProcesses
    except ImportError:
        return None
    if leases is None:
        return None
    from tiomagic_domain.workers import Background

    processes = SystemProcesses(settings().state_dir / FOLDER)

    def runs_here(provider: str) -> bool:
        return provider == "local" and shares_devices

    def slot(provider: str) -> str | None:
        if not runs_here(provider):
            return None
        from tiomagic_local.torch_env.devices import device_names

        return f"local:{processes.host}:{device_names(settings().device)[0]}"

    return Background(
        leases=leases,
        device_locks=FileDeviceLocks(settings().state_dir),
        processes=processes,
        launcher=launcher,
        clock=clock,
        device=lambda: settings().device,
        stale_s=settings().worker_stale_s,
        slot=slot,
        runs_in_process=runs_here,
    )


def build_modal(
    *,
    gpu: str | None,
    timeout_s: int,
    scaledown_window_s: int,
    token_id: str | None,
    token_secret: str | None,
    environment: str | None,
    state_dir: Path,
) -> Provider:
    """Return the provider that runs models on Modal's GPUs.

    Raises:
        MissingDependencyError: when its packages are not installed.
    """
    try:
        from tiomagic_modal.options import ModalOptions
        from tiomagic_modal.provider import ModalProvider
    except ImportError as error:
        raise part_missing_error("modal", error) from error
    options = ModalOptions(
        gpu=gpu,
        timeout_s=timeout_s,
        scaledown_window_s=scaledown_window_s,
        token_id=token_id,
        token_secret=token_secret,
        environment=environment,
    )
    return ModalProvider(options, state_dir / SPOOL_FOLDER)
