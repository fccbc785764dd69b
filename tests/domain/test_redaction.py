"""Secrets in texts and data: known ones in every spelling, others by where they stand."""

import base64
import json

import pytest

from tiomagic_domain.errors import Problem, ProcessingError, ValidationError
from tiomagic_domain.redaction import redact, redact_data

SECRET = "s3cr3t/Wert+42 ü"
"""Has what each spelling writes in its own way."""


@pytest.mark.parametrize(
    "text",
    [
        "https://bob:NOTFOROTHERS@example.org/a.png",
        "https://NOTFOROTHERS@example.org/a.png",
        "https://example.org/a.png?X-Amz-Signature=NOTFOROTHERS&X-Amz-Date=2026",
        "https://example.org/a.png?sv=1&sr=b&sig=NOTFOROTHERS%2Fx",
        "https://example.org/a.png?NOTFOROTHERS",
        "https://example.org/a.png?sv=1&sr=b&NOTFOROTHERS",
        "there is no '/films/https:/bob:NOTFOROTHERS@example.org/a.safetensors'",
        "there is no '/films/s3:/NOTFOROTHERS@bucket/a.safetensors'",
        "//bob:NOTFOROTHERS@example.org/a.png",
        "https://example.org/#access_token=NOTFOROTHERS",
        "postgresql+psycopg://u:NOT/FOROTHERS@db/jobs",
        "postgresql://db/jobs?user=u&password=NOTFOROTHERS&sslmode=require",
        "Authorization: Bearer NOTFOROTHERS",
        "{'authorization': 'Basic Tk9URk9ST1RIRVJTOng='}",
        'headers={"x-api-key": "NOTFOROTHERS"}',
        "Cookie: session=NOTFOROTHERS; other=NOTFOROTHERS",
        "bearer NOTFOROTHERS",
        "MODAL_TOKEN_SECRET=NOTFOROTHERS",
        "password='NOTFOROTHERS'",
        "token 'hf_NOTFOROTHERS' is refused",
        "as-NOTFOROTHERS12",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text):
    """In addresses, headers, assignments and dicts, and by the form of a token."""
    hidden = redact(text)
    assert "***" in hidden
    assert "FOROTHERS" not in hidden
    assert "Tk9URk9S" not in hidden


@pytest.mark.parametrize(
    "text",
    [
        "num_inference_steps: must be a whole number between 1 and 200, not 0",
        "the prompt has 300 tokens; 226 are read",
        "set HF_TOKEN: see https://huggingface.co/settings/tokens",
        "tm.configure(hf_token=…), or hf_token=<yours>",
        "there is no file 'basic shapes.png'. Did you mean 'token.png'?",
        "http://127.0.0.1:7860/page@2x.png cannot be fetched",
        "there is no /srv/me@work/a.png in C:/me@work, nor in file:///srv/a@b.png",
        "sqlite:////srv/what is this?/jobs.db",
        "the secret of a good prompt",
        "idempotency_key=5",
    ],
)
def test_plain_words_stay(text):
    """An error has to be readable."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        "s3cr3t%2FWert%2B42%20%C3%BC",
        "s3cr3t%2fWert%2b42%20%c3%bc",
        "s3cr3t%2FWert%2B42+%C3%BC",
        json.dumps(SECRET),
        "s3cr3t/We\n  rt+42 ü",
        "s3cr3t/W│\n│ ert+42 ü",
        SECRET.encode().hex(),
    ],
)
def test_a_known_secret_is_found_in_every_spelling(spelled):
    """Given raw or as its address has it, it is the same secret."""
    for known in (SECRET, "s3cr3t%2FWert%2B42%20%C3%BC"):
        hidden = redact(f"the server said {spelled} to that", {known})
        assert hidden.startswith("the server said "), hidden
        assert hidden.endswith(" to that")
        assert "***" in hidden
        assert "3cr3t" not in hidden
        assert "ert" not in hidden.removeprefix("the server")


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_known_secret_is_found_in_base64(before, encode):
    """Wherever it begins among the bytes that were encoded; a bit at its edges may stay."""
    secret = SECRET.encode()
    text = encode(before.encode() + secret + b" and more").decode()
    hidden = redact(text, {SECRET})
    gone = len(text) - len(hidden.replace("***", ""))
    assert gone >= len(secret) * 8 // 6 - 2


def test_a_short_word_is_no_known_secret():
    """One of three letters is a part of half of all words."""
    assert redact("the cat sat", {"at", ""}) == "the cat sat"


def test_data_is_looked_through():
    """Texts at any depth, and the value of a name that says what it is; other values stay."""
    given = {"a": ["Bearer abcdef", 3, None], "token_id": "plain", "tokens": "226", "deep": ("x",)}
    hidden = {"a": ["Bearer ***", 3, None], "token_id": "***", "tokens": "226", "deep": ("x",)}
    assert redact_data(given) == hidden


def test_an_error_hides_what_it_is_made_of():
    """Message, details and the problems of a validation, also what is added to the details."""
    address = "https://example.org/a.png?sig=NOTFOROTHERS"
    problem = Problem(field="image", message=f"{address} is no picture", given=repr(address))
    errors = [
        ProcessingError(f"{address} is gone", details={"address": address}),
        ValidationError.of([problem], subject="the call"),
    ]
    errors[0].details["later"] = [address]
    for error in errors:
        said = json.dumps(error.to_dict()) + str(error) + repr(error)
        assert "NOTFOROTHERS" not in said
        assert "example.org/a.png" in said
