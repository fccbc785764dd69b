"""Builds each part of the container. Heavy imports are inside the functions."""

# ruff: noqa: PLC0415 - see above.

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiomagic.wiring.background.launcher import JOB_LOGS_FOLDER, WORKER_LOGS_FOLDER, write_log
from tiomagic.wiring.extras import part_missing_error
from tiomagic.wiring.lazy import AbsentMediaReader, LazyRepository
from tiomagic.wiring.registry import ProviderRegistry, build_machine_ports
from tiomagic.wiring.settings import SPOOL_FOLDER, STATE_FOLDER
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.owner_only import restrict_to_owner
from tiomagic_domain.ports.leases import KeepsLeases

if TYPE_CHECKING:
    from tiomagic.wiring.clock import SystemClock
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports import (
        Clock,
        JobRepository,
        Launcher,
        MaskReader,
        MediaReader,
        OutputStore,
        Pictures,
        Provider,
        VideoJoiner,
    )
    from tiomagic_domain.spending.limits import CostLimits
    from tiomagic_domain.workers import Background
    from tiomagic_storage import GenerationLog, SqlJobRepository

INPUTS_FOLDER = "inputs"
"""The folder of inputs by hash, within the state folder."""
OWNER_ONLY_FOLDERS: Final = (
    INPUTS_FOLDER,
    SPOOL_FOLDER,
    JOB_LOGS_FOLDER,
    WORKER_LOGS_FOLDER,
    "uploads",
)
"""The folders of the state folder."""


def read_cost_limits(settings: Settings) -> CostLimits:
    """Return the limits of what runs may cost that are set."""
    from tiomagic_domain.money.amounts import Money
    from tiomagic_domain.money.budgets import Budget, BudgetPeriod
    from tiomagic_domain.spending.limits import CostLimits

    def read(given: str | None) -> Money | None:
        return None if given is None else Money.parse_limit(given)

    limits = {
        BudgetPeriod.DAY: settings.daily_budget,
        BudgetPeriod.MONTH: settings.monthly_budget,
    }
    return CostLimits(
        max_cost=read(settings.max_cost),
        budgets=tuple(
            Budget(period=period, limit=limit)
            for period, given in limits.items()
            if (limit := read(given)) is not None
        ),
    )


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
        _import_old_log(log_path, repository, state_dir)
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


def _import_old_log(log_path: Path, repository: SqlJobRepository, state_dir: Path) -> None:
    """Take the jobs that tiomagic 1.0.0 has left in a log into the history."""
    from tiomagic.display.journal import get_logger
    from tiomagic_storage import GenerationLog

    try:
        count = GenerationLog(log_path, repository, lock_folder=state_dir).import_old_log()
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


def build_generation_log(path: Path, repository: JobRepository, state_dir: Path) -> GenerationLog:
    """Return the log of the newest jobs for people and old scripts."""
    from tiomagic_storage import GenerationLog

    return GenerationLog(path, repository, lock_folder=state_dir)


def build_media(state_dir: Path, *, allow_private: bool) -> MediaReader:
    """Return the reader of pictures and videos, or one that says what it lacks."""
    try:
        from tiomagic_media import LocalMediaReader
    except ImportError as error:
        return AbsentMediaReader(part_missing_error("media", error))
    return LocalMediaReader(state_dir / INPUTS_FOLDER, allow_private_addresses=allow_private)


def build_joiner() -> VideoJoiner | None:
    """Return the joiner of videos; None where the package that reads media is not installed.

    Its media reader says then what is missing.
    """
    try:
        from tiomagic_media.joining.joiner import LocalVideoJoiner
    except ImportError:
        return None
    return LocalVideoJoiner()


def build_masks() -> MaskReader | None:
    """Return the reader of masks; None where the package that reads media is not installed."""
    try:
        from tiomagic_media.masks.reader import LocalMaskReader
    except ImportError:
        return None
    return LocalMaskReader()


def build_pictures() -> Pictures:
    """Return the maker of pictures and exports.

    Raises:
        MissingDependencyError: when its packages are not installed.
    """
    try:
        from tiomagic_media.pictures.maker import PictureMaker
    except ImportError as error:
        raise part_missing_error("media", error) from error
    return PictureMaker()


def build_registry(
    replaced: Mapping[str, Provider], settings: Callable[[], Settings]
) -> ProviderRegistry:
    """Return the providers, none of which can say a secret."""
    from tiomagic.wiring.redacting_provider import RedactingProvider

    def keep_logs(job_id: str, text: str) -> None:
        write_log(settings().state_dir, job_id, text)

    def wrap(provider: Provider, runs: Callable[[ModelCard], bool]) -> Provider:
        return RedactingProvider(provider, lambda: settings().secrets, keep_logs, runs)

    return ProviderRegistry(replaced, settings, wrap)


def build_background(
    repository: JobRepository,
    clock: Clock,
    launcher: Launcher,
    settings: Callable[[], Settings],
    registry: ProviderRegistry,
) -> Background | None:
    """Return the parts of background jobs; None where they cannot run.

    They need the processes of this machine, and a repository that keeps leases as well.

    Args:
        repository: Where jobs, and perhaps leases, are kept.
        clock: The time.
        launcher: Starts workers.
        settings: Gives the settings that hold.
        registry: Says whose runs take turns with workers on the devices of this machine.
    """
    machine = build_machine_ports(settings().state_dir)
    if machine is None or not isinstance(repository, KeepsLeases):
        return None
    processes, device_locks = machine
    from tiomagic.wiring.background.fingerprint import fingerprint_run
    from tiomagic_domain.workers import Background

    def slot(provider: str) -> str | None:
        if not registry.uses_devices(provider):
            return None
        return f"{provider}:{processes.host}:{registry.devices(provider)[0]}"

    return Background(
        leases=repository.leases,
        device_locks=device_locks,
        processes=processes,
        launcher=launcher,
        clock=clock,
        device=lambda: settings().device,
        fingerprint=lambda: fingerprint_run(settings(), os.environ),
        stale_s=settings().worker_stale_s,
        slot=slot,
        runs_in_process=registry.uses_devices,
        place=sha256(os.fsencode(settings().state_dir.resolve())).hexdigest()[:16],
    )
