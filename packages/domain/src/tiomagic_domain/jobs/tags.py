"""Tags of a job: the user's own labels, validated."""

from __future__ import annotations

from collections.abc import Iterable

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.suggestions import shorten_repr

MAX_TAG_LENGTH = 100
"""Most characters of a tag."""


def validate_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return stripped tags, each once, in the given order.

    Raises:
        ValidationError: when one is empty, too long, or has a non-printable character.
    """
    cleaned = tuple(dict.fromkeys(tag.strip() for tag in tags))
    wrong = [tag for tag in cleaned if not (0 < len(tag) <= MAX_TAG_LENGTH and tag.isprintable())]
    if wrong:
        message = f"must be 1 to {MAX_TAG_LENGTH} characters on one line"
        raise ValidationError.of(
            [Problem(field="tags", message=message, given=shorten_repr(tag)) for tag in wrong],
            subject="the tags of a job",
        )
    return cleaned
