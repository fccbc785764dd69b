"""What people pass for a number, a text or a list: the values of libraries, enumerations, paths."""

from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from tiomagic_domain.catalogue.settings import LORAS
from tiomagic_domain.schema.parameter import Kind, Parameter, Rejected
from tiomagic_domain.usecases.batches import digest_of


class Size(IntEnum):
    SMALL = 640


class Steps(Enum):
    FEW = 4


class Sampler(str, Enum):  # noqa: UP042 - its str() is its name, which is the point
    EULER = "euler"


class Way(StrEnum):
    FAST = "fast"


def parameter(kind, **more):
    return Parameter(name="p", kind=kind, description="", **more)


@pytest.mark.parametrize(
    "given",
    [
        *(np.int64(640), np.uint16(640), np.float32(640), np.array(640), np.float64(640.0)),
        *(Decimal(640), Decimal("640.00"), Fraction(1280, 2), Size.SMALL),
    ],
    ids=repr,
)
def test_a_whole_number_of_any_library_is_one(given):
    """The plain int of Python comes out, which JSON and every engine take."""
    checked = parameter(Kind.INTEGER, minimum=1, maximum=1280).check(given)
    assert (type(checked), checked) == (int, 640)


@pytest.mark.parametrize(
    "given", [np.float32(2.5), np.float16(2.5), Decimal("2.5"), Fraction(5, 2)]
)
def test_a_number_of_any_library_is_a_float(given):
    """All of them hold two and a half exactly."""
    checked = parameter(Kind.NUMBER).check(given)
    assert (type(checked), checked) == (float, 2.5)


@pytest.mark.parametrize(
    "given",
    [
        *("640", b"640", True, np.bool_(True), np.str_("640"), 640j),
        *(np.array([640]), np.array([1, 2])),
        *(Decimal("NaN"), Decimal("Infinity"), np.float32("nan")),
        *(np.complex64(1), np.datetime64("2026-01-01"), None, object()),
    ],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER])
def test_what_is_no_number_is_refused(kind, given):
    """Texts, truth values, arrays with axes, complex numbers, and what is not finite."""
    with pytest.raises(Rejected, match="must be a"):
        parameter(kind).check(given)


def test_a_truth_value_of_a_library_is_one():
    """And a number still is none."""
    assert parameter(Kind.BOOLEAN).check(np.bool_(True)) is True
    assert parameter(Kind.BOOLEAN).check(np.array(False)) is False
    with pytest.raises(Rejected):
        parameter(Kind.BOOLEAN).check(np.int64(1))


@pytest.mark.parametrize("given", [np.str_("euler"), Sampler.EULER, np.array("euler")])
def test_a_text_of_any_library_is_one(given):
    """The value of an enumeration, and never its name."""
    checked = parameter(Kind.STRING, choices=("euler",)).check(given)
    assert (type(checked), checked) == (str, "euler")


def test_the_value_of_a_member_counts():
    """Of any enumeration."""
    assert parameter(Kind.INTEGER).check(Steps.FEW) == 4
    assert parameter(Kind.STRING, choices=("fast",)).check(Way.FAST) == "fast"


@pytest.mark.parametrize("given", [(1, 2), range(1, 3), np.array([1, 2])])
def test_what_stands_for_a_list_is_one(given):
    """Tuples, ranges, arrays; a text and a set are none."""
    assert parameter(Kind.LIST, items=Kind.INTEGER).check(given) == [1, 2]
    for other in ("12", {1, 2}, np.int64(1)):
        with pytest.raises(Rejected, match="must be a list"):
            parameter(Kind.LIST, items=Kind.INTEGER).check(other)


def test_data_without_a_schema_becomes_plain():
    """Whatever is in a free object has a form in JSON, or is refused by name."""
    given = MappingProxyType({"a": np.int64(1), "b": (Path("x"), Way.FAST), "c": {"d": None}})
    checked = parameter(Kind.OBJECT).check(given)
    assert checked == {"a": 1, "b": ["x", "fast"], "c": {"d": None}}
    for wrong in ({"a": object()}, {"a": float("nan")}, {"a": {"b": "\ud83d"}}, {"a": [{1: 2}]}):
        with pytest.raises(Rejected):
            parameter(Kind.OBJECT).check(wrong)


def test_a_path_is_taken_where_a_path_may_be():
    """The source of a LoRA may be a file; a prompt is never the name of one."""
    (lora,) = LORAS.check([{"source": Path("style.safetensors")}])
    assert lora["source"] == "style.safetensors"
    with pytest.raises(Rejected, match="must be text"):
        parameter(Kind.STRING).check(Path("words.txt"))


@pytest.mark.parametrize("kind", [Kind.STRING, Kind.LIST, Kind.OBJECT])
def test_half_a_character_is_refused_at_any_depth(kind):
    """Before anything is stored; the message says where it is."""
    half = "a \ud83d"
    given = {Kind.STRING: half, Kind.LIST: [["x", half]], Kind.OBJECT: {"x": [half]}}[kind]
    with pytest.raises(Rejected, match=r"half of a character at place 2 \(U\+D83D\)"):
        parameter(kind).check(given)


def test_a_batch_is_found_again_by_numbers_of_any_library():
    """The digest is of the value, whoever holds it."""
    assert digest_of({"seed": np.int64(5)}) == digest_of({"seed": 5})
