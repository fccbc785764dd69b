"""The models that tiomagic knows, one module a family.

A module of :mod:`tiomagic_domain.catalogue.families` that has a tuple ``MODELS`` of cards adds
them; so does an installed distribution with an entry point in the group ``tiomagic.models`` that
names such a tuple. There is no list to edit.

``acceleration``      The argument ``acceleration``: the presets exact, fast and turbo, and each
                      option by itself.
``card``              The model card: the facts of a model that are known without loading it.
``commits``           The argument ``commits``: other commits of the repositories that a model is
                      made of.
``continuation``      The parameters of shots that go on: ``continued_video`` and ``loop``.
``families``          The shipped models: one module a family, each with a tuple ``MODELS`` of
                      cards.
``few_steps``         Few-step LoRAs for ``acceleration="turbo"``: a tenth of the steps, with
                      their own defaults.
``hub_repositories``  Parses ``owner/name@revision`` as a repository on the Hugging Face hub, or
                      else as a path.
``kv_cache``          The argument ``kv_cache``: where keys and values of a guiding video wait
                      during a run.
``licences``          Licences: what you may do with a model and its videos, as a class (free,
                      limited, research).
``lora``              The argument ``loras``: LoRA files of a call, which change a model's weights
                      for one video.
``model_names``       What else a model is called: its name in another case, its repository.
``plugins``           Models of plug-ins (other distributions): each card is checked before it
                      joins the catalogue.
``pose_parameters``   Pose guidance: its parameters, what a model of it takes and keeps, other
                      control videos, and the LoRAs that read them.
``settings``          Builders of the parameters that many models share, so that a name has one
                      meaning everywhere.
``skeleton_colours``  The order of the colours (RGB or BGR) of skeletons, and the pace of a
                      guiding video.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue.card import ModelCard, Part
from tiomagic_domain.catalogue.licences import LicenceUse
from tiomagic_domain.catalogue.model_names import (
    FORMER_HOSTED,
    find_by_other_name,
    is_prompt,
)
from tiomagic_domain.catalogue.plugins import PluginProblem, add_cards
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.entry_points import find_entry_points
from tiomagic_domain.errors import UnknownModelError, ValidationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.features import SHORT_NAMES, Feature
from tiomagic_domain.suggestions import (
    LONGEST_NAME,
    closest,
    did_you_mean,
    list_names,
    shorten_repr,
)

__all__ = [
    "ModelCard",
    "Part",
    "PluginProblem",
    "find_feature",
    "find_licence_use",
    "find_model",
    "models",
    "models_for",
    "plugin_problems",
    "shipped_engines",
]

MODEL_ENTRY_POINT_GROUP = "tiomagic.models"
MAX_PROMPT_SHOWN = 60
"""Characters of a prompt in the error about a model of that name."""
_LIST = f"To see all, {NextStep.LIST_MODELS.say()}"


_left_out: list[PluginProblem] = []


@cache
def models() -> Mapping[str, ModelCard]:
    """Return every known model by name, sorted; unusable models of plugins are left out.

    Raises:
        ValueError: when two cards of ours have one name.
    """
    found: dict[str, ModelCard] = {}
    for card in _discover():
        if card.name in found:
            raise ValueError(f"two models are named {card.name!r}")
        found[card.name] = card
    _left_out[:] = add_cards(found, find_entry_points(MODEL_ENTRY_POINT_GROUP))
    return MappingProxyType(dict(sorted(found.items())))


@cache
def shipped_engines() -> frozenset[str]:
    """Return the engines of the models that come with tiomagic."""
    return frozenset(card.engine for card in _discover())


def plugin_problems() -> tuple[PluginProblem, ...]:
    """Return what of the installed plugins is left out of :func:`models`, and why."""
    models()
    return tuple(_left_out)


def _discover() -> Iterator[ModelCard]:
    shipped = importlib.import_module(f"{__name__}.families")
    for module in pkgutil.iter_modules(shipped.__path__):
        family = importlib.import_module(f"{shipped.__name__}.{module.name}")
        yield from getattr(family, "MODELS", ())


def find_feature(name: str) -> Feature:
    """Return a feature by its name, that of its command, or a short one such as ``t2v``.

    Raises:
        ValidationError: when there is no such feature; suggests the nearest one.
    """
    plain = name.strip().casefold().replace("-", "_")
    try:
        return SHORT_NAMES.get(plain) or Feature(plain)
    except ValueError:
        known = [feature.value for feature in Feature]
        hint = did_you_mean(name, known)
        message = f"there is no feature {shorten_repr(name)}.{hint} Features: {list_names(known)}"
        raise ValidationError(message, code=ErrorCode.UNKNOWN_FEATURE) from None


def find_licence_use(word: str) -> LicenceUse:
    """Return the licence class for a word.

    Raises:
        ValidationError: when there is no such word; suggests the nearest one.
    """
    try:
        return LicenceUse(word)
    except ValueError:
        known = [use.value for use in LicenceUse]
        hint = did_you_mean(word, known)
        message = f"licence: there is no word {word!r}.{hint} Words: {list_names(known)}"
        raise ValidationError(message, code=ErrorCode.UNKNOWN_LICENCE) from None


def models_for(
    feature: Feature,
    *,
    runs: Callable[[ModelCard], bool] | None = None,
    licence: str | None = None,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> list[str]:
    """Return the names of the models that serve a feature, sorted.

    Args:
        feature: What they must be able to do.
        runs: Says whether a provider can run one; None for those of any provider.
        licence: Class of their licence: ``free``, ``limited`` or ``research``; None for any.
        catalogue: The models to choose from; None for every known one.

    Raises:
        ValidationError: when there is no such word for a licence.
    """
    use = None if licence is None else find_licence_use(licence)
    known = models() if catalogue is None else catalogue
    return [
        card.name
        for card in known.values()
        if feature in card.features
        and (runs is None or runs(card))
        and (use is None or card.terms.use is use)
    ]


def find_model(
    name: object,
    feature: Feature | None = None,
    provider: str | None = None,
    *,
    runs: Callable[[ModelCard], bool] | None = None,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> ModelCard:
    """Return a model's card.

    Args:
        name: The model's name in any case, or its repository on the hub.
        feature: What it must be able to do; None for anything.
        provider: Who is to run it, for the text of the error.
        runs: Says whether that provider can run it; None for any provider.
        catalogue: The models to choose from; None for every known one.

    Raises:
        UnknownModelError: when there is no such model, or it does not serve the feature.
    """
    catalogue = models() if catalogue is None else catalogue
    card = catalogue.get(name) if isinstance(name, str) else None
    if card is None and isinstance(name, str):
        card = find_by_other_name(name, catalogue, feature)
    if card is None:
        known = models_for(feature, runs=runs, catalogue=catalogue) if feature else list(catalogue)
        raise _no_such_model(name, feature, known, catalogue)
    name = card.name
    if feature is not None and feature not in card.features:
        can = list_names(served.label for served in card.features)
        others = models_for(feature, runs=runs, catalogue=catalogue)
        raise UnknownModelError(
            f"{name!r} cannot do {feature.label}; it can do {can}. "
            f"{_say_who_can(feature, others, provider, catalogue)}",
            details={"model": name, "feature": feature.value, "known": others},
        )
    if runs is not None and not runs(card):
        others = models_for(feature, runs=runs, catalogue=catalogue) if feature else []
        purpose = f" for {feature.label}" if feature else ""
        advice = f"Its models{purpose}: {list_names(others)}"
        if card.vendor not in {None, provider}:
            step = NextStep.USE_PROVIDER.say(provider=card.vendor)
            advice = f"It is a hosted model of {card.vendor!r}: {step}"
        raise UnknownModelError(
            f"{name!r} does not run on {provider!r}. {advice}",
            details={"model": name, "provider": provider, "known": others, "runs_on": card.vendor},
        )
    return card


def _say_who_can(
    feature: Feature,
    here: Sequence[str],
    provider: str | None,
    catalogue: Mapping[str, ModelCard],
) -> str:
    """Return the models of a provider for a feature; where it has none, who has some."""
    if here or provider is None:
        return f"Models for {feature.label}: {list_names(here)}"
    # What no vendor sells runs on the user's own machine.
    able = {card.vendor or "local" for card in catalogue.values() if feature in card.features}
    return f"No model of {provider!r} can; providers for {feature.label}: {list_names(able)}"


def _no_such_model(
    name: object, feature: Feature | None, known: list[str], catalogue: Mapping[str, ModelCard]
) -> UnknownModelError:
    """Return the error with what was most likely meant; without a guess it lists the models."""
    nearest = closest(name, known) or closest(name, catalogue)
    purpose = f" for {feature.label}" if feature else ""
    if isinstance(name, str) and feature is not None and is_prompt(name):
        given = shorten_repr(name, MAX_PROMPT_SHOWN)
        step = NextStep.GIVE_AS_PROMPT.say(value=given, feature=feature.value)
        message = f"this is a prompt, and no name of a model: {step}"
        nearest = None
    elif isinstance(name, str) and name in FORMER_HOSTED:
        message = missing_extra_error(FORMER_HOSTED[name], f"the model {name!r}").message
    elif nearest is not None:
        message = f"there is no model {shorten_repr(name)}. Did you mean {nearest!r}? {_LIST}"
    else:
        message = f"there is no model {shorten_repr(name)}. Models{purpose}: {list_names(known)}"
    return UnknownModelError(
        f"{message}{_missing()}",
        details={"model": str(name)[:LONGEST_NAME], "known": known, "nearest": nearest},
    )


def _missing() -> str:
    """Return a hint about broken plugins, one of which may have the missing model."""
    return "".join(f". {problem}" for problem in _left_out)
