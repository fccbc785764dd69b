"""Every model's schema: the defaults, both ends of each number, and one step beyond them."""

import pytest
from tests.catalogue import extremes
from tests.catalogue.extremes import CASES, inputs_of, is_number, limits_of
from tests.every import for_each

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.schema.parameter import UNSET, Kind


def refusal(schema, **arguments):
    """Return the nearest legal value of each argument that is refused."""
    with pytest.raises(ValidationError) as caught:
        schema.validate(inputs_of(schema) | arguments)
    return {problem.field: problem.nearest for problem in caught.value.problems}


@for_each(CASES)
def test_the_defaults_and_the_extremes_are_legal(card, feature):
    """The required inputs alone are a call, and so is every combination that is run elsewhere."""
    schema = card.schema(feature)
    values = schema.validate(inputs_of(schema))
    for parameter in schema.optional:
        if parameter.default is not UNSET:
            assert values[parameter.name] == parameter.default
    for _name, settings in extremes.calls(schema):
        assert schema.validate(inputs_of(schema) | settings).items() >= settings.items()


@for_each(CASES)
def test_one_step_outside_is_refused_with_the_nearest_legal_value(card, feature):
    """Below the smallest value the smallest is offered, above the largest the largest."""
    schema = card.schema(feature)
    for parameter in filter(is_number, schema.optional):
        low, high = limits_of(parameter)
        step = parameter.multiple_of or (1 if parameter.kind is Kind.INTEGER else 0.001)
        for outside, nearest in ((low - step, low), (high + step, high)):
            assert refusal(schema, **{parameter.name: outside}) == {parameter.name: nearest}


@for_each(CASES)
def test_between_two_steps_is_refused_with_the_nearest_legal_value(card, feature):
    """A size or a length that the pipeline would round is refused; the nearest is offered."""
    schema = card.schema(feature)
    for parameter in filter(is_number, schema.optional):
        low, high = limits_of(parameter)
        if parameter.multiple_of in {None, 1} or low == high:
            continue
        assert refusal(schema, **{parameter.name: low + 1})[parameter.name] == low
        assert refusal(schema, **{parameter.name: high - 1})[parameter.name] == high


@for_each(CASES)
def test_one_step_beyond_the_most_pixels_is_refused_with_a_size_that_fits(card, feature):
    """Where both sides are legal and their product is not, the size that is offered is legal."""
    schema = card.schema(feature)
    if "width" not in schema:
        return
    width, height = schema["width"].legal_values(), schema["height"].legal_values()
    beyond = {
        (wide, min(tall for tall in height if wide * tall > schema.max_pixels))
        for wide in width
        if wide * height[-1] > schema.max_pixels
    }
    for wide, tall in beyond:
        (offered,) = refusal(schema, width=wide, height=tall).values()
        assert offered["width"] * offered["height"] <= schema.max_pixels
        schema.validate(inputs_of(schema) | offered)
