"""Consent to a model's terms: given by the model's name, before anything of it is used.

Some licences give no rights at all in some countries. A card of such a model has ``must_accept``,
and then nothing is submitted, downloaded or rehearsed before the user has accepted the terms by
the model's name: in the setting ``accepted_terms``, or for one call. The consent is asked for where
the user is, and is in no recipe and no record of a job: who gets these accepts for themselves. A
job that waits in a queue was accepted when it was stored, so its worker asks no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError

AcceptedTerms = Callable[[], Collection[str]]
"""Returns the names of the models whose terms are accepted now."""


def accept_nothing() -> Collection[str]:
    """Return no name: what holds where nobody was asked."""
    return ()


def is_accepted(card: ModelCard, accepted: Collection[str]) -> bool:
    """Return whether a model may be used, as far as its terms go.

    Args:
        card: The model.
        accepted: Names of the models whose terms are accepted; capitals or not.
    """
    wanted = card.name.casefold()
    return card.must_accept is None or any(name.casefold() == wanted for name in accepted)


def require_consent(card: ModelCard, accepted: Collection[str]) -> None:
    """Raise unless the terms of a model are accepted, or it has none.

    Args:
        card: The model.
        accepted: Names of the models whose terms are accepted.

    Raises:
        ConfigurationError: with the code ``terms_not_accepted``; the details have ``model``,
            ``terms`` and ``link``.
    """
    terms = card.must_accept
    if terms is None or is_accepted(card, accepted):
        return
    advice = NextStep.ACCEPT_TERMS.say(model=card.name)
    beside = f", beside those of {', '.join(sorted(accepted))}" if accepted else ""
    raise ConfigurationError(
        f"{card.name} was not used: its terms are not accepted. {terms.says} The whole text: "
        f"{terms.link}\n"
        f"If they allow what you want to do, {advice}{beside}.",
        details={"model": card.name, "terms": terms.says, "link": terms.link},
        code=ErrorCode.TERMS_NOT_ACCEPTED,
    )
