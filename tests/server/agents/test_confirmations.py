"""A token confirms one call at one price, for half an hour."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiomagic_server.mcp.confirmations import VALID_S, Confirmations, RefusedConfirmationError

ORDER = {"feature": "text_to_video", "arguments": {"prompt": "a cat"}, "cost": ["USD", 0.4, 0.4]}


def test_a_token_confirms_its_call_and_no_other():
    confirmations = Confirmations()
    token = confirmations.make(ORDER)
    confirmations.check(token, dict(reversed(ORDER.items())))
    with pytest.raises(RefusedConfirmationError, match="another call"):
        confirmations.check(token, ORDER | {"arguments": {"prompt": "two cats"}})
    with pytest.raises(RefusedConfirmationError, match="another price"):
        confirmations.check(token, ORDER | {"cost": ["USD", 0.5, 0.5]})


def test_it_holds_in_every_process_with_the_secret_and_in_no_other():
    token = Confirmations(b"s" * 32).make(ORDER)
    Confirmations(b"s" * 32).check(token, ORDER)
    with pytest.raises(RefusedConfirmationError):
        Confirmations(b"t" * 32).check(token, ORDER)


def test_it_expires():
    now = [1000.0]
    confirmations = Confirmations(now=lambda: now[0])
    token = confirmations.make(ORDER)
    now[0] += VALID_S
    confirmations.check(token, ORDER)
    now[0] += 1
    with pytest.raises(RefusedConfirmationError, match="older than 30 minutes"):
        confirmations.check(token, ORDER)


def test_two_plans_of_one_call_have_two_tokens():
    confirmations = Confirmations()
    assert confirmations.make(ORDER) != confirmations.make(ORDER)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_is_no_token_is_refused(text):
    with pytest.raises(RefusedConfirmationError):
        Confirmations().check(text, ORDER)


@given(st.integers(0, 29), st.integers(1, 255))
def test_a_changed_token_is_refused(place, change):
    confirmations = Confirmations()
    token = confirmations.make(ORDER)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[place] ^= change
    with pytest.raises(RefusedConfirmationError):
        confirmations.check(base64.urlsafe_b64encode(raw).decode().rstrip("="), ORDER)
