"""A whole call: everything wrong with it at once, and the same law in JSON Schema."""

import math
from dataclasses import replace
from functools import cache

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalogue.extremes import inputs_of
from tests.every import for_each

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.schema.schema import (
    ExactlyOne,
    MaxPixels,
    Schema,
    ShorterSide,
    WithinVideo,
)

CASES = [(card, feature) for card in models().values() for feature in card.features]
CARD = models()["wan2.1-vace-14b"]


def schema_of(feature):
    return CARD.schema(feature)


def problems_of(schema, arguments):
    with pytest.raises(ValidationError) as caught:
        schema.validate(arguments)
    return {problem.field: problem for problem in caught.value.problems}


def test_every_problem_is_told_at_once():
    """Six mistakes of six kinds are six problems of one error, each with its field and value."""
    problems = problems_of(
        schema_of("text_to_video"),
        {
            "num_frames": 80,
            "height": 500,
            "guidance_scale": "high",
            "num_steps": 20,
            "seed": True,
        },
    )
    assert set(problems) == {
        "prompt",
        "num_frames",
        "height",
        "guidance_scale",
        "num_steps",
        "seed",
    }
    assert problems["num_frames"].nearest == 81
    assert problems["height"].nearest == 496
    assert problems["num_steps"].nearest == "num_inference_steps"
    assert problems["prompt"].given == "nothing"
    assert problems["seed"].given == "True"


def test_the_error_is_readable():
    """One line a problem, with what was checked at the top; a single problem is one sentence."""
    schema = schema_of("text_to_video")
    with pytest.raises(ValidationError) as caught:
        schema.validate({"num_frames": 80, "colour": 1}, subject="this call")
    lines = caught.value.message.splitlines()
    assert lines[0] == "3 problems with this call:"
    assert all(line.startswith("  - ") for line in lines[1:])
    with pytest.raises(ValidationError) as caught:
        schema.validate({"prompt": " "}, subject="this call")
    assert caught.value.message == "prompt: must say something: it is empty or blank (this call)"


@pytest.mark.parametrize(
    "blank", ["", " ", "\t\r\n", "\u3000", "\u00a0\u2003", "\x1c\x85", "\ufeff\u200b"]
)
def test_a_prompt_says_something(blank):
    """White space of any script, and marks without width, are no prompt."""
    assert set(problems_of(schema_of("text_to_video"), {"prompt": blank})) == {"prompt"}


def test_defaults_are_filled_in_and_open_things_stay_open():
    """Every setting with a default comes back; what the picture or a draw decides is absent."""
    values = schema_of("image_to_video").validate({"prompt": "a fox", "image": "fox.png"})
    assert (values["num_frames"], values["memory"], values["fps"]) == (81, "auto", 16)
    assert {"seed", "width", "height"}.isdisjoint(values)


def test_an_unknown_name_without_a_resemblance_lists_the_known_ones():
    """When nothing resembles the name, all names are told."""
    problem = problems_of(schema_of("text_to_video"), {"prompt": "a", "zzzzzz": 1})["zzzzzz"]
    assert "'num_frames'" in problem.message
    assert problem.nearest is None


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({}, "neither was given"),
        ({"guiding_video": "a.mp4", "pose_video": "b.mp4"}, "guiding_video and pose_video were"),
    ],
)
def test_exactly_one_way_to_say_how_to_move(sources, words):
    """Both ways and neither way are problems of the two fields together."""
    arguments = {"prompt": "a", "image": "a.png", **sources}
    problem = problems_of(schema_of("pose_guidance"), arguments)["guiding_video, pose_video"]
    assert words in problem.message


def test_one_way_to_move_is_enough():
    """Each of the two alone is legal."""
    for name in ("guiding_video", "pose_video"):
        schema_of("pose_guidance").validate({"prompt": "a", "image": "a.png", name: "m.mp4"})


@pytest.mark.parametrize(
    ("given", "missing"),
    [("background_video", "mask_video"), ("mask_video", "background_video")],
)
def test_a_background_and_its_mask_belong_together(given, missing):
    """One without the other is a problem of the other one; both and neither are legal."""
    schema = find_model("wan2.2-animate-14b").schema(Feature.POSE_GUIDANCE)
    arguments = {"prompt": "a", "image": "a.png", "pose_video": "m.mp4"}
    schema.validate(arguments)
    schema.validate({**arguments, given: "b.mp4", missing: "c.mp4"})
    (problem,) = problems_of(schema, {**arguments, given: "b.mp4"}).values()
    assert problem.field == missing
    assert problem.message == f"is needed with {given!r}"
    others = {given: [missing], missing: [given]}
    assert {"dependentRequired": others} in schema.to_json_schema()["allOf"]


@given(st.integers(1, 80), st.integers(1, 80))
def test_a_size_that_is_too_large_proposes_one_that_fits(wide, tall):
    """The proposed size is legal, within the limit, of about the shape, and nearly as large."""
    schema = schema_of("text_to_video")
    arguments = {"prompt": "a", "width": wide * 16, "height": tall * 16}
    if wide * tall * 256 <= 1280 * 720:
        schema.validate(arguments)
        return
    proposed = problems_of(schema, arguments)["width, height"].nearest
    schema.validate({"prompt": "a", **proposed})
    assert proposed["width"] * proposed["height"] > 0.9 * 1280 * 720
    assert math.isclose(proposed["width"] / proposed["height"], wide / tall, rel_tol=0.05)


@pytest.mark.parametrize(
    "height", [10**5000, True, 5000, math.nan, "tall"], ids=["huge", "bool", "large", "nan", "text"]
)
def test_an_illegal_side_is_complained_of_once(height):
    """A side that is illegal by itself is not part of a second complaint about the size."""
    assert set(problems_of(schema_of("text_to_video"), {"prompt": "a", "height": height})) == {
        "height"
    }


def test_a_schema_knows_its_parts():
    """Required, optional and media parameters are told apart; a name stands once."""
    schema = schema_of("pose_guidance")
    assert [p.name for p in schema.required] == ["prompt", "image"]
    assert [p.name for p in schema.media] == ["image", "guiding_video", "pose_video"]
    assert "seed" in schema
    assert schema["seed"].name == "seed"
    with pytest.raises(KeyError):
        schema["sead"]
    twice = Parameter(name="x", kind=Kind.STRING, description="")
    with pytest.raises(ValueError, match="named twice"):
        Schema(parameters=(twice, twice))
    assert Schema(parameters=(twice,)).max_pixels == math.inf
    assert schema.max_pixels == 1280 * 720


@for_each(CASES)
def test_the_documented_shape(card, feature):
    """``to_dict`` has the two documented parts, and each entry its class and description."""
    told = card.schema(feature).to_dict()
    assert set(told) == {"required", "optional"}
    for entry in (*told["required"].values(), *told["optional"].values()):
        assert entry["type"] in {str, int, float, bool, list, dict}
        assert entry["description"]


# ── The same law twice ──────────────────────────────────────────────────────────────────────────
#
# Left out, as the docstring of tiomagic_domain.schema.schema lists: numbers that JSON does not
# have, sizes beyond MaxPixels and places beyond WithinVideo (asserted below), Python's own sources
# of media, tuples.

NUMBERS = [10**400, -(10**400), 1e308, -1e308, 81.0, 80.5, 0, -1, 16.0, 2**32]
TEXTS = ["", " ", "\u3000", "\u200b", "\x1c", "\x85", "81", "auto", "AUTO"]
OF_OTHER_KINDS = [None, True, False, *NUMBERS, *TEXTS, [], [1], [""], {}, {"extra": 1}]
JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(NUMBERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(TEXTS)
    | st.lists(st.integers(), max_size=2)
)


@cache
def legal(parameter):
    """Return a strategy for values that a parameter should take."""
    match parameter.kind:
        case Kind.INTEGER if parameter.multiple_of:
            whole = st.sampled_from(parameter.legal_values())
            return whole | whole.map(float)
        case Kind.INTEGER:
            whole = st.integers(int(parameter.minimum), int(parameter.maximum))
            return whole | whole.map(float)
        case Kind.NUMBER:
            low, high = parameter.minimum, parameter.maximum
            return st.floats(low, high) | st.integers(math.ceil(low), math.floor(high))
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.OBJECT | Kind.LIST if parameter.fields:
            one = legal_object(parameter)
            return one if parameter.kind is Kind.OBJECT else st.lists(one, max_size=2)
        case _:
            return legal_text(parameter)


def legal_object(parameter):
    """Return a strategy for objects with the fields of a parameter, some of the others left out."""
    required = {f.name: legal(f) for f in parameter.fields if f.required}
    others = {f.name: legal(f) for f in parameter.fields if not f.required}
    return st.fixed_dictionaries(required, optional=others)


def legal_text(parameter):
    """Return a strategy for texts that a parameter should take."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.pattern:
        return st.from_regex(parameter.pattern)
    return st.text(min_size=1).filter(lambda text: text.strip())


@cache
def nearly_legal(parameter):
    """Return a strategy for values just beside the legal ones."""
    if parameter.minimum is None or parameter.maximum is None:
        return JUNK
    edges = [parameter.minimum, parameter.maximum]
    beside = [edge + step for edge in edges for step in (-1, -0.5, 0, 0.5, 1)]
    inside = st.integers(math.ceil(parameter.minimum), math.floor(parameter.maximum))
    return JUNK | st.sampled_from(beside) | inside


@st.composite
def calls(draw, schema):
    """Draw a call: mostly legal values, some missing, some beside the mark, some unknown."""
    arguments = {}
    tame = draw(st.booleans())
    for parameter in schema.parameters:
        given_at_all = draw(st.sampled_from([True, True, True, parameter.required]))
        if not given_at_all:
            continue
        wild = not tame and draw(st.integers(0, 5)) == 0
        arguments[parameter.name] = draw(nearly_legal(parameter) if wild else legal(parameter))
    if not tame:
        for name in draw(st.lists(st.sampled_from([*schema_names(schema), "extra"]), max_size=2)):
            if name in arguments:
                del arguments[name]
            else:
                arguments[name] = draw(JUNK)
    elif "pose_video" in schema and draw(st.booleans()):
        arguments.pop(draw(st.sampled_from(["pose_video", "guiding_video"])), None)
    return arguments


def schema_names(schema):
    return [parameter.name for parameter in schema.parameters]


def outcome(schema, arguments):
    """Return whether ``validate`` takes a call, but for the rules that JSON cannot say."""
    try:
        schema.validate(arguments)
    except ValidationError as error:
        return all(
            problem.field == "width, height"
            or problem.message.startswith(("the latent frames of a", "is frame "))
            for problem in error.problems
        )
    return True


@cache
def export(name, feature):
    """Return the exported schema of a model, ready to check calls."""
    exported = models()[name].schema(feature).to_json_schema(title=f"{name}-{feature.value}")
    jsonschema.Draft202012Validator.check_schema(exported)
    return jsonschema.Draft202012Validator(exported)


@for_each(CASES)
def test_json_schema_is_the_same_law_for_the_least_call(card, feature):
    """Of every card: nothing at all, each input left out, and all that must be given."""
    schema, validator = card.schema(feature), export(card.name, feature)
    least = inputs_of(schema)
    drawn = [{}, least, *({k: v for k, v in least.items() if k != name} for name in least)]
    for arguments in drawn:
        assert outcome(schema, arguments) == validator.is_valid(arguments), arguments
    assert validator.is_valid(least)


@settings(max_examples=300)
@given(st.data(), st.sampled_from(CASES))
def test_json_schema_is_the_same_law(data, case):
    """What ``validate`` takes the exported schema takes, and the reverse, for any card.

    Cards have most of their parameters in common: a few examples of each are many of all.
    """
    card, feature = case
    schema = card.schema(feature)
    arguments = data.draw(calls(schema))
    taken = export(card.name, feature).is_valid(arguments)
    assert outcome(schema, arguments) == taken, arguments


def law_of(parameter):
    """Return a parameter with nothing but what decides which values it takes."""
    fields = tuple(law_of(one) for one in parameter.fields)
    words = {"description": "", "source": None, "unit": None, "advanced": False}
    return replace(parameter, **words, default=UNSET, examples=(), fields=fields)


LAWS = {law_of(p): p for card, feature in CASES for p in card.schema(feature).parameters}


@for_each(LAWS.values())
def test_json_schema_is_the_same_law_beside_each_legal_value(parameter):
    """Around every limit, step and choice, and for values of other kinds, both laws agree."""
    alone = Schema(parameters=(parameter,))
    validator = jsonschema.Draft202012Validator(alone.to_json_schema())
    edges = [limit for limit in (parameter.minimum, parameter.maximum) if limit is not None]
    if parameter.multiple_of:
        edges += parameter.legal_values()
    beside = {edge + step for edge in edges for step in (-1, -0.5, 0, 0.5, 1)}
    frames = parameter.kind is Kind.VIDEO  # A list of them is Python's own source of a video.
    others = [kind for kind in OF_OTHER_KINDS if not (frames and isinstance(kind, list))]
    for value in [*beside, *parameter.choices, *others]:
        given_value = {parameter.name: value}
        assert outcome(alone, given_value) == validator.is_valid(given_value), given_value


@settings(max_examples=30)
@given(st.data())
def test_the_generator_of_calls_is_worth_its_while(data):
    """Drawn values that are meant to be legal are: the property above sees both sides."""
    schema = schema_of(data.draw(st.sampled_from(["image_to_video", "interpolate"])))
    arguments = {p.name: data.draw(legal(p)) for p in schema.parameters}
    arguments["prompt"] = "a fox"
    for index, keyframe in enumerate(arguments.get("keyframes", [])):
        keyframe.pop("at", None)
        keyframe["frame"] = index
    assert outcome(schema, arguments)


@pytest.mark.parametrize(
    ("width", "height", "field"),
    [
        (768, 768, None),
        (1360, 768, None),
        (768, 1024, None),
        (1008, 1008, "height"),
        (800, 1200, "width"),
    ],
)
def test_the_shorter_side_is_fixed(width, height, field):
    """CogVideoX1.5 I2V, the authors' table: min(W, H) = 768; the longer side stays as given."""
    rule = ShorterSide(768)
    problems = rule.problems({"width": width, "height": height})
    assert [(p.field, p.nearest) for p in problems] == ([] if field is None else [(field, 768)])
    assert rule.problems({"width": width}) == []
    validator = jsonschema.Draft202012Validator(rule.to_json_schema())
    assert validator.is_valid({"width": width, "height": height}) == (field is None)


@pytest.mark.parametrize(
    ("first", "second", "legal"),
    [(1.0, 3.0, False), (1, 1.0, True), (4.0, 3.0, True), (4.0, 1.0, True), (1.01, 3.0, True)],
)
def test_guidance_that_is_off_takes_the_other_with_it(first, second, legal):
    """The pipeline of two experts looks at the first guidance alone; nobody is left to wonder."""
    card = models()["wan2.2-t2v-a14b"]
    schema = card.schema(Feature.TEXT_TO_VIDEO)
    call = {"prompt": "a fox", "guidance_scale": first, "guidance_scale_2": second}
    if legal:
        assert schema.validate(call)["guidance_scale_2"] == second
        return
    with pytest.raises(ValidationError, match="guidance_scale_2=1 as well") as caught:
        schema.validate(call)
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == ("guidance_scale_2", 1.0)
    # The default is more than 1, so that the first alone is not enough either.
    with pytest.raises(ValidationError, match="guidance_scale_2"):
        schema.validate({"prompt": "a fox", "guidance_scale": 1})


def test_rules_that_json_cannot_say_are_left_out():
    """A schema whose only rule has no form in JSON has no empty clause."""
    parameter = Parameter(name="x", kind=Kind.STRING, description="", required=False)
    unsaid = (MaxPixels(1), WithinVideo("x"))
    exported = Schema(parameters=(parameter,), rules=unsaid).to_json_schema()
    assert "allOf" not in exported
    assert "title" not in exported
    two = Schema(parameters=(parameter,), rules=(ExactlyOne(("x", "y")),)).to_json_schema()
    assert two["allOf"] == [{"oneOf": [{"required": ["x"]}, {"required": ["y"]}]}]


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.OBJECT, Kind.BOOLEAN])
def test_other_kinds_are_the_same_law_too(kind):
    """Kinds that no card uses yet obey both laws alike."""
    parameter = Parameter(name="x", kind=kind, description="", items=None)
    schema = Schema(parameters=(parameter,))
    validator = jsonschema.Draft202012Validator(schema.to_json_schema())
    for value in (None, True, 1, 1.5, "a", [], [1], {}, {"a": 1}):
        assert outcome(schema, {"x": value}) == validator.is_valid({"x": value}), value


def test_items_and_patterns_are_exported():
    """A typed list and a pattern are said in JSON Schema."""
    schema = Parameter(
        name="x", kind=Kind.LIST, description="d", items=Kind.NUMBER, default=UNSET
    ).to_json_schema()
    assert schema == {"type": "array", "description": "d", "items": {"type": "number"}}
