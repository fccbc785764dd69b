"""The argument ``acceleration``: a word, or each means by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tiomagic_domain.catalogue import models, shipped_engines
from tiomagic_domain.catalogue.acceleration import FAST_LEVELS, PRESETS, Acceleration
from tiomagic_domain.catalogue.settings import ACCELERATION, TURBO_ACCELERATION
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.schema.parameter import Rejected
from tiomagic_domain.schema.schema import Schema

WHOLE = Acceleration().to_dict()


def test_words_stand_for_means():
    """Exact changes nothing; fast is exact and a cache; turbo is exact with few steps."""
    assert Acceleration.from_argument("exact") == Acceleration(cache_threshold=0.0)
    assert Acceleration.from_argument("fast") == Acceleration(cache="best")
    assert Acceleration.from_argument("fast").step_caches() == FAST_LEVELS
    assert Acceleration.from_argument("turbo") == Acceleration(few_steps=True)


def test_the_defaults_of_the_argument_are_those_of_exact():
    """An object that says nothing is exact, and what it says is all that changes."""
    assert TURBO_ACCELERATION.check({}) == WHOLE
    for parameter in (ACCELERATION, TURBO_ACCELERATION):
        assert Acceleration.from_argument(parameter.check({})) == Acceleration()
        given_one = parameter.check({"cache_threshold": 0.2})
        assert Acceleration.from_argument(given_one) == Acceleration(cache_threshold=0.2)
    for word in PRESETS:
        assert TURBO_ACCELERATION.check(word) == word


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("turbo", "must be one of 'exact', 'fast', not 'turbo'; turbo needs few-step weights"),
        ({"few_steps": True}, "has no field 'few_steps'"),
        ("fats", "must be one of"),
        (True, "must be text"),
        ({"attention": "sparge"}, "field 'attention' that must be one of"),
        ({"cache": "pyramid"}, "field 'cache' that must be one of"),
        ({"cache_interval": 21}, "field 'cache_interval'"),
        ({"cache_threshold": 2}, "field 'cache_threshold'"),
        ({"speed": 1}, "has no field 'speed'; fields: attention"),
    ],
)
def test_what_is_neither_is_refused(value, words):
    """With what would be legal."""
    with pytest.raises(Rejected) as caught:
        ACCELERATION.check(value)
    assert words in caught.value.message


@given(
    st.one_of(
        st.sampled_from([*PRESETS, "turbo", ""]),
        st.dictionaries(
            st.sampled_from([*WHOLE, "speed"]),
            st.one_of(
                st.sampled_from(["auto", "on", "flash", "sage", "mag", "best"]),
                st.floats(-1, 2),
                st.booleans(),
            ),
        ),
        st.none(),
        st.integers(),
    )
)
def test_json_schema_says_the_same(value):
    """What the check takes, the exported schema takes, and nothing else."""
    for parameter in (ACCELERATION, TURBO_ACCELERATION):
        _says_the_same(parameter, value)


def _says_the_same(parameter, value):
    schema = Schema(parameters=(parameter,))
    exported = Draft202012Validator(schema.to_json_schema())
    try:
        schema.validate({"acceleration": value})
    except ValidationError:
        assert not exported.is_valid({"acceleration": value})
    else:
        assert exported.is_valid({"acceleration": value})


def test_every_model_has_it():
    """With exact as the default: nobody gets another video without asking for it."""
    for card in models().values():
        if card.engine not in shipped_engines():
            continue  # A vendor runs it.
        for feature in card.features:
            assert card.schema(feature)["acceleration"].default == "exact"
