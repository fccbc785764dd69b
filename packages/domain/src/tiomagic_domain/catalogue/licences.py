"""Licences: what you may do with a model and its videos, as a class (free, limited, research)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LicenceUse(StrEnum):
    """How far a licence goes."""

    FREE = "free"
    """For any use, free of charge."""
    LIMITED = "limited"
    """Commercial use is allowed under a condition: a revenue, a territory, a registration."""
    RESEARCH = "research"
    """Not for commercial use, or no permission is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceTerms:
    """What to know of a licence before you publish a video."""

    use: LicenceUse
    """The word for it."""
    publishing: str
    """A sentence or two for people: who may publish a video, and what they must do."""
    source: str
    """The source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsToAccept:
    """Terms that a user accepts by the model's name before anything of it is used.

    For a model whose licence gives no rights at all in some countries, where most users who do not
    look would break it. What a licence asks of the use alone is in :class:`LicenceTerms`.
    """

    says: str
    """What is accepted, as a sentence or two for people."""
    link: str
    """Address of the whole text."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"says": self.says, "link": self.link}


UNSTATED_TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="The model's card does not say what the licence allows: read it first.",
    source="the card",
)
"""For a card that states only the name of its licence."""


def apache_terms(source: str) -> LicenceTerms:
    """Return the terms of the Apache licence 2.0."""
    return LicenceTerms(
        use=LicenceUse.FREE,
        publishing="Any use, also commercial; the authors claim no rights in your videos.",
        source=source,
    )


def tencent_terms(source: str, more: str = "") -> LicenceTerms:
    """Return the terms of the Tencent Hunyuan Community licence.

    Args:
        source: The source.
        more: A sentence about other parts of the model.
    """
    return LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Neither the model nor its videos may be used in the EU, the UK and South "
        "Korea; a service with more than 100 million users a month needs Tencent's permission; "
        f"videos may not train other models.{more}",
        source=source,
    )


def tencent_consent(link: str) -> TermsToAccept:
    """Return what a user accepts of the Tencent Hunyuan Community licence.

    Args:
        link: Address of the text of the model.
    """
    return TermsToAccept(
        says="The Tencent Hunyuan Community licence gives no rights in the European Union, the "
        "United Kingdom and South Korea, neither to the model nor to its videos, and has an "
        "acceptable use policy. Who uses the model is bound by it.",
        link=link,
    )
