"""The settings of tiomagic itself: names, variables and parsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tiomagic_domain.money.amounts import NO_LIMIT, Money
from tiomagic_domain.plugins.settings import (
    InvalidSettingError,
    Setting,
    parse_flag,
    parse_path,
    parse_seconds,
    parse_text,
)
from tiomagic_domain.suggestions import closest

LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def _hosts(value: object) -> tuple[str, ...]:
    """Take names of hosts with commas between them, or a list of them."""
    given = value if isinstance(value, list | tuple) else parse_text(value).split(",")
    names = tuple(name for name in (parse_text(name).lower() for name in given) if name)
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,252})", name, re.ASCII):
            raise InvalidSettingError(
                f"must be names such as studio.example, without scheme or port: {name!r}"
            )
    return names


def _names_of_providers(value: object) -> tuple[str, ...]:
    """Take the name of a provider, or several in order: with commas between them, or a list."""
    given = value if isinstance(value, list | tuple) else parse_text(value).split(",")
    names = tuple(dict.fromkeys(name for name in map(parse_text, given) if name))
    if not names:
        raise InvalidSettingError("must be the name of a provider, or several with commas")
    return names


def _limit(value: object) -> str:
    """Take an amount of money, as a number or as text with a currency, or the word for none."""
    try:
        limit = Money.parse_limit(value)
        return NO_LIMIT if limit is None else str(limit)
    except ValueError as error:
        raise InvalidSettingError(str(error)) from error


def _accepted_terms(value: object) -> tuple[str, ...]:
    """Take names of models with commas between them, or a list of them."""
    given = value if isinstance(value, list | tuple) else parse_text(value).split(",")
    names = tuple(dict.fromkeys(name for name in map(parse_text, given) if name))
    from tiomagic_domain.catalogue import models  # noqa: PLC0415  # Where it is set alone.

    asking = [card.name for card in models().values() if card.must_accept is not None]
    written = {name.casefold(): name for name in models()}
    names = tuple(written.get(name.casefold(), name) for name in names)
    for name in names:
        # A model that is not installed here may be meant: a list is shared between machines.
        nearest = None if name in models() else closest(name, asking)
        if nearest is not None:
            said = f"must be names of models: there is no {name!r}; did you mean {nearest!r}?"
            raise InvalidSettingError(said, nearest)
    return names


WARM_WORKER_CHOICES: Final = ("auto", "on", "off")


def _warm_worker(value: object) -> str:
    """Take one of the words, or what other settings take for yes and no."""
    word = str(value).strip().lower()
    if word in WARM_WORKER_CHOICES:
        return word
    try:
        return "on" if parse_flag(value) else "off"
    except InvalidSettingError:
        known = ", ".join(WARM_WORKER_CHOICES)
        raise InvalidSettingError(
            f"must be one of {known}", closest(word, WARM_WORKER_CHOICES)
        ) from None


def _level(value: object) -> str:
    level = parse_text(value).lower()
    if level not in LOG_LEVELS:
        raise InvalidSettingError(
            f"must be one of {', '.join(LOG_LEVELS)}", closest(level, LOG_LEVELS)
        )
    return level


OPTIONS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "provider": Setting("TIOMAGIC_PROVIDER", _names_of_providers),
        "max_cost": Setting("TIOMAGIC_MAX_COST", _limit),
        "daily_budget": Setting("TIOMAGIC_DAILY_BUDGET", _limit),
        "monthly_budget": Setting("TIOMAGIC_MONTHLY_BUDGET", _limit),
        "api_key": Setting("TIOMAGIC_API_KEY", parse_text, secret=True),
        "database_url": Setting("TIOMAGIC_DATABASE_URL", parse_text, secret=True),
        "output_dir": Setting("TIOMAGIC_OUTPUT_DIR", parse_path),
        "state_dir": Setting("TIOMAGIC_STATE_DIR", parse_path),
        "device": Setting("TIOMAGIC_DEVICE", parse_text),
        "worker_idle_s": Setting("TIOMAGIC_WORKER_IDLE_S", parse_seconds),
        "warm_worker": Setting("TIOMAGIC_WARM_WORKER", _warm_worker),
        "worker_stale_s": Setting("TIOMAGIC_WORKER_STALE_S", parse_seconds),
        "worker_cancel_s": Setting("TIOMAGIC_WORKER_CANCEL_S", parse_seconds),
        "allow_private_media": Setting("TIOMAGIC_ALLOW_PRIVATE_MEDIA", parse_flag),
        "log_level": Setting("TIOMAGIC_LOG_LEVEL", _level),
        "ui_auth": Setting("TIOMAGIC_UI_AUTH", parse_text, secret=True),
        "ui_allowed_hosts": Setting("TIOMAGIC_UI_ALLOWED_HOSTS", _hosts),
        "announce_jobs": Setting("TIOMAGIC_ANNOUNCE_JOBS", parse_flag),
        "accepted_terms": Setting("TIOMAGIC_ACCEPTED_TERMS", _accepted_terms),
    }
)
"""The settings of tiomagic itself, by name."""
