"""The settings: what was configured, over the environment, over ``.env``, over the defaults.

=======================  ================================  ========================================
setting                  variable                          default
=======================  ================================  ========================================
``provider``             ``TIOMAGIC_PROVIDER``             none: a generation asks for it
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
``worker_stale_s``       ``TIOMAGIC_WORKER_STALE_S``       60 s
``worker_cancel_s``      ``TIOMAGIC_WORKER_CANCEL_S``      20 s
``allow_private_media``  ``TIOMAGIC_ALLOW_PRIVATE_MEDIA``  false
``log_level``            ``TIOMAGIC_LOG_LEVEL``            ``warning``; the command line's
``modal_token_id``       ``MODAL_TOKEN_ID``                what Modal's own tools have stored
``modal_token_secret``   ``MODAL_TOKEN_SECRET``            the same
``modal_environment``    ``MODAL_ENVIRONMENT``             the workspace's default
``ui_auth``              ``TIOMAGIC_UI_AUTH``              none; ``user:password`` of the web page
``ui_allowed_hosts``     ``TIOMAGIC_UI_ALLOWED_HOSTS``     none; names of the web page, with commas
``announce_jobs``        ``TIOMAGIC_ANNOUNCE_JOBS``        true; the id of a job on a terminal
=======================  ================================  ========================================

Only these variables are taken from ``.env``, and none is put into the environment of the process.
An empty variable counts as absent. Relative paths start from the working directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

from tiomagic_domain.catalogue.hub_repositories import parse_repository
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.schema.kinds import plain_text, unwrap
from tiomagic_domain.suggestions import closest
from tiomagic_domain.text import decode_text, find_text_flaw

DEFAULT_TIMEOUT_S: Final = 1800
"""Default of ``timeout``, in seconds; the one of tiomagic 1.0.0."""
DEFAULT_SCALEDOWN_WINDOW_S: Final = 900
"""Default of ``scaledown_window``, in seconds; the one of tiomagic 1.0.0."""
DEFAULT_WORKER_IDLE_S: Final = 300
"""Default of ``worker_idle_s``: loading a large model again takes a good part of that."""
DEFAULT_WORKER_STALE_S: Final = 60
"""Default of ``worker_stale_s``: see ``tiomagic_domain.workers.leases.STALE_S``."""
DEFAULT_WORKER_CANCEL_S: Final = 20
"""Default of ``worker_cancel_s``: longer than most steps, which answer at their end."""
STATE_FOLDER: Final = ".tiomagic"
"""Default of ``state_dir``."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Secrets are in no ``repr``."""

    working_dir: Path
    """Absolute; where the log, the videos and the state lie unless told otherwise."""
    output_dir: Path
    """Absolute folder of finished videos."""
    state_dir: Path
    """Absolute folder of the database, the kept inputs and unfinished videos."""
    database_url: str = field(repr=False)
    """Where jobs are kept; may hold a password."""
    provider: str | None = None
    """Who runs generations; None until somebody says."""
    api_key: str | None = field(default=None, repr=False)
    model_path: Path | None = None
    """Absolute folder with the weights of whatever model is asked for."""
    weights_dir: Path | None = None
    """Absolute folder with one folder a model."""
    gpu: str | None = None
    timeout: int = DEFAULT_TIMEOUT_S
    """Seconds that a generation may take in a rented container."""
    scaledown_window: int = DEFAULT_SCALEDOWN_WINDOW_S
    """Seconds that an idle rented container is kept."""
    hf_token: str | None = field(default=None, repr=False)
    device: str | None = None
    worker_idle_s: int = DEFAULT_WORKER_IDLE_S
    """Seconds that a background worker without a job stays, with its model loaded."""
    worker_stale_s: int = DEFAULT_WORKER_STALE_S
    """Seconds of silence after which a background worker counts as dead and is ended."""
    worker_cancel_s: int = DEFAULT_WORKER_CANCEL_S
    """Seconds that a background run may take to hear that it is to stop, before it is ended."""
    allow_private_media: bool = False
    """True to fetch pictures and videos from loopback and private addresses."""
    log_level: str = "warning"
    modal_token_id: str | None = field(default=None, repr=False)
    modal_token_secret: str | None = field(default=None, repr=False)
    modal_environment: str | None = None
    announce_jobs: bool = True
    """True to say the id of a job that is not waited for on stderr, where that is a terminal."""
    ui_auth: str | None = field(default=None, repr=False)
    """``user:password`` that the web page asks for; None where only this machine reaches it."""
    ui_allowed_hosts: tuple[str, ...] = ()
    """Further names that the web page answers to, such as the one of a proxy before it."""

    @property
    def secrets(self) -> frozenset[str]:
        """What must appear in no record, log or error, as it was given and as it is meant."""
        login = (self.ui_auth or "").partition(":")[2]
        given = (self.api_key, self.hf_token, self.modal_token_id, self.modal_token_secret, login)
        found = {secret for secret in given if secret} | _passwords(self.database_url)
        return frozenset(found | {unquote(secret) for secret in found})


_PASSWORD: Final = re.compile(r"://[^/@:]*:([^@]+)@")
_PASSWORD_BEHIND: Final = re.compile(r"(?i)[?&;](?:[^=&;]*passw(?:or)?d|pwd)=([^&;#]+)")
"""A driver takes its password behind the question mark as well."""


def _passwords(url: str) -> set[str]:
    return {*_PASSWORD.findall(url), *_PASSWORD_BEHIND.findall(url)}


class InvalidSettingError(Exception):
    """A value that a setting does not take."""

    def __init__(self, message: str, nearest: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.nearest = nearest


def _text(value: object) -> str:
    text = plain_text(value)
    if not isinstance(text, str):
        raise InvalidSettingError(f"must be text, not {type(value).__name__}")
    wrong = find_text_flaw(text)
    if wrong is not None:
        raise InvalidSettingError(wrong)
    return text.strip()


def _path(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise InvalidSettingError(f"must be a path, not {type(value).__name__}")
    return Path(value).expanduser()


def _seconds(value: object) -> int:
    """Take a whole number of seconds, or the text of one."""
    wanted = "must be a whole number of seconds of at least 1"
    number = unwrap(value)  # A scalar of numpy and its like.
    if isinstance(number, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,12}(\.0*)?\s*", number):
        number = float(number)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidSettingError(f"{wanted}, not {value!r}")
    if number < 1:
        raise InvalidSettingError(f"{wanted}, not {value!r}", 1)
    return number


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in words:
        raise InvalidSettingError(f"must be true or false, not {value!r}")
    return words[word]


def _hosts(value: object) -> tuple[str, ...]:
    """Take names of hosts with commas between them, or a list of them."""
    given = value if isinstance(value, list | tuple) else _text(value).split(",")
    names = tuple(name for name in (_text(name).lower() for name in given) if name)
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,252})", name, re.ASCII):
            raise InvalidSettingError(
                f"must be names such as studio.example, without scheme or port: {name!r}"
            )
    return names


def _level(value: object) -> str:
    level = _text(value).lower()
    if level not in LOG_LEVELS:
        raise InvalidSettingError(
            f"must be one of {', '.join(LOG_LEVELS)}", closest(level, LOG_LEVELS)
        )
    return level


@dataclass(frozen=True, slots=True)
class Option:
    """How a setting is called outside, and what it takes."""

    variable: str
    parse: Callable[[object], Any]
    secret: bool = False


OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        "provider": Option("TIOMAGIC_PROVIDER", _text),
        "api_key": Option("TIOMAGIC_API_KEY", _text, secret=True),
        "model_path": Option("TIOMAGIC_MODEL_PATH", _path),
        "weights_dir": Option("TIOMAGIC_WEIGHTS_DIR", _path),
        "gpu": Option("TIOMAGIC_GPU", _text),
        "timeout": Option("TIOMAGIC_TIMEOUT", _seconds),
        "scaledown_window": Option("TIOMAGIC_SCALEDOWN_WINDOW", _seconds),
        "database_url": Option("TIOMAGIC_DATABASE_URL", _text, secret=True),
        "output_dir": Option("TIOMAGIC_OUTPUT_DIR", _path),
        "state_dir": Option("TIOMAGIC_STATE_DIR", _path),
        "hf_token": Option("HF_TOKEN", _text, secret=True),
        "device": Option("TIOMAGIC_DEVICE", _text),
        "worker_idle_s": Option("TIOMAGIC_WORKER_IDLE_S", _seconds),
        "worker_stale_s": Option("TIOMAGIC_WORKER_STALE_S", _seconds),
        "worker_cancel_s": Option("TIOMAGIC_WORKER_CANCEL_S", _seconds),
        "allow_private_media": Option("TIOMAGIC_ALLOW_PRIVATE_MEDIA", _flag),
        "log_level": Option("TIOMAGIC_LOG_LEVEL", _level),
        "modal_token_id": Option("MODAL_TOKEN_ID", _text, secret=True),
        "modal_token_secret": Option("MODAL_TOKEN_SECRET", _text, secret=True),
        "modal_environment": Option("MODAL_ENVIRONMENT", _text),
        "ui_auth": Option("TIOMAGIC_UI_AUTH", _text, secret=True),
        "ui_allowed_hosts": Option("TIOMAGIC_UI_ALLOWED_HOSTS", _hosts),
        "announce_jobs": Option("TIOMAGIC_ANNOUNCE_JOBS", _flag),
    }
)
"""Every setting by its name."""


def check_configured(given: Mapping[str, object]) -> dict[str, Any]:
    """Return configured values in their plain form; what is None is left out.

    Raises:
        ValidationError: with every value that is refused.
    """
    values, problems = {}, []
    for name, value in given.items():
        if value is None:
            continue
        if name not in OPTIONS:
            nearest = closest(name, OPTIONS)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(OPTIONS)}"
            message = f"there is no such setting; {hint}"
            problems.append(Problem(field=name, message=message, given="…", nearest=nearest))
            continue
        try:
            values[name] = OPTIONS[name].parse(value)
        except InvalidSettingError as refused:
            shown = "…" if OPTIONS[name].secret else repr(value)[:80]
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
    for name, option in OPTIONS.items():
        for source, variables in ((".env", dotenv), ("the environment", environment)):
            text = variables.get(option.variable)
            if text is not None and text.strip():
                values[name] = _parsed(option, text, source)
        if name in configured:
            values[name] = configured[name]
    for name in ("output_dir", "state_dir", "model_path", "weights_dir"):
        if name in values:
            given = values[name]
            absolute = working_dir / given
            is_path = name != "model_path" or absolute.exists() or parse_repository(given) is None
            values[name] = absolute if is_path else given
    values.setdefault("database_url", _file_url(values["state_dir"] / "jobs.db"))
    return Settings(working_dir=working_dir, **values)


def _file_url(path: Path) -> str:
    """Return the URL of a SQLite file, whatever characters its path is made of."""
    plain = " !#$&'()*+,-./:;<=>@[]^_`{|}~\"\\"
    return f"sqlite:///{quote(str(path), safe=plain, errors='surrogateescape')}"


def _parsed(option: Option, text: str, source: str) -> Any:
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
    ours = {option.variable for option in OPTIONS.values()}
    return {name: value for name, value in found.items() if name in ours and value}
