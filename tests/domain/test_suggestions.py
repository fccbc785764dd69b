"""Did-you-mean, and values in error texts."""

import pytest

from tiomagic_domain.suggestions import closest, did_you_mean, list_names, shorten_repr


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("num_steps", "num_inference_steps"),
        ("PROMPT", "prompt"),
        ("negativ_prompt", "negative_prompt"),
        ("xyz", None),
        (7, None),
    ],
)
def test_the_name_that_was_meant_is_found(given, meant):
    """A slip of a few letters or of the case finds the name; nonsense finds none."""
    known = ["num_inference_steps", "prompt", "negative_prompt", "seed"]
    assert closest(given, known) == meant
    assert did_you_mean(given, known) == (f" Did you mean {meant!r}?" if meant else "")


def test_names_are_listed_in_order():
    """Lists in messages are sorted and quoted, and an empty one is said."""
    assert list_names(["b", "a"]) == "'a', 'b'"
    assert list_names([]) == "none"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        pytest.param(b"\x00" * 5_000_000, "5,000,000 bytes", id="picture"),
        (bytearray(3), "3 bytes"),
        pytest.param(10**5000, "int that is too long to be shown", id="huge"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_is_told_briefly(value, text):
    """What was given is shown, and what is too long for a sentence is not."""
    assert shorten_repr(value) == text


def test_a_long_text_is_cut():
    """A text is cut to the limit and marked."""
    told = shorten_repr("a" * 10_000)
    assert len(told) == 80
    assert told.endswith("…")
