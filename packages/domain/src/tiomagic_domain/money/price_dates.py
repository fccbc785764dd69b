"""How a price's date is told, and when it is too old to be told alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

OLD_AFTER: Final = timedelta(days=180)
"""Vendors change their prices a few times a year: half a year makes a change likely."""


def describe_price_date(as_of: date, today: date) -> str:
    """Return the date of a price; for an old one also that it may have changed.

    Args:
        as_of: When the price was read.
        today: The day of the estimate.
    """
    said = f"price of {as_of.isoformat()}"
    days = (today - as_of).days
    if days <= OLD_AFTER.days:
        return said
    return f"{said}, which is {days} days old and may have changed"
