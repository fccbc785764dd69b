"""Times as people read them: on the clock of this machine. JSON has them as ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime


def describe_time(moment: str, *, short: bool = False) -> str:
    """Return a moment in local time, such as ``2026-11-30 00:11:17``.

    Args:
        moment: ISO 8601 with zone.
        short: True for ``30 Nov 00:11``, and only the date of another year.
    """
    local = datetime.fromisoformat(moment).astimezone()
    if not short:
        return f"{local:%Y-%m-%d %H:%M:%S}"
    is_this_year = local.year == datetime.now().astimezone().year
    return f"{local:%d %b %H:%M}" if is_this_year else f"{local:%Y-%m-%d}"
