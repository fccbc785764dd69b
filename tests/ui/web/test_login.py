"""Wrong answers slow down; a right one opens the page, for as long as it is used."""

import logging

import pytest

from tiomagic.ui.web.login import Login, LoginThrottledError, PasswordCredentials


class FakeSeconds:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> FakeSeconds:
    """A clock."""
    return FakeSeconds()


@pytest.fixture
def login(seconds: FakeSeconds) -> Login:
    """A login of ada's."""
    return Login(PasswordCredentials("ada", "a-long-pässword"), seconds)


def test_only_the_right_answer_opens(login: Login) -> None:
    """User and password both count; a half character is an answer as well, and wrong."""
    token = login.log_in("ada", "a-long-pässword", "1")
    assert token is not None
    assert login.is_logged_in(token)
    wrong = ("Ada", "a-long-pässword"), ("ada", "a-long-passwor"), ("", ""), ("ada", "\ud83d")
    for number, (user, password) in enumerate(wrong):
        assert login.log_in(user, password, str(number)) is None
    for other in ("", "x", token[:-1], None):
        assert not login.is_logged_in(other)


def test_an_address_waits_longer_each_time(login: Login, seconds: FakeSeconds) -> None:
    """After three tries a second, then two, up to a minute; the right answer waits as well."""
    for _ in range(3):
        assert login.log_in("ada", "x", "a") is None
    waits = []
    for _ in range(9):
        with pytest.raises(LoginThrottledError) as refused:
            login.log_in("ada", "a-long-pässword", "a")
        waits.append(round(refused.value.seconds))
        seconds.now += refused.value.seconds
        assert login.log_in("ada", "x", "a") is None
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert login.log_in("ada", "a-long-pässword", "b") is not None


def test_many_addresses_slow_down_together(login: Login, seconds: FakeSeconds) -> None:
    """Thirty wrong answers a minute, wherever they come from."""
    for number in range(30):
        assert login.log_in("ada", "x", f"10.0.0.{number}") is None
    with pytest.raises(LoginThrottledError):
        login.log_in("ada", "x", "10.0.1.1")
    seconds.now += 60
    assert login.log_in("ada", "a-long-pässword", "10.0.1.1") is not None


def test_the_right_answer_is_forgiven(login: Login) -> None:
    """Who remembers the password starts anew."""
    for _ in range(5):
        assert login.log_in("ada", "x", "a") is None
        assert login.log_in("ada", "x", "a") is None
        assert login.log_in("ada", "a-long-pässword", "a") is not None


def test_a_login_ends(login: Login, seconds: FakeSeconds) -> None:
    """When it was not used for a week, or was left."""
    first, second = (login.log_in("ada", "a-long-pässword", "a") for _ in range(2))
    seconds.now += 6 * 24 * 3600
    assert login.is_logged_in(first)
    seconds.now += 2 * 24 * 3600
    assert login.is_logged_in(first)
    assert not login.is_logged_in(second)
    login.log_out(first)
    assert not login.is_logged_in(first)


def test_tries_are_logged_without_what_was_entered(
    login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    """People type a password into the wrong entry: neither is in the log."""
    with caplog.at_level(logging.INFO, logger="tiomagic"):
        for _ in range(3):
            login.log_in("secret-user", "secret-word", "10.0.0.9")
        with pytest.raises(LoginThrottledError):
            login.log_in("secret-user", "secret-word", "10.0.0.9")
        login.log_in("ada", "a-long-pässword", "10.0.0.8")
    said = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    assert said == ["ui.login_failed"] * 3 + ["ui.login_slowed", "ui.login"]
    assert "10.0.0.9" in caplog.text
    assert "secret" not in caplog.text
    assert "pässword" not in caplog.text


def test_a_login_ends_also_when_it_is_used(login: Login, seconds: FakeSeconds) -> None:
    """After a month, though it was used each day."""
    token = login.log_in("ada", "a-long-pässword", "1")
    used = []
    for _ in range(31):
        seconds.now += 24 * 3600
        used.append(login.is_logged_in(token))
    assert used == [True] * 30 + [False]
