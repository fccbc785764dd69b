"""Every error code is a member of one list, which the documentation shows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources import find_sources, nodes_of, read_sources

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError, TioMagicError, ValidationError

ROOT = Path(__file__).parents[2]
FIELDS = {"code", "error_code"}


def find_own_sources() -> list[Path]:
    """Return the modules but for the fakes, which have words of their own, as plug-ins may."""
    return [path for path in read_sources() if "testing" not in path.parts]


def test_a_code_is_the_text_that_was_always_stored() -> None:
    """Databases and other programs know these words: they stay, as plain text."""
    error = GenerationError("it broke", code=ErrorCode.OUT_OF_MEMORY)
    assert error.code == "out_of_memory"
    assert type(error.code) is str
    assert error.to_dict()["code"] == "out_of_memory"
    assert ValidationError("no").code == "invalid_input"


def test_a_package_may_have_a_word_of_its_own() -> None:
    """A provider of another package names what only it knows."""
    assert TioMagicError("no", code="out_of_credits").code == "out_of_credits"


def test_every_code_says_what_it_means() -> None:
    """A member is its word in capitals, and has a sentence without an end."""
    for code in ErrorCode:
        assert code.name == code.value.upper()
        assert re.fullmatch(r"\S.{8,70}[^.\s]", code.meaning), code


def test_the_page_lists_exactly_the_codes() -> None:
    """The table at the end of the page on errors has a row for each, with the same words."""
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    table = page.partition("## All codes")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(code.value, code.meaning) for code in ErrorCode]


def test_every_code_is_used() -> None:
    """A word that nothing says any more is removed before it is released, and kept after."""
    text = "".join(read_sources()[path] for path in find_own_sources())
    assert [code for code in ErrorCode if f"ErrorCode.{code.name}" not in text] == []


def parameters_with_codes() -> dict[str, int]:
    """Return the functions and classes that take a code by position, and its place."""
    found = {}
    for path in find_own_sources():
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef):
                names = [each.arg for each in node.args.args]
            elif isinstance(node, ast.ClassDef) and node.decorator_list:  # A dataclass.
                fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
                names = [ast.unparse(each.target) for each in fields]
            else:
                continue
            for place, name in enumerate(names):
                if name in FIELDS:
                    found[node.name] = place
    return found


def places_of_codes(tree: ast.AST, by_position: dict[str, int]) -> Iterator[ast.expr]:
    """Yield the expressions of a module that give, default or compare a code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in FIELDS:
            yield node.value
        elif isinstance(node, ast.Call):
            place = by_position.get(getattr(node.func, "id", ""), len(node.args))
            yield from node.args[place : place + 1]
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in FIELDS:
            if node.value is not None:
                yield node.value
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(each, ast.Attribute) and each.attr in FIELDS for each in sides):
                yield from sides


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("f(code='lost')", 1),
        ("make('text', 'lost')", 1),
        ("error.code == 'lost'", 1),
        ("code: str = 'lost'", 1),
        ("f(code='lost' if late else ErrorCode.LOST)", 1),
        ("f(code=ErrorCode.LOST)", 0),
        ("make('text', ErrorCode.LOST)", 0),
    ],
)
def test_the_check_finds_a_typed_word(source: str, count: int) -> None:
    """The test below would see each way to write a code."""
    assert len(list(typed_words(ast.parse(source), {"make": 1}))) == count


def typed_words(tree: ast.AST, by_position: dict[str, int]) -> Iterator[ast.Constant]:
    """Yield the texts that stand where a code belongs."""
    for place in places_of_codes(tree, by_position):
        for node in [place, *([place.body, place.orelse] if isinstance(place, ast.IfExp) else [])]:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node


def test_no_code_is_typed_by_hand() -> None:
    """A word with a mistake in it would be stored, and nothing would ever match it."""
    by_position = parameters_with_codes()
    assert {"report_failure": 1, "ErrorMapping": 2}.items() <= by_position.items()
    typed = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for path in find_own_sources()
        for node in typed_words(find_sources()[path], by_position)
    ]
    assert typed == []
