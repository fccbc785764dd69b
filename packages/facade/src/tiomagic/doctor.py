"""The checks of ``tiomagic doctor``: settings, database, folders, providers, extras."""

# ruff: noqa: PLC0415 - each check imports what it looks at, and says so when that fails.

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tiomagic import __version__
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER
from tiomagic_domain.catalogue.plugins import describe_plugin_error, run_plugin_code
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.plugins.checks import check_folder
from tiomagic_domain.redaction import redact

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.plugins import ProviderPlugin


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
    """The result of one check."""

    part: str
    state: Severity
    message: str
    """The finding, with advice if it is not in order."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {name: str(value) for name, value in asdict(self).items()}


def diagnose(session: Session) -> list[DoctorFinding]:
    """Run all checks. Makes no file, asks nobody but a configured cluster, and shows no token.

    Args:
        session: With the settings to check.
    """
    looks: tuple[Callable[[Session], Iterator[DoctorFinding]], ...] = (
        _program,
        _settings,
        _plugins,
        _providers,
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
    text = name or (
        f"none is set; the command line takes {DEFAULT_PROVIDER}, Python asks for tm.configure(...)"
    )
    yield DoctorFinding("provider", Severity.OK if name else Severity.NOTE, text)
    yield from _variables(session)


def _variables(session: Session) -> Iterator[DoctorFinding]:
    """Yield the variables that look like settings and are none."""
    from tiomagic.wiring.settings import read_dotenv
    from tiomagic.wiring.unknown_variables import find_unknown_variables

    dotenv = read_dotenv(session.settings.working_dir)
    for name, nearest in find_unknown_variables(os.environ, dotenv).items():
        meant = f"; did you mean {nearest}?" if nearest else ""
        yield DoctorFinding("settings", Severity.WARNING, f"{name} is not a setting{meant}")


def _plugins(_session: Session) -> Iterator[DoctorFinding]:
    from tiomagic.wiring.registry import broken_providers
    from tiomagic_domain.catalogue import plugin_problems

    for problem in (*plugin_problems(), *broken_providers()):
        yield DoctorFinding("plugin", Severity.WARNING, str(problem))


def _providers(session: Session) -> Iterator[DoctorFinding]:
    from tiomagic.wiring.registry import find_plugins

    for name, plugin in find_plugins().items():
        yield from find_provider_findings(name, plugin, session.settings)


def find_provider_findings(
    name: str, plugin: ProviderPlugin, settings: Settings
) -> Iterator[DoctorFinding]:
    """Yield a provider's findings, and what of its own code failed."""
    from tiomagic.wiring.registry import AbsentPlugin, missing_provider_error, settings_of

    if isinstance(plugin, AbsentPlugin):
        yield DoctorFinding(name, Severity.WARNING, plugin.error.message)
        return
    try:
        for check in plugin.diagnose(settings_of(plugin, settings)):
            yield DoctorFinding(check.part, Severity(check.outcome.value), check.message)
        _, broken = run_plugin_code(plugin.commands)
        if broken is not None:
            left_out = f"its commands are left out: they cannot be listed ({broken})"
            yield DoctorFinding(name, Severity.WARNING, left_out)
    except ImportError as error:
        missing = missing_provider_error(name, error)
        yield DoctorFinding(name, Severity.WARNING, missing.message)
    except TioMagicError as error:
        yield DoctorFinding(name, Severity.PROBLEM, error.message)
    except Exception as error:  # noqa: BLE001 - it is another distribution's code
        what = describe_plugin_error(error)
        yield DoctorFinding(name, Severity.WARNING, f"its own check broke ({what})")


def _folders(session: Session) -> Iterator[DoctorFinding]:
    settings = session.settings
    for name, folder in (("videos", settings.output_dir), ("state", settings.state_dir)):
        check = check_folder(name, folder)
        yield DoctorFinding(name, Severity(check.outcome.value), check.message)


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
        yield from _workers(session)


def _workers(session: Session) -> Iterator[DoctorFinding]:
    """Look for workers that keep a model in memory; only in a database that needs no change."""
    from tiomagic_domain.workers.idle_workers import list_workers

    background = session.container.background()
    found = list_workers(background, session.container.repository()) if background else []
    if found:
        idle_s = session.settings.worker_idle_s
        message = (
            f"{len(found)} running, with a model in memory; each ends after {idle_s} s without a "
            "job, and with: tiomagic worker stop"
        )
        yield DoctorFinding("workers", Severity.NOTE, message)


def worst_severity(findings: list[DoctorFinding]) -> Severity:
    """Return the worst state among findings."""
    order: list[Any] = list(Severity)
    return max((finding.state for finding in findings), key=order.index)
