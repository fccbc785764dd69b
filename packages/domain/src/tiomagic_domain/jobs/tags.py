"""The user's own words on a job."""

from __future__ import annotations

from collections.abc import Iterable

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.suggestions import shorten_repr

MAX_TAG_LENGTH = 100
"""Characters of a tag at the most."""


def validate_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without the space around them, each once, in the order given.

    Raises:
        ValidationError: when one is empty, too long, or has a character that is not printed.
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
