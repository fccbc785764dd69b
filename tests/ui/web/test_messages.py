"""What a browser sends becomes plain, bounded data, or is refused."""

import json
from typing import Any

import pytest

from tiomagic.ui.web.messages import InvalidMessageError, is_file, parse_bounded_json, read_call


def call(data: object = (), **more: Any) -> bytes:
    """What a page sends when somebody does something."""
    sent = {"data": data, "fn_index": 3, "session_hash": "abc", **more}
    return json.dumps(sent).encode()


def test_a_call_keeps_what_gradio_needs() -> None:
    """Text, numbers, switches and lists stay; what the page never sends is taken out."""
    entries = ["a fox", 7, 0.5, True, None, ["a", 1]]
    found = read_call(
        call(entries, event_data={"action": "show", "_data": 1, "deep": {}}, batched=True)
    )
    assert found == {
        "data": entries,
        "fn_index": 3,
        "session_hash": "abc",
        "event_data": {"action": "show"},
    }


def test_a_file_is_its_id_alone() -> None:
    """No address, no kind and no other field of a file gets through."""
    sent = {
        "path": "upload/1/a.png",
        "url": "http://127.0.0.1:9/secret",
        "is_stream": True,
        "meta": {"_type": "gradio.FileData"},
    }
    assert read_call(call([sent]))["data"] == [{"path": "upload/1/a.png"}]
    assert is_file({"path": "a"})
    assert not any(is_file(value) for value in ("a", None, {}, {"path": "a", "url": "b"}, ["a"]))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"path": None},
        {"path": ["a"]},
        {"path": {"path": "a"}},
        {"__type__": "update", "value": 1},
        [{"path": "a"}],
        [["a"]],
    ],
)
def test_no_other_object_is_an_entry(entry: object) -> None:
    """A form holds texts, numbers and files; what Gradio would read otherwise is refused."""
    with pytest.raises(InvalidMessageError):
        read_call(call([entry]))


@pytest.mark.parametrize("number", [None, "0", 1.5, True, -1, 10**9, [0], {}])
def test_the_number_of_a_function_is_one(number: object) -> None:
    """Gradio looks things up with it."""
    with pytest.raises(InvalidMessageError, match="fn_index"):
        read_call(call(fn_index=number))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"null", b"[]", b'"a"', b"7", b"{}", b'{"data": {}}', b"\xff\xfe{\x00}\x00"),
        *(b'{"data": [NaN]}', b'{"data": [Infinity]}', b'{"data": [1e999]}', b'{"data": [-1e999]}'),
        b'{"data": [%s]}' % (b"9" * 5000),
        b"[" * 100_000 + b"]" * 100_000,
        b'{"data": %s1%s, "fn_index": 1}' % (b"[" * 20, b"]" * 20),
        b'{"data": [%s0], "fn_index": 1}' % (b"0," * 10_000),
        b'{"data": ["\xff"], "fn_index": 1}',
        b'{"data": ["%s"], "fn_index": 1}' % (b"a" * (3 * 2**20)),
    ],
)
def test_what_is_no_call_is_refused(body: bytes) -> None:
    """No JSON, no call, no number, too deep, too wide, too large, and no text."""
    with pytest.raises(InvalidMessageError):
        read_call(body)


def test_half_characters_and_control_codes_are_replaced() -> None:
    """In values and in names, at every depth; whole emoji and lines stay."""
    found = parse_bounded_json(
        '{"a\\ud83d": ["\\udc00x", "ok \\ud83d\\ude00\\n\\t", "\\u0000\\u001b[2J\\u009b"]}'
    )
    assert found == {"a\ufffd": ["\ufffdx", "ok 😀\n\t", "\ufffd\ufffd[2J\ufffd"]}
    json.dumps(found, ensure_ascii=False).encode("utf-8")


def test_a_large_number_is_what_a_browser_makes_of_it() -> None:
    """Whole numbers stay exact as far as a browser knows them, and never grow without end."""
    assert parse_bounded_json("[4294967295, -12, 100000000000000000000, 1e300]") == [
        4294967295,
        -12,
        1e20,
        1e300,
    ]
    assert isinstance(parse_bounded_json("[123456789012345678]")[0], float)
