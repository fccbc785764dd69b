"""The argument ``loras``: a list of objects, checked to the last field."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.settings import LORAS
from tiomagic_domain.schema.parameter import Rejected

MINIMAL = {"source": "owner/name"}
FULL = {
    "source": "style.safetensors",
    "weight_name": "a.safetensors",
    "scale": 0.5,
    "component": "transformer_2",
    "revision": "abc",
    "sha256": "0" * 64,
}


def test_what_is_left_out_is_filled_in() -> None:
    """A source is enough: the rest is as it was trained, on the first transformer."""
    checked = LORAS.check([MINIMAL])
    assert checked == [{"source": "owner/name", "scale": 1.0, "component": "transformer"}]
    assert Lora.from_arguments(checked) == [Lora(source="owner/name")]  # type: ignore[arg-type]


def test_everything_that_is_given_arrives() -> None:
    """Each field of the argument is one of the LoRA, there and back."""
    (lora,) = Lora.from_arguments(LORAS.check([FULL]))  # type: ignore[arg-type]
    assert lora.to_dict() == FULL


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("style.safetensors", "must be a list"),
        (["style.safetensors"], "must be a dict"),
        ([{}], "has no 'source'"),
        ([{**MINIMAL, "weight": 1}], "has no field 'weight'; fields: source, weight_name, scale"),
        ([{**MINIMAL, "scale": 5}], "'scale' that .* between -4"),
        ([{**MINIMAL, "scale": "1"}], "'scale' that must be a number, not the text"),
        ([{**MINIMAL, "weight_name": "a.bin"}], "must be the name of a .safetensors file"),
        ([{**MINIMAL, "component": "unet"}], "must be one of 'transformer'"),
        ([{**MINIMAL, "sha256": "0" * 63}], "64 hexadecimal digits"),
        ([{"source": "  "}], "not an empty text"),
    ],
)
def test_what_is_wrong_is_named(entries: object, words: str) -> None:
    """The field is named with what it wants, and machines refuse the same by the JSON Schema."""
    with pytest.raises(Rejected) as caught:
        LORAS.check(entries)
    assert re.search(words, caught.value.message)
    assert not Draft202012Validator(LORAS.to_json_schema()).is_valid(entries)


def test_machines_and_people_are_told_the_fields() -> None:
    """What is legal for one is legal for the other, and the documented entry has the classes."""
    validator = Draft202012Validator(LORAS.to_json_schema())
    assert validator.is_valid([MINIMAL, FULL])
    json.dumps(LORAS.to_json_schema())
    fields = LORAS.to_dict()["fields"]
    assert isinstance(fields, dict)
    assert fields["scale"]["type"] is float
    assert set(fields) == set(FULL)


@pytest.mark.parametrize(
    ("source", "is_file", "label"),
    [
        ("/home/me/style.safetensors", True, "style.safetensors"),
        ("owner/name", False, "owner/name:x.safetensors"),
    ],
)
def test_a_name_has_no_folder(source: str, is_file: bool, label: str) -> None:
    """Where a file lies is nobody else's business; which file of a repository is."""
    lora = Lora(source=source, weight_name=None if is_file else "x.safetensors")
    assert (lora.is_file, lora.label) == (is_file, label)
    pinned = lora.pinned(sha256="0" * 64, revision=None)
    assert pinned.source == (label if is_file else source)
