"""One parameter: what it takes, what it refuses, and what it proposes instead."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter, Rejected, describe_range

FRAMES = Parameter(
    name="num_frames",
    kind=Kind.INTEGER,
    description="Length.",
    minimum=5,
    maximum=161,
    multiple_of=4,
    offset=1,
    unit="frames",
    source="a test",
    default=81,
)
SCALE = Parameter(
    name="guidance_scale", kind=Kind.NUMBER, description="Strength.", minimum=1.0, maximum=20.0
)
HUGE = 10**5000
"""A whole number that Python refuses to write out."""


def plain(kind, **limits):
    return Parameter(name="x", kind=kind, description="", **limits)


def refused(parameter, value):
    with pytest.raises(Rejected) as caught:
        parameter.check(value)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        (Kind.INTEGER, 81, 81),
        (Kind.INTEGER, 81.0, 81),
        (Kind.NUMBER, 5, 5.0),
        (Kind.NUMBER, -0.0, 0.0),
        (Kind.STRING, "", ""),
        (Kind.BOOLEAN, False, False),
        (Kind.LIST, (1, "a"), [1, "a"]),
        (Kind.OBJECT, {"a": 1}, {"a": 1}),
        (Kind.IMAGE, "fox.png", "fox.png"),
        (Kind.IMAGE, b"bytes", b"bytes"),
        (Kind.VIDEO, {"sha256": "ab"}, {"sha256": "ab"}),
    ],
)
def test_what_is_meant_is_taken_in_its_plain_form(kind, given_value, expected):
    """A whole float is an int and an int is a float, each in the type that the kind promises."""
    checked = plain(kind).check(given_value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (Kind.INTEGER, True, "bool"),
        (Kind.INTEGER, None, "None"),
        (Kind.INTEGER, "81", "text"),
        (Kind.INTEGER, 81.5, "whole number"),
        (Kind.INTEGER, math.nan, "nan"),
        (Kind.INTEGER, math.inf, "inf"),
        (Kind.INTEGER, [81], "list"),
        (Kind.NUMBER, False, "bool"),
        (Kind.NUMBER, "5.0", "text"),
        (Kind.NUMBER, math.nan, "nan"),
        (Kind.NUMBER, -math.inf, "inf"),
        (Kind.NUMBER, 1j, "complex"),
        (Kind.STRING, 5, "int"),
        (Kind.STRING, None, "None"),
        (Kind.STRING, b"a", "bytes"),
        (Kind.BOOLEAN, 1, "True or False"),
        (Kind.BOOLEAN, "yes", "True or False"),
        (Kind.LIST, "abc", "list"),
        (Kind.LIST, {"a": 1}, "list"),
        (Kind.OBJECT, [1], "dict"),
        (Kind.OBJECT, {1: 2}, "text keys"),
        (Kind.IMAGE, "", "empty text"),
        (Kind.IMAGE, "\t\n", "empty text"),
        (Kind.IMAGE, None, "None"),
        (Kind.IMAGE, 5, "int"),
        (Kind.IMAGE, ["a.png"], "list"),
        (Kind.VIDEO, {}, "sha256"),
        (Kind.VIDEO, {"sha256": 1}, "sha256"),
    ],
)
def test_what_is_not_meant_is_refused(kind, wrong, words):
    """Each kind refuses what it is not, and says what it was given."""
    assert words in refused(plain(kind), wrong).message


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        (80, 81),
        (79, 77),
        (81.5, 81),
        (83, 81),
        (84, 85),
        (-3, 5),
        (0, 5),
        (6, 5),
        (162, 161),
        (10**30, 161),
        (1e308, 161),
        pytest.param(HUGE, 161, id="huge"),
        pytest.param(-HUGE, 5, id="minus huge"),
    ],
)
def test_a_length_proposes_the_nearest_legal_one(value, nearest):
    """Of two lengths that are equally near the shorter is proposed: it costs less."""
    rejected = refused(FRAMES, value)
    assert rejected.nearest == nearest
    assert str(nearest) in rejected.message


def test_the_message_is_for_an_animator():
    """The text says what is legal in words, what was given, and what would do."""
    assert (
        refused(FRAMES, 80).message
        == "must be of the form 4k+1 between 5 and 161, not 80; nearest: 81"
    )


def test_a_huge_number_is_named_and_not_written_out():
    """A number of five thousand digits is refused like any other."""
    for parameter in (FRAMES, SCALE, plain(Kind.LIST), plain(Kind.STRING), plain(Kind.BOOLEAN)):
        problem = parameter.problem(HUGE)
        assert problem is not None
        assert len(problem.message) < 200
        assert len(problem.given) < 100


def test_a_whole_number_that_no_float_holds_is_refused():
    """An unbounded number is bounded by what a float can say."""
    assert "float" in refused(plain(Kind.NUMBER), 10**400).message


def test_choices_propose_the_one_that_resembles():
    """A word that is almost a choice is told the choice; a number, the next number."""
    memory = plain(Kind.STRING, choices=("auto", "resident", "model_offload"))
    rejected = refused(memory, "modeloffload")
    assert rejected.nearest == "model_offload"
    assert "'auto', 'resident', 'model_offload'" in rejected.message
    assert refused(memory, "zzz").nearest is None
    rate = plain(Kind.INTEGER, choices=(8, 16, 24))
    assert rate.check(16.0) == 16
    assert refused(rate, 22).nearest == 24


def test_items_of_a_list_are_checked():
    """Each item of a typed list has its kind, and the problem says that it was an item."""
    numbers = plain(Kind.LIST, items=Kind.NUMBER)
    assert numbers.check([1, 2.5]) == [1.0, 2.5]
    assert "has an item that must be a number" in refused(numbers, [1, "a"]).message


def test_a_pattern_says_what_it_wants():
    """What a pattern refuses is told in words and not as the pattern."""
    code = plain(Kind.STRING, pattern="^[a-z]+$", pattern_hint="must be one small word")
    assert code.check("fox") == "fox"
    assert refused(code, "Fox 7").message == "must be one small word"


def test_problem_is_the_same_as_check():
    """``problem`` tells what ``check`` would refuse, and nothing otherwise."""
    assert FRAMES.problem(81) is None
    problem = FRAMES.problem(80)
    assert problem is not None
    assert (problem.field, problem.given, problem.nearest) == ("num_frames", "80", 81)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, "a number"),
        ({"minimum": 1}, "a number of at least 1"),
        ({"maximum": 9}, "a number of at most 9"),
        ({"minimum": 16, "maximum": 64, "multiple_of": 16}, "a multiple of 16 between 16 and 64"),
        ({"minimum": 64, "maximum": 64, "multiple_of": 16}, "64"),
    ],
)
def test_limits_are_told_in_words(limits, words):
    """The legal numbers are described as a person would."""
    assert describe_range(plain(Kind.INTEGER, **limits)) == words


def test_a_parameter_that_nothing_satisfies_cannot_be_made():
    """A mistake in a card shows when it is written, not when somebody calls."""
    with pytest.raises(ValueError, match="no value is legal"):
        plain(Kind.INTEGER, minimum=17, maximum=31, multiple_of=16)
    with pytest.raises(ValueError, match="an offset needs"):
        plain(Kind.INTEGER, minimum=5, multiple_of=4, offset=1)
    with pytest.raises(ValueError, match="no list of legal values"):
        plain(Kind.INTEGER, minimum=1).legal_values()


def test_legal_values_start_at_the_first_legal_one():
    """A minimum that is itself not legal is not in the list."""
    parameter = plain(Kind.INTEGER, minimum=6, maximum=15, multiple_of=4, offset=1)
    assert parameter.legal_values() == [9, 13]


@st.composite
def stepped_parameters(draw):
    step = draw(st.integers(1, 40))
    offset = draw(st.integers(0, step - 1))
    low = draw(st.integers(-100, 100))
    high = draw(st.integers(low + step, low + 400))
    return plain(Kind.INTEGER, minimum=low, maximum=high, multiple_of=step, offset=offset)


@given(stepped_parameters(), st.integers(-600, 600) | st.floats(-600, 600))
def test_no_legal_value_is_nearer_than_the_nearest(parameter, value):
    """The proposal is legal, and no legal value is nearer; of two it is the lower one."""
    legal = [
        candidate
        for candidate in range(-200, 700)
        if parameter.minimum <= candidate <= parameter.maximum
        and (candidate - parameter.offset) % parameter.multiple_of == 0
    ]
    assert parameter.legal_values() == legal
    nearest = parameter.nearest(value)
    assert nearest in legal
    clamped = min(max(value, parameter.minimum), parameter.maximum)
    assert nearest == min(legal, key=lambda c: (abs(c - clamped), c))
    assert parameter.check(nearest) == nearest


@given(
    st.integers(-50, 50),
    st.integers(0, 100),
    st.integers(-500, 500) | st.floats(-500, 500),
    st.sampled_from([Kind.INTEGER, Kind.NUMBER]),
)
def test_the_nearest_without_steps_is_legal_too(low, span, value, kind):
    """Limits alone clamp; whole numbers are whole and halves go down."""
    parameter = plain(kind, minimum=low, maximum=low + span)
    nearest = parameter.nearest(value)
    parameter.check(nearest)
    clamped = min(max(value, low), low + span)
    assert abs(nearest - clamped) <= (0.5 if kind is Kind.INTEGER else 0)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_documented_entry_has_the_class_itself(kind):
    """``type`` is a Python class of the documented ones; absent facts are absent keys."""
    entry = plain(kind).to_dict()
    assert entry == {"type": entry["type"], "description": ""}
    assert entry["type"] in {str, int, float, bool, list, dict}


def test_the_documented_entry_tells_the_limits():
    """What is known of a parameter is in its entry."""
    assert FRAMES.to_dict() == {
        "type": int,
        "description": "Length.",
        "default": 81,
        "minimum": 5,
        "maximum": 161,
        "multiple_of": 4,
        "offset": 1,
        "unit": "frames",
        "source": "a test",
    }
    assert plain(Kind.STRING, choices=("a",)).to_dict()["choices"] == ["a"]
    assert plain(Kind.STRING).default is UNSET
