"""Documents that anybody may have written."""

import json

import pytest

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.files import json_documents
from tiomagic_domain.files.json_documents import MAX_NESTING_DEPTH, read_json
from tiomagic_domain.jobs.recipe import read_recipe

RECIPE = {
    "tiomagic_recipe": 1,
    "feature": "text_to_video",
    "model": "doodle",
    "provider": "local",
    "required_args": {"prompt": "a fox"},
    "optional_args": {"seed": 5},
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_is_read_as_it_was_saved(encoding):
    """Editors of Windows put a mark before it, or use UTF-16."""
    assert read_json(json.dumps(RECIPE).encode(encoding), "r.json") == RECIPE
    assert read_json("\ufeff[1]", "r.json") == [1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested more than"),
        ('{"a":' * 2000 + "1" + "}" * 2000, "nested more than"),
        ("9" * 6000, "a number of 6000 characters"),
        ("-1" + "0" * 6000 + ".0", "characters"),
        ("1e999", "more than a number can be"),
        ("[NaN]", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ('"' + "x" * 1000 + '"', "has 1,002 bytes"),
        ("{", "is no JSON"),
        ("", "is no JSON"),
        ('"\\x"', "is no JSON"),
    ],
)
def test_what_is_too_much_is_refused_with_the_reason(text, why):
    """Each is an error of ours, in a moment, and never one of Python's reader."""
    longest = 1001 if text.startswith('"x') else 2**20
    with pytest.raises(ValidationError, match=why) as caught:
        read_json(text, "r.json", longest=longest)
    assert caught.value.code == "not_json"


@pytest.mark.parametrize(
    "text", ['["a", "b", {}]', "[1,1,1,1,1,1]", "[[],[],[]]", '"a""b""c""d""e""f"']
)
def test_a_document_of_many_parts_is_refused_before_it_is_read(text):
    """Each part is an object of Python's, which takes far more memory than its text."""
    with pytest.raises(ValidationError, match="more than 5 texts, brackets and commas"):
        read_json(text, "r.json", most_parts=5)


@pytest.mark.parametrize("end", ["", '"', "\\", '"]'])
def test_a_long_text_is_passed_once(end):
    """Also one of nothing but marks with a backslash, with an end or without."""
    text = '["' + '\\"' * 1_000_000 + end
    assert len(list(json_documents._PARTS.finditer(text))) <= 4


def test_brackets_in_texts_are_no_brackets():
    """What a prompt has of them does not count, nor do as many as are allowed."""
    assert read_json(json.dumps(["[" * 100 + '\\"{']), "r.json") == ["[" * 100 + '\\"{']
    nested = "[" * MAX_NESTING_DEPTH + "]" * MAX_NESTING_DEPTH
    assert json.dumps(read_json(nested, "r.json")) == nested


@pytest.mark.parametrize(
    "changed",
    [
        {"versions": ["torch"]},
        {"facts": "x"},
        {"job_id": 5},
        {"created": {}},
        {"model": "m" * 5000},
        {"required_args": [1]},
        {"optional_args": {f"a{n}": n for n in range(1000)}},
        {"feature": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_recipe_whose_parts_are_something_else_is_refused(changed):
    """By the name of the part, before anything looks into it."""
    with pytest.raises(ValidationError, match=f"usable '{next(iter(changed))}'"):
        read_recipe({**RECIPE, **changed})


def test_a_format_that_is_a_whole_file_is_not_repeated():
    """The error stays readable."""
    with pytest.raises(ValidationError) as caught:
        read_recipe({**RECIPE, "tiomagic_recipe": "x" * 10_000})
    assert len(caught.value.message) < 300
