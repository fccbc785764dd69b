"""What the typed methods say is what the catalogue and the settings have."""

import pydoc
import typing

import pytest

from tiomagic import TioMagic, types
from tiomagic.api.run_options import RunOptions
from tiomagic.wiring import setting_types as typed_settings
from tiomagic.wiring.settings import known_settings
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature


def names_of(feature: Feature) -> set[str]:
    """Return every parameter that a shipped model has for a feature."""
    cards = [card for card in models().values() if feature in card.features]
    schemas = [card.features[feature] for card in cards]
    return {one.name for schema in schemas for one in (*schema.parameters, *schema.sizes)}


def keys(typed: type) -> set[str]:
    """Return what a TypedDict takes, with what it inherits."""
    return set(typed.__optional_keys__ | typed.__required_keys__)


RUN = set(RunOptions.__slots__)


@pytest.mark.parametrize("feature", list(Feature))
def test_help_lists_every_parameter(feature: Feature) -> None:
    """``help(tm.text_to_video)`` names the inputs, the settings and how a call runs."""
    text = pydoc.plain(pydoc.render_doc(getattr(TioMagic, feature.value)))
    missing = [name for name in names_of(feature) | RUN if f"``{name}``" not in text]
    assert missing == []


@pytest.mark.parametrize("feature", list(Feature))
def test_a_checker_knows_every_parameter(feature: Feature) -> None:
    """The TypedDict of a feature has the parameters of all its models, and no other."""
    name = feature.value.title().replace("_", "")
    assert keys(getattr(types, f"{name}Arguments")) == names_of(feature) | RUN


@pytest.mark.parametrize("feature", list(Feature))
def test_names_of_models_are_those_of_the_catalogue(feature: Feature) -> None:
    """A checker takes each shipped model for the features that it has."""
    name = feature.value.title().replace("_", "")
    words, _other = typing.get_args(getattr(types, f"{name}Model"))
    served = {card.name for card in models().values() if feature in card.features}
    assert set(typing.get_args(words)) <= served
    assert "doodle" in typing.get_args(words)


def test_a_checker_knows_every_setting() -> None:
    """The settings of the types are those of the program."""
    assert keys(typed_settings.AllSettings) == set(known_settings())
