"""What there is: models, their parameters, and who runs them. Loads no model and no provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiomagic_domain.catalogue import (
    ModelCard,
    find_feature,
    find_licence_use,
    find_model,
    models,
    models_for,
)
from tiomagic_domain.features import Feature

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.schema.schema import Schema

Tree = dict[str, dict[str, dict[str, str]]]


def model_names(
    session: Session, feature: str, provider: str | None, licence: str | None = None
) -> list[str]:
    """Return the models for a feature, sorted; see :meth:`tiomagic.TioMagic.get_models`."""
    runs = None if provider is None else session.runs(provider)
    return models_for(find_feature(feature), runs=runs, licence=licence)


def find_schema(feature: str, model: str) -> Schema:
    """Return a model's parameters for a feature."""
    served = find_feature(feature)
    return find_model(model, served).schema(served)


def find_cards(
    session: Session,
    feature: str | None = None,
    provider: str | None = None,
    licence: str | None = None,
) -> list[ModelCard]:
    """Return the cards of the models that can do a feature on a provider, sorted by name.

    Args:
        session: Knows the providers.
        feature: None for any.
        provider: None for any.
        licence: ``free``, ``limited`` or ``research``; None for any.
    """
    served = None if feature is None else find_feature(feature)
    runs = None if provider is None else session.runs(provider)
    use = None if licence is None else find_licence_use(licence)
    return [
        card
        for card in models().values()
        if (served is None or served in card.features)
        and (runs is None or runs(card))
        and (use is None or card.terms.use is use)
    ]


def tree(session: Session) -> Tree:
    """Return the title of every model by provider, feature and model, all sorted."""
    return {
        provider: {
            feature.value: names
            for feature in sorted(Feature)
            if (names := {n: models()[n].title for n in models_for(feature, runs=runs)})
        }
        for provider in sorted(session.provider_names())
        for runs in (session.runs(provider),)
    }


def as_text(found: Tree) -> str:
    """Return the tree as indented lines."""
    lines = []
    for provider, features in found.items():
        lines.append(provider)
        for feature, names in features.items():
            lines.append(f"  {feature}")
            lines.extend(f"    {name}" for name in names)
    return "".join(f"{line}\n" for line in lines)
