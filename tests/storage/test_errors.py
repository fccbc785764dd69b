"""No exception of a vendor leaves the package."""

import sqlite3

import pytest
from sqlalchemy import exc

from tiomagic_domain.errors import ConfigurationError, ProcessingError, TioMagicError
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage.database.errors import (
    SQLALCHEMY_ERRORS,
    SQLITE_ERRORS,
    translate_database_errors,
)

VENDOR = sorted(
    {
        kind
        for kind in vars(exc).values()
        if isinstance(kind, type) and issubclass(kind, exc.StatementError)
    },
    key=lambda kind: kind.__name__,
)


def raised(kind):
    if kind is exc.StatementError:
        return kind("message", "statement", {}, ValueError("first line\nsecond line"))
    if issubclass(kind, exc.DBAPIError):
        return kind("statement", {}, ValueError("first line\nsecond line"))
    return kind("first line")


def test_the_walk_finds_the_errors():
    """The list is not empty by mistake."""
    assert {exc.DBAPIError, exc.IntegrityError, exc.OperationalError} <= set(VENDOR)


@pytest.mark.parametrize("kind", VENDOR)
def test_every_database_error_has_an_outcome(kind):
    """SQLAlchemy's classes are all in the table; a new one in a later version fails here."""
    assert kind in SQLALCHEMY_ERRORS


@pytest.mark.parametrize("kind", [*SQLALCHEMY_ERRORS, sqlite3.Error, exc.ArgumentError])
@pytest.mark.parametrize("opening", [True, False])
def test_every_error_is_translated(kind, opening):
    """What comes out is ours, names the place, has the first line of the cause, and keeps it."""
    told = pytest.raises(TioMagicError, match=r"/jobs\.db .*first line\)$")
    with told as caught, translate_database_errors("/jobs.db", opening=opening):
        raise raised(kind)
    assert isinstance(caught.value.__cause__, kind)
    expected = SQLALCHEMY_ERRORS.get(kind, SQLALCHEMY_ERRORS[exc.SQLAlchemyError])
    assert type(caught.value) is ((opening and expected.error_on_opening) or expected.error)


@pytest.mark.parametrize("code", SQLITE_ERRORS)
def test_the_most_specific_word_wins(code):
    """SQLite's own code, with whatever detail in its upper bytes, decides before the class."""
    cause = sqlite3.OperationalError("cause")
    cause.sqlite_errorcode = code | 7 << 8
    with pytest.raises(ProcessingError) as caught, translate_database_errors("/jobs.db"):
        raise exc.DBAPIError.instance("statement", {}, cause, sqlite3.Error)
    assert caught.value.code == SQLITE_ERRORS[code].code


def test_a_value_that_is_no_text_is_an_error_of_ours(sqlite_repository):
    """An id with half a character does not end in an error of the codec."""
    with pytest.raises(ProcessingError, match="could not do what was asked"):
        sqlite_repository.add(make_job(job_id="\ud800"))


@pytest.mark.parametrize("database", ["sqlite_url", "postgresql_url"])
def test_odd_characters_in_a_message_are_no_error(database, request):
    """A message with a broken file name or a NUL is stored with escapes instead."""
    from tiomagic_storage import open_repository

    repository = open_repository(request.getfixturevalue(database))
    job = make_job(prompt="a\0b", message="no file \udcff\0", error="\ud800")
    repository.add(job)
    stored = repository.get(job.job_id)
    assert (stored.message, stored.error) == ("no file \\udcff\\x00", "\\ud800")
    assert stored.required_args == {"prompt": "a\0b"}
    repository.close()


def test_what_is_not_the_vendors_passes():
    """The block is no net for mistakes of our own."""
    with pytest.raises(ZeroDivisionError), translate_database_errors("/jobs.db"):
        _ = 1 / 0
    with pytest.raises(ConfigurationError, match="ours"), translate_database_errors("/jobs.db"):
        raise ConfigurationError("ours")
