"""Did-you-mean for names that are almost right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with a leading blank, or an empty string.

    Args:
        given: What the caller wrote.
        known: The names that exist.
    """
    nearest = closest(given, known)
    return f" Did you mean {nearest!r}?" if nearest else ""


def closest(given: object, known: Iterable[str]) -> str | None:
    """Return the known name that resembles the given one most, or None when none does."""
    folded = {name.casefold(): name for name in known}
    # A little under difflib's 0.6, so that num_steps finds num_inference_steps.
    matches = get_close_matches(str(given).casefold(), folded, n=1, cutoff=0.55)
    return folded[matches[0]] if matches else None


def list_names(names: Iterable[str]) -> str:
    """Return the names sorted and quoted, for the end of an error message."""
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def shorten_repr(value: object, limit: int = 80) -> str:
    """Return ``repr`` of a value, cut so that an error message stays readable.

    Bytes are shown by their number: they are a picture, and their ``repr`` is four times as long.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    if isinstance(value, str) and len(value) > limit:
        value = value[:limit]
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out a whole number of more than 4,300 digits.
        return f"{type(value).__name__} that is too long to be shown"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
