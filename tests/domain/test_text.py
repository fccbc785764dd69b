"""The border for text: what is let in, what is kept, and what a terminal may see."""

import json

import pytest

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.text import (
    decode_text,
    escape_control_characters,
    find_text_flaw,
    make_data_storable,
    make_storable,
    to_json,
)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_text_of_every_unicode_encoding_is_read(encoding):
    """A byte order mark says the encoding and is no content."""
    words = "ein rötlicher Kreis → 右 \N{LARGE RED CIRCLE}"
    content = words.encode(encoding)
    if encoding in {"utf-16-le", "utf-16-be"}:
        content = "\ufeff".encode(encoding) + content
    assert decode_text(content, "words.txt") == words


@pytest.mark.parametrize(
    ("content", "guess"),
    [(b"caf\xe9 au lait", "Latin-1"), ("a röd".encode("utf-16-le"), "UTF-16 without")],
)
def test_bytes_of_another_encoding_are_refused_as_what_they_are(content, guess):
    """The error names the file, the place and what it may be."""
    with pytest.raises(ValidationError, match=rf"words\.txt is not UTF-8.*{guess}") as caught:
        decode_text(content, "words.txt")
    assert caught.value.code == "not_utf8"


def test_half_a_character_is_found_wherever_it_is():
    """Both kinds: of a byte that was no UTF-8, and of a cut pair."""
    assert "place 3 (U+DCE9)" in str(find_text_flaw("caf\udce9"))
    assert "place 0 (U+D83D)" in str(find_text_flaw("\ud83d!"))
    assert find_text_flaw("whole \N{LARGE RED CIRCLE}") is None


def test_what_is_kept_has_a_form_in_utf8_and_json():
    """A half and NUL become escapes; NaN has no form; keys are texts as well."""
    assert make_storable("caf\udce9\0") == "caf\\udce9\\x00"
    plain = make_data_storable({"\ud83d": [float("nan"), ("x", 1.5)], 3: {"a"}})
    assert plain == {"\\ud83d": [None, ["x", 1.5]], "3": ["a"]}


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("50 %\r100 %", "50 %\\x0d100 %"),
        ("\a\x9b2J", "\\x07\\x9b2J"),
        ("gpj\u202egnp.exe", "gpj\\u202egnp.exe"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_no_terminal_obeys_what_is_shown(given, seen):
    """Escape sequences, carriage returns, bells, C1 codes and turned text are written out."""
    assert escape_control_characters(given) == seen


def test_lines_tabs_and_joined_emoji_are_content():
    """What people write stays as it is."""
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\n\tsecond line, \u0645\u0631\u062d\u0628\u0627"
    assert escape_control_characters(family) == family


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_is_one_document_without_control_codes(ascii_only):
    """Parsed again it is the same, but for what UTF-8 cannot hold."""
    given = {"prompt": "\x1b[2J \x9b \u202e 右", "half": "\ud83d"}
    text = to_json(given, ascii_only=ascii_only)
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\ud83d"}
    assert json.loads(text) == {"prompt": given["prompt"], "half": "\\ud83d"}
    assert text.isascii() is ascii_only
