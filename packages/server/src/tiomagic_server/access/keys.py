"""Keys of clients, of which only digests are stored.

A key is 32 random bytes, so that a plain SHA-256 suffices: there is nothing to guess. The file is
in the state folder, for its owner only, and is read again when it changes: a removed key is refused
at once, by all processes that share the folder.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tiomagic_domain.errors import Problem, ResourceNotFoundError, ValidationError
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.suggestions import did_you_mean, shorten_repr
from tiomagic_server.access.records import PrivateRecords

FILE: Final = "server_keys.json"
"""The file in the state folder."""
PREFIX: Final = "tio-"
"""Beginning of every key, by which people and scanners of secrets recognise one."""
KEY_BYTES: Final = 32
DEFAULT_JOBS_PER_MINUTE: Final = 60
MAX_JOBS_PER_MINUTE: Final = 100_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """A key of a client, without the key itself."""

    name: str
    """Who has it; also its id, and the owner of its jobs."""
    digest: str
    """SHA-256 of the key, in hexadecimal digits."""
    created: str
    """When it was made, ISO 8601 with zone."""
    jobs_per_minute: int = DEFAULT_JOBS_PER_MINUTE
    """Most jobs that it may submit in a minute."""
    daily_budget: str | None = None
    """What its jobs of a day may cost together, such as ``2.50 USD``; None for no limit."""
    monthly_budget: str | None = None
    """The same for a month."""
    page: bool = False
    """True for a key that opens the page, which shows the jobs of all."""

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What its jobs may cost."""
        limits = {
            BudgetPeriod.DAY: self.daily_budget,
            BudgetPeriod.MONTH: self.monthly_budget,
        }
        return tuple(
            Budget(period=period, limit=Money.parse(limit), payer=self.name)
            for period, limit in limits.items()
            if limit is not None
        )


class ClientKeys:
    """The keys of a server's clients. Thread-safe, and safe for several processes.

    Args:
        state_dir: Where the file is.
    """

    def __init__(self, state_dir: Path) -> None:
        self._records = PrivateRecords(state_dir / FILE, ClientKey, "keys")

    def list(self) -> Sequence[ClientKey]:
        """Return all keys, oldest first.

        Raises:
            ConfigurationError: when the file is damaged.
        """
        return self._records.list()

    def find(self, key: str) -> ClientKey | None:
        """Return what is known of a key; None for an unknown one."""
        digest = _digest(key)
        return next((one for one in self.list() if hmac.compare_digest(one.digest, digest)), None)

    def add(
        self,
        name: str,
        jobs_per_minute: int = DEFAULT_JOBS_PER_MINUTE,
        *,
        daily_budget: str | None = None,
        monthly_budget: str | None = None,
        page: bool = False,
    ) -> str:
        """Make a key and return it; it cannot be read again.

        Args:
            name: Who has it: small letters, digits, dots, dashes.
            jobs_per_minute: Most jobs that it may submit in a minute.
            daily_budget: What its jobs of a day (UTC) may cost together: an amount of USD, or with
                its currency: ``2.50 EUR``. None for no limit.
            monthly_budget: The same for a month.
            page: True for a key that opens the page, which shows the jobs of all.

        Raises:
            ValidationError: when the name is taken or is none.
        """
        problems = []
        if not _NAME.fullmatch(name):
            message = "must have 1 to 40 small letters, digits, dots, dashes and underscores"
            problems.append(Problem(field="name", message=message, given=shorten_repr(name)))
        if not 1 <= jobs_per_minute <= MAX_JOBS_PER_MINUTE:
            message = f"must be from 1 to {MAX_JOBS_PER_MINUTE}"
            given = shorten_repr(jobs_per_minute)
            problems.append(Problem(field="jobs_per_minute", message=message, given=given))
        budgets: dict[str, str] = {}
        asked = {"daily_budget": daily_budget, "monthly_budget": monthly_budget}
        for field, amount in asked.items():
            try:
                if amount is not None:
                    budgets[field] = str(Money.parse(amount))
            except ValueError as error:
                given = shorten_repr(amount)
                problems.append(Problem(field=field, message=str(error), given=given))
        if problems:
            raise ValidationError.of(problems, subject="a key")
        key = f"{PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"
        made = ClientKey(
            name=name,
            digest=_digest(key),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            jobs_per_minute=jobs_per_minute,
            daily_budget=budgets.get("daily_budget"),
            monthly_budget=budgets.get("monthly_budget"),
            page=page,
        )
        with self._records.changing() as known:
            if any(one.name == name for one in known):
                advice = "remove that one first, or choose another name"
                message = f"has a key already: {advice}"
                problem = Problem(field="name", message=message, given=shorten_repr(name))
                raise ValidationError.of([problem], subject="a key")
            self._records.write([*known, made])
        return key

    def remove(self, name: str) -> None:
        """Remove a key. Its jobs stay.

        Raises:
            ResourceNotFoundError: when nobody of that name has one.
        """
        with self._records.changing() as known:
            kept = [one for one in known if one.name != name]
            if len(kept) == len(known):
                names = [one.name for one in known]
                raise ResourceNotFoundError(f"there is no key {name!r}.{did_you_mean(name, names)}")
            self._records.write(kept)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
