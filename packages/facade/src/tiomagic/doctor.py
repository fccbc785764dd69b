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
from tiomagic_domain.redaction import redacted

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

LOW_DISK_GIB: Final = 5.0
"""Less free room than this is worth a warning: the smallest model takes as much."""
GIB: Final = 2**30


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    NOTE = "note"
    """Fine, and worth knowing."""
    WARNING = "warning"
    """Something will not work, which not everybody needs."""
    PROBLEM = "problem"
    """Videos cannot be made or kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has found."""

    part: str
    state: State
    message: str
    """What there is, and what to do when it is not as it should be."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {name: str(value) for name, value in asdict(self).items()}


def diagnose(session: Session) -> list[Finding]:
    """Look at everything. Makes no file and contacts nobody; tokens are never shown.

    Args:
        session: The settings to look at.
    """
    looks: tuple[Callable[[Session], Iterator[Finding]], ...] = (
        _program,
        _settings,
        _plugins,
        _machine,
        _tokens,
        _folders,
        _database,
    )
    found: list[Finding] = []
    for look in looks:
        try:
            found.extend(look(session))
        except TioMagicError as error:
            found.append(Finding(look.__name__.strip("_"), State.PROBLEM, error.message))
    return [replace(one, message=redacted(one.message, _secrets(session))) for one in found]


def _secrets(session: Session) -> frozenset[str]:
    try:
        return session.settings.secrets
    except TioMagicError:
        return frozenset()  # That they cannot be read is a finding.


def _program(_session: Session) -> Iterator[Finding]:
    yield Finding("tiomagic", State.OK, f"{__version__}")
    where = f"{platform.system()} {platform.machine()}"
    yield Finding("python", State.OK, f"{platform.python_version()} at {sys.executable}, {where}")


def _settings(session: Session) -> Iterator[Finding]:
    name = session.settings.provider
    session.check_provider(name)
    text = name or "none is set; the command line takes local, Python asks for tm.configure(...)"
    yield Finding("provider", State.OK if name else State.NOTE, text)


def _plugins(_session: Session) -> Iterator[Finding]:
    from tiomagic.wiring.registry import broken_providers
    from tiomagic_domain.catalogue import plugin_problems

    for problem in (*plugin_problems(), *broken_providers()):
        yield Finding("plugin", State.WARNING, str(problem))


def _machine(session: Session) -> Iterator[Finding]:
    from tiomagic.wiring.extras import missing

    try:
        from tiomagic_local.torch_env.machine import look_at_machine

        machine = look_at_machine(session.settings.device)
    except ImportError as error:
        yield Finding("local", State.WARNING, missing("local", error).message)
        return
    for name, version in machine.libraries.items():
        state = State.OK if version else State.WARNING
        yield Finding(name, state, version or "not installed")
    free = machine.device_memory_gib
    room = "" if free is None else f", {free:.1f} GiB free"
    slow = machine.device == "cpu"
    advice = ": doodle takes seconds, the large models take hours or do not fit" if slow else ""
    state = State.NOTE if slow else State.OK
    yield Finding("device", state, f"{machine.device}{room}, {machine.threads} threads{advice}")
    if machine.memory_gib is not None:
        yield Finding("memory", State.OK, f"{machine.memory_gib:.1f} GiB free")
    if machine.encodes_h264:
        yield Finding("video", State.OK, "H.264 can be written (PyAV brings FFmpeg along)")
    else:
        wrong = "this build of PyAV has no H.264 encoder: pip install --force-reinstall av"
        yield Finding("video", State.PROBLEM, wrong)


def _tokens(session: Session) -> Iterator[Finding]:
    settings = session.settings
    yield Finding("hub token", *_told(bool(settings.hf_token), "HF_TOKEN", _stored_hub_token))
    given = bool(settings.modal_token_id and settings.modal_token_secret)
    yield Finding("modal token", *_told(given, "MODAL_TOKEN_ID and _SECRET", _stored_modal_token))


def _told(given: bool, variable: str, stored: Callable[[], bool | None]) -> tuple[State, str]:  # noqa: FBT001 - private
    if given:
        return State.OK, f"present, from the settings ({variable})"
    found = stored()
    if found is None:
        return State.NOTE, "not looked for: its package is not installed"
    if found:
        return State.OK, "present, stored by its own tools"
    return State.NOTE, f"not there; needed only for what asks for one: set {variable}"


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


def _folders(session: Session) -> Iterator[Finding]:
    settings = session.settings
    folders = {"videos": settings.output_dir, "state": settings.state_dir}
    weights = settings.weights_dir or _hub_cache()
    if weights is not None:
        folders["weights"] = weights
    for name, folder in folders.items():
        yield Finding(name, *_room(folder))


def _hub_cache() -> Path | None:
    try:
        from tiomagic_local.torch_env.machine import hub_cache

        return hub_cache()
    except ImportError:
        return None


def _room(folder: Path) -> tuple[State, str]:
    """Say whether a folder, or the one that it will be made in, can be written, and its room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return State.PROBLEM, f"{folder} cannot be written: choose another, or change its owner"
    free = shutil.disk_usage(there).free / GIB
    made = "" if there == folder else ", made at its first use"
    if free < LOW_DISK_GIB:
        return State.WARNING, f"{folder}: only {free:.1f} GiB free{made}"
    return State.OK, f"{folder}: {free:.0f} GiB free{made}"


def _database(session: Session) -> Iterator[Finding]:
    from tiomagic_storage.database.health import look_at

    health = look_at(session.settings.database_url)
    if not health.exists:
        yield Finding("database", State.OK, f"{health.place}: made at its first use")
    elif health.damage:
        wrong = f"{health.place} is damaged ({health.damage}): restore a copy, or move it away"
        yield Finding("database", State.PROBLEM, wrong)
    elif health.revision is None:
        yield Finding("database", State.OK, f"{health.place}: empty, its tables are made at use")
    elif health.revision != health.newest:
        news = f"schema {health.revision}, this version has {health.newest}: moved on at its use"
        yield Finding("database", State.NOTE, f"{health.place}: {news}")
    else:
        yield Finding("database", State.OK, f"{health.place}: sound, {health.jobs} jobs")


def worst(findings: list[Finding]) -> State:
    """Return the worst state among findings."""
    order: list[Any] = list(State)
    return max((finding.state for finding in findings), key=order.index)
