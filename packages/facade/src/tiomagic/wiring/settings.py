"""The settings: what was configured, over the environment, over ``.env``, over the defaults.

Those of tiomagic are declared here. Each provider brings a section of its own, declared by its
:class:`~tiomagic_domain.plugins.ProviderPlugin`, and :func:`known_settings` puts them together.

=======================  ================================  ========================================
setting                  variable                          default
=======================  ================================  ========================================
``provider``             ``TIOMAGIC_PROVIDER``             none: a generation asks for it; several
                                                           are tried in order
``max_cost``             ``TIOMAGIC_MAX_COST``             none; what one run may cost at the most
``daily_budget``         ``TIOMAGIC_DAILY_BUDGET``         none; for all runs of a day, in UTC
``monthly_budget``       ``TIOMAGIC_MONTHLY_BUDGET``       none; for all runs of a month, in UTC
``api_key``              ``TIOMAGIC_API_KEY``              none; for hosted services
``model_path``           ``TIOMAGIC_MODEL_PATH``           none; weights of whatever model is asked
``weights_dir``          ``TIOMAGIC_WEIGHTS_DIR``          none; one folder a model
``gpu``                  ``TIOMAGIC_GPU``                  the model's; Modal
``timeout``              ``TIOMAGIC_TIMEOUT``              1800 s; Modal
``scaledown_window``     ``TIOMAGIC_SCALEDOWN_WINDOW``     900 s; Modal
``database_url``         ``TIOMAGIC_DATABASE_URL``         SQLite, ``<state_dir>/jobs.db``
``output_dir``           ``TIOMAGIC_OUTPUT_DIR``           ``output_videos``
``state_dir``            ``TIOMAGIC_STATE_DIR``            ``.tiomagic``
``hf_token``             ``HF_TOKEN``                      what the hub's own tools have stored
``device``               ``TIOMAGIC_DEVICE``               the best that is there
``worker_idle_s``        ``TIOMAGIC_WORKER_IDLE_S``        300 s; see :mod:`tiomagic.worker`
``warm_worker``          ``TIOMAGIC_WARM_WORKER``          ``auto``; of the command line
``worker_stale_s``       ``TIOMAGIC_WORKER_STALE_S``       60 s
``worker_cancel_s``      ``TIOMAGIC_WORKER_CANCEL_S``      20 s
``allow_private_media``  ``TIOMAGIC_ALLOW_PRIVATE_MEDIA``  false
``log_level``            ``TIOMAGIC_LOG_LEVEL``            ``warning``; the command line's
``modal_token_id``       ``MODAL_TOKEN_ID``                what Modal's own tools have stored
``modal_token_secret``   ``MODAL_TOKEN_SECRET``            the same
``modal_environment``    ``MODAL_ENVIRONMENT``             the workspace's default
``address``              ``RAY_ADDRESS``                   ``auto``; of a Ray cluster
``ray_token``            ``RAY_AUTH_TOKEN``                what Ray's own tools have stored
``ray_shared_dir``       ``TIOMAGIC_RAY_SHARED_DIR``       none; a folder of all its machines
``ray_autoscaled_gpus``  ``TIOMAGIC_RAY_AUTOSCALED_GPUS``  none; kinds of GPU that it can get
``ui_auth``              ``TIOMAGIC_UI_AUTH``              none; ``user:password`` of the web page
``ui_allowed_hosts``     ``TIOMAGIC_UI_ALLOWED_HOSTS``     none; names of the web page, with commas
``announce_jobs``        ``TIOMAGIC_ANNOUNCE_JOBS``        true; the id of a job on a terminal
``accepted_terms``       ``TIOMAGIC_ACCEPTED_TERMS``       none; names of models, with commas
=======================  ================================  ========================================

Only these variables are taken from ``.env``, and none is put into the environment of the process.
An empty variable counts as absent. Relative paths start from the working directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

from tiomagic.wiring.registry import find_plugins
from tiomagic.wiring.setting_definitions import OPTIONS
from tiomagic.wiring.setting_types import AllSettings
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.plugins.settings import (
    InvalidSettingError,
    Setting,
)
from tiomagic_domain.suggestions import closest
from tiomagic_domain.text import decode_text

PREFIX: Final = "TIOMAGIC_"
"""Beginning of the variables of settings that are tiomagic's own."""
DEFAULT_WORKER_IDLE_S: Final = 300
"""Default of ``worker_idle_s``: loading a large model again takes a good part of that."""
DEFAULT_WORKER_STALE_S: Final = 60
"""Default of ``worker_stale_s``: see ``tiomagic_domain.workers.leases.STALE_S``."""
DEFAULT_WORKER_CANCEL_S: Final = 20
"""Default of ``worker_cancel_s``: longer than most steps, which answer at their end."""
STATE_FOLDER: Final = ".tiomagic"
"""Default of ``state_dir``."""
SPOOL_FOLDER: Final = "spool"
"""Folder of the state folder: videos that are not in their place yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Secrets are in no ``repr``."""

    working_dir: Path
    """Absolute; the default place of the log, the videos and the state."""
    output_dir: Path
    """Absolute folder of finished videos."""
    state_dir: Path
    """Absolute folder of the database, the kept inputs and unfinished videos."""
    database_url: str = field(repr=False)
    """Where jobs are kept; may hold a password."""
    provider: str | None = None
    """The default provider; None until it is configured."""
    other_providers: tuple[str, ...] = ()
    """Those that are tried after the default provider, in order, if it cannot run a call."""
    max_cost: str | None = None
    """The most that one run may cost, such as ``2.50 USD``; None for no limit."""
    daily_budget: str | None = None
    """The most that the runs of a day in UTC may cost together; None for no limit."""
    monthly_budget: str | None = None
    """The most that the runs of a month in UTC may cost together; None for no limit."""
    api_key: str | None = field(default=None, repr=False)
    device: str | None = None
    worker_idle_s: int = DEFAULT_WORKER_IDLE_S
    """Seconds that a background worker without a job stays, with its model loaded."""
    warm_worker: str = "auto"
    """``on``: commands hand their jobs to a worker that keeps the model loaded; ``off``: they run
    them in their own process; ``auto``: ``on`` where stderr is a terminal."""
    worker_stale_s: int = DEFAULT_WORKER_STALE_S
    """Seconds of silence after which a background worker counts as dead and is ended."""
    worker_cancel_s: int = DEFAULT_WORKER_CANCEL_S
    """Timeout in seconds of a canceled background run, before its process is ended."""
    allow_private_media: bool = False
    """True to fetch pictures and videos from loopback and private addresses."""
    log_level: str = "warning"
    announce_jobs: bool = True
    """True to say the id of a job that is not waited for on stderr, where that is a terminal."""
    accepted_terms: tuple[str, ...] = ()
    """The models whose terms are accepted; the others that have terms are not used."""
    ui_auth: str | None = field(default=None, repr=False)
    """``user:password`` that the web page asks for; None where only this machine reaches it."""
    ui_allowed_hosts: tuple[str, ...] = ()
    """Further names that the web page answers to, such as the one of a proxy before it."""

    of_providers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The settings that providers bring, by name; each is also an attribute."""
    provider_secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Those values of ``of_providers`` that are secret."""

    def __getattr__(self, name: str) -> Any:
        """Return a setting that a provider brings."""
        if name != "of_providers" and name in self.of_providers:
            return self.of_providers[name]
        raise AttributeError(f"there is no setting {name!r}", name=name, obj=self)

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets, raw and decoded, which no record, log or error may contain."""
        login = (self.ui_auth or "").partition(":")[2]
        found = {secret for secret in (self.api_key, login) if secret}
        found |= self.provider_secrets | _passwords(self.database_url)
        return frozenset(found | {unquote(secret) for secret in found})

    @property
    def spool_dir(self) -> Path:
        """Absolute folder of finished videos that are not in their place yet."""
        return self.state_dir / SPOOL_FOLDER

    def select(self, names: Iterable[str]) -> SelectedSettings:
        """Return the settings that a provider has declared, and no other."""
        values = {name: getattr(self, name) for name in names}
        return SelectedSettings(self.state_dir, self.spool_dir, values)


@dataclass(frozen=True, slots=True)
class SelectedSettings:
    """What of the settings a provider is given: the port ``ProviderSettings``."""

    state_dir: Path
    spool_dir: Path
    values: Mapping[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        """Return the value of a setting by its name."""
        return self.values[name]


_PASSWORD: Final = re.compile(r"://[^/@:]*:([^@]+)@")
_PASSWORD_BEHIND: Final = re.compile(r"(?i)[?&;](?:[^=&;]*passw(?:or)?d|pwd)=([^&;#]+)")
"""A driver takes its password behind the question mark as well."""


def _passwords(url: str) -> set[str]:
    return {*_PASSWORD.findall(url), *_PASSWORD_BEHIND.findall(url)}


def known_settings() -> dict[str, Setting]:
    """Return every setting by name: ours, then those of the installed providers."""
    found = dict(OPTIONS)
    for plugin in find_plugins().values():
        found |= plugin.settings
    return found


def check_configured(given: Mapping[str, object]) -> dict[str, Any]:
    """Return configured values in their plain form; what is None is left out.

    Raises:
        ValidationError: with every value that is refused.
    """
    values, problems, known = {}, [], known_settings()
    for name, value in given.items():
        if value is None:
            continue
        if name not in known:
            if name in AllSettings.__annotations__:
                continue  # It belongs to a provider that is not installed, as in a shared script.
            nearest = closest(name, known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
            message = f"there is no such setting; {hint}"
            problems.append(Problem(field=name, message=message, given="…", nearest=nearest))
            continue
        try:
            values[name] = known[name].parse(value)
        except InvalidSettingError as refused:
            shown = "…" if known[name].secret else repr(value)[:80]
            problem = Problem(
                field=name, message=refused.message, given=shown, nearest=refused.nearest
            )
            problems.append(problem)
    if problems:
        raise ValidationError.of(problems, subject="the settings")
    return values


def resolve(
    configured: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    dotenv: Mapping[str, str],
    working_dir: Path,
) -> Settings:
    """Return the settings that hold.

    Args:
        configured: What ``check_configured`` returned.
        environment: Variables of the process.
        dotenv: Variables of the ``.env`` file.
        working_dir: An absolute folder.

    Raises:
        ConfigurationError: when a variable has a value that its setting does not take.
    """
    values: dict[str, Any] = {"output_dir": Path("output_videos"), "state_dir": Path(STATE_FOLDER)}
    known = known_settings()
    for name, setting in known.items():
        for source, variables in ((".env", dotenv), ("the environment", environment)):
            text = variables.get(setting.variable)
            if text is not None and text.strip():
                values[name] = _parsed(setting, text, source)
        if name in configured:
            values[name] = configured[name]
        if name in values:
            values[name] = setting.place(values[name], working_dir)
    if "provider" in values:
        values["provider"], *values["other_providers"] = values["provider"]
        values["other_providers"] = tuple(values["other_providers"])
    values.setdefault("database_url", _file_url(values["state_dir"] / "jobs.db"))
    brought = {name: setting for name, setting in known.items() if name not in OPTIONS}
    of_providers = {name: values.pop(name, setting.default) for name, setting in brought.items()}
    secrets = {str(of_providers[n]) for n, s in brought.items() if s.secret and of_providers[n]}
    return Settings(
        working_dir=working_dir,
        of_providers=MappingProxyType(of_providers),
        provider_secrets=frozenset(secrets),
        **values,
    )


def _file_url(path: Path) -> str:
    """Return the URL of a SQLite file, whatever characters its path is made of."""
    plain = " !#$&'()*+,-./:;<=>@[]^_`{|}~\"\\"
    return f"sqlite:///{quote(str(path), safe=plain, errors='surrogateescape')}"


def _parsed(option: Setting, text: str, source: str) -> Any:
    try:
        return option.parse(text)
    except InvalidSettingError as refused:
        raise ConfigurationError(
            f"{option.variable} (from {source}) {refused.message}",
            details={"variable": option.variable, "source": source, "nearest": refused.nearest},
        ) from refused


def read_dotenv(working_dir: Path) -> dict[str, str]:
    """Return our variables from the working directory's ``.env``; nothing when there is no file.

    Raises:
        ConfigurationError: when the file cannot be read.
    """
    path = working_dir / ".env"
    if not path.is_file():
        return {}
    from io import StringIO  # noqa: PLC0415  # Not needed where there is no such file.

    from dotenv import dotenv_values  # noqa: PLC0415  # The same.

    try:
        found = dotenv_values(stream=StringIO(decode_text(path.read_bytes(), str(path))))
    except (OSError, ValidationError) as error:
        raise ConfigurationError(
            f"the settings in {path} cannot be read: {error}", details={"path": str(path)}
        ) from error
    ours = {option.variable for option in known_settings().values()}
    return {
        name: value
        for name, value in found.items()
        if value and (name in ours or name.startswith(PREFIX))
    }
