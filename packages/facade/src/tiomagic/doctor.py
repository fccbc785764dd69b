"""What stands between a person and their video: every part looked at, none of them changed."""

# ruff: noqa: PLC0415 - each check imports what it looks at, and says so when that fails.

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiomagic import __version__
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.redaction import redact

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

MIN_FREE_DISK_GIB: Final = 5.0
"""Less free room than this is worth a warning: the smallest model takes as much."""
GIB: Final = 2**30


class Severity(StrEnum):
    """How a part is."""

    OK = "ok"
    NOTE = "note"
    """Fine, and worth knowing."""
    WARNING = "warning"
    """Something will not work, which not everybody needs."""
    PROBLEM = "problem"
    """Videos cannot be made or kept."""


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """What one look has found."""

    part: str
    state: Severity
    message: str
    """What there is, and what to do when it is not as it should be."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {name: str(value) for name, value in asdict(self).items()}


def diagnose(session: Session) -> list[DoctorFinding]:
    """Look at everything. Makes no file and contacts nobody; tokens are never shown.

    Args:
        session: The settings to look at.
    """
    looks: tuple[Callable[[Session], Iterator[DoctorFinding]], ...] = (
        _program,
        _settings,
        _plugins,
        _machine,
        _tokens,
        _folders,
        _database,
    )
    found: list[DoctorFinding] = []
    for look in looks:
        try:
            found.extend(look(session))
        except TioMagicError as error:
            found.append(DoctorFinding(look.__name__.strip("_"), Severity.PROBLEM, error.message))
    return [replace(one, message=redact(one.message, _secrets(session))) for one in found]


def _secrets(session: Session) -> frozenset[str]:
    try:
        return session.settings.secrets
    except TioMagicError:
        return frozenset()  # That they cannot be read is a finding.


def _program(_session: Session) -> Iterator[DoctorFinding]:
    yield DoctorFinding("tiomagic", Severity.OK, f"{__version__}")
    where = f"{platform.system()} {platform.machine()}"
    yield DoctorFinding(
        "python", Severity.OK, f"{platform.python_version()} at {sys.executable}, {where}"
    )


def _settings(session: Session) -> Iterator[DoctorFinding]:
    name = session.settings.provider
    session.check_provider(name)
    text = name or "none is set; the command line takes local, Python asks for tm.configure(...)"
    yield DoctorFinding("provider", Severity.OK if name else Severity.NOTE, text)


def _plugins(_session: Session) -> Iterator[DoctorFinding]:
    from tiomagic.wiring.registry import broken_providers
    from tiomagic_domain.catalogue import plugin_problems

    for problem in (*plugin_problems(), *broken_providers()):
        yield DoctorFinding("plugin", Severity.WARNING, str(problem))


def _machine(session: Session) -> Iterator[DoctorFinding]:
    from tiomagic.wiring.extras import part_missing_error

    try:
        from tiomagic_local.torch_env.machine import look_at_machine

        machine = look_at_machine(session.settings.device)
    except ImportError as error:
        yield DoctorFinding("local", Severity.WARNING, part_missing_error("local", error).message)
        return
    for name, version in machine.libraries.items():
        state = Severity.OK if version else Severity.WARNING
        yield DoctorFinding(name, state, version or "not installed")
    free = machine.device_memory_gib
    room = "" if free is None else f", {free:.1f} GiB free"
    slow = machine.device == "cpu"
    advice = ": doodle takes seconds, the large models take hours or do not fit" if slow else ""
    state = Severity.NOTE if slow else Severity.OK
    yield DoctorFinding(
        "device", state, f"{machine.device}{room}, {machine.threads} threads{advice}"
    )
    if machine.memory_gib is not None:
        yield DoctorFinding("memory", Severity.OK, f"{machine.memory_gib:.1f} GiB free")
    if machine.encodes_h264:
        yield DoctorFinding("video", Severity.OK, "H.264 can be written (PyAV brings FFmpeg along)")
    else:
        wrong = "this build of PyAV has no H.264 encoder: pip install --force-reinstall av"
        yield DoctorFinding("video", Severity.PROBLEM, wrong)


def _tokens(session: Session) -> Iterator[DoctorFinding]:
    settings = session.settings
    yield DoctorFinding(
        "hub token", *_describe_token(bool(settings.hf_token), "HF_TOKEN", _stored_hub_token)
    )
    given = bool(settings.modal_token_id and settings.modal_token_secret)
    yield DoctorFinding(
        "modal token", *_describe_token(given, "MODAL_TOKEN_ID and _SECRET", _stored_modal_token)
    )


def _describe_token(
    given: bool,  # noqa: FBT001
    variable: str,
    stored: Callable[[], bool | None],
) -> tuple[Severity, str]:
    if given:
        return Severity.OK, f"present, from the settings ({variable})"
    found = stored()
    if found is None:
        return Severity.NOTE, "not looked for: its package is not installed"
    if found:
        return Severity.OK, "present, stored by its own tools"
    return Severity.NOTE, f"not there; needed only for what asks for one: set {variable}"


def _stored_hub_token() -> bool | None:
    try:
        from tiomagic_local.torch_env.machine import has_stored_hub_token

        return has_stored_hub_token()
    except ImportError:
        return None


def _stored_modal_token() -> bool | None:
    from tiomagic_domain.errors import AuthenticationError, MissingDependencyError

    try:
        from tiomagic_modal.client.connection import Connection
        from tiomagic_modal.options import ModalOptions

        Connection(ModalOptions()).check_token()
    except (ImportError, MissingDependencyError):
        return None
    except AuthenticationError:
        return False
    return True


def _folders(session: Session) -> Iterator[DoctorFinding]:
    settings = session.settings
    folders = {"videos": settings.output_dir, "state": settings.state_dir}
    weights = settings.weights_dir or _hub_cache()
    if weights is not None:
        folders["weights"] = weights
    for name, folder in folders.items():
        yield DoctorFinding(name, *_room(folder))


def _hub_cache() -> Path | None:
    try:
        from tiomagic_local.torch_env.machine import hub_cache

        return hub_cache()
    except ImportError:
        return None


def _room(folder: Path) -> tuple[Severity, str]:
    """Say whether a folder, or the one that it will be made in, can be written, and its room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Severity.PROBLEM, f"{folder} cannot be written: choose another, or change its owner"
    free = shutil.disk_usage(there).free / GIB
    made = "" if there == folder else ", made at its first use"
    if free < MIN_FREE_DISK_GIB:
        return Severity.WARNING, f"{folder}: only {free:.1f} GiB free{made}"
    return Severity.OK, f"{folder}: {free:.0f} GiB free{made}"


def _database(session: Session) -> Iterator[DoctorFinding]:
    from tiomagic_storage.database.health import inspect_database

    health = inspect_database(session.settings.database_url)
    if not health.exists:
        yield DoctorFinding("database", Severity.OK, f"{health.location}: made at its first use")
    elif health.damage:
        wrong = f"{health.location} is damaged ({health.damage}): restore a copy, or move it away"
        yield DoctorFinding("database", Severity.PROBLEM, wrong)
    elif health.revision is None:
        yield DoctorFinding(
            "database", Severity.OK, f"{health.location}: empty, its tables are made at use"
        )
    elif health.revision != health.newest_revision:
        news = (
            f"schema {health.revision}, this version has {health.newest_revision}: "
            f"moved on at its use"
        )
        yield DoctorFinding("database", Severity.NOTE, f"{health.location}: {news}")
    else:
        yield DoctorFinding(
            "database", Severity.OK, f"{health.location}: sound, {health.jobs} jobs"
        )


def worst_severity(findings: list[DoctorFinding]) -> Severity:
    """Return the worst state among findings."""
    order: list[Any] = list(Severity)
    return max((finding.state for finding in findings), key=order.index)
