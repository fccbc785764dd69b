"""An amount of money of one currency, exact: sums of many have no rounding of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final, Self

from tiomagic_domain.schema.kinds import unwrap

DEFAULT_CURRENCY: Final = "USD"
"""The currency of an amount that names none: every vendor that tiomagic runs at bills in it."""
MICROS: Final = 1_000_000
"""Parts of one unit of a currency. A second of a small GPU costs some dozens of them."""
LARGEST_AMOUNT: Final = 1_000_000_000
"""The largest amount that is taken; what is larger is a slip."""
AMOUNT_FORM: Final = "an amount of 0 or more such as 2.50, in USD, or with its currency: 2.50 EUR"
NO_LIMIT: Final = "none"
"""The word for no limit, where a limit is set elsewhere: in ``.env``, or by a call before."""

_AMOUNT: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,40})?) *([A-Za-z]{3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount of money."""

    micros: int
    """Millionths of the unit of the currency."""
    currency: str = DEFAULT_CURRENCY
    """ISO 4217."""

    @classmethod
    def of(cls, amount: float, currency: str = DEFAULT_CURRENCY) -> Self:
        """Return an amount, rounded to millionths.

        Args:
            amount: In units of the currency; finite.
            currency: ISO 4217.
        """
        micros = (Decimal(str(amount)) * MICROS).to_integral_value(ROUND_HALF_EVEN)
        return cls(micros=int(micros), currency=currency)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the amount that a person means: a number, or text such as ``2.50 EUR``.

        Raises:
            ValueError: when it is none, is negative, or is larger than `LARGEST_AMOUNT`.
        """
        number = unwrap(value)  # A scalar of numpy and its like.
        if isinstance(number, cls):
            return number
        is_number = isinstance(number, int | float | Decimal) and not isinstance(number, bool)
        text = format(Decimal(str(number)), "f") if is_number else number
        found = _AMOUNT.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f"must be {AMOUNT_FORM}")
        try:
            amount = Decimal(found[1])
        except InvalidOperation as error:  # pragma: no cover - the pattern takes no such text
            raise ValueError(f"must be {AMOUNT_FORM}") from error
        if amount > LARGEST_AMOUNT:
            raise ValueError(f"must be {AMOUNT_FORM}; {LARGEST_AMOUNT} at the most")
        micros = (amount * MICROS).to_integral_value(ROUND_HALF_EVEN)
        return cls(micros=int(micros), currency=(found[2] or DEFAULT_CURRENCY).upper())

    @classmethod
    def parse_limit(cls, value: object) -> Self | None:
        """Return a limit that a person means; None for the word `NO_LIMIT`.

        Raises:
            ValueError: when it is neither that word nor an amount; see `parse`.
        """
        if isinstance(value, str) and value.strip().lower() == NO_LIMIT:
            return None
        try:
            return cls.parse(value)
        except ValueError as error:
            raise ValueError(f"{error}; or {NO_LIMIT!r} for no limit") from error

    @property
    def amount(self) -> float:
        """The amount in units of the currency, for showing and for plain data."""
        return self.micros / MICROS

    def round_up(self) -> Self:
        """Return the amount in whole cents, or hundredths of them below ten cents; never less."""
        step = self._step
        return type(self)(micros=-(-self.micros // step) * step, currency=self.currency)

    def round_down(self) -> Self:
        """Return the amount as ``round_up`` does, but never more."""
        step = self._step
        return type(self)(micros=self.micros // step * step, currency=self.currency)

    @property
    def _step(self) -> int:
        return MICROS // 100 if self.micros >= MICROS // 10 else MICROS // 10_000

    def __str__(self) -> str:
        """Return the amount for people: with two digits behind the point, or as many as it needs.

        The text is one that ``parse`` takes.
        """
        exact = Decimal(self.micros) / MICROS
        shown = f"{exact:.2f}" if self.micros % 10_000 == 0 else format(exact.normalize(), "f")
        return f"{shown} {self.currency}"
