"""What a model's licence lets you do with it and with its videos, in one word and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """How far a licence goes."""

    FREE = "free"
    """For any use, by anybody, without pay."""
    LIMITED = "limited"
    """Commercial use is allowed under a condition: a revenue, a territory, a registration."""
    RESEARCH = "research"
    """Not for commercial use, or nothing says that it is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What to know of a licence before you publish a video."""

    use: Use
    """The word for it."""
    publishing: str
    """A sentence or two for people: who may publish a video, and what they must do."""
    source: str
    """Where it is said."""


UNSAID = Terms(
    use=Use.LIMITED,
    publishing="The model's card does not say what the licence allows: read it first.",
    source="the card",
)
"""Of a card that names a licence alone."""


def apache(source: str) -> Terms:
    """Return the terms of the Apache licence 2.0."""
    return Terms(
        use=Use.FREE,
        publishing="Any use, also commercial; the authors claim no rights in your videos.",
        source=source,
    )


def tencent(source: str, more: str = "") -> Terms:
    """Return the terms of the Tencent Hunyuan Community licence.

    Args:
        source: Where it is said.
        more: A sentence about other parts of the model.
    """
    return Terms(
        use=Use.LIMITED,
        publishing="Neither the model nor its videos may be used in the EU, the UK and South "
        "Korea; a service with more than 100 million users a month needs Tencent's permission; "
        f"videos may not train other models.{more}",
        source=source,
    )
