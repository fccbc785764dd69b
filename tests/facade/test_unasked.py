"""A person who has not configured logging sees warnings as sentences; nobody else sees anything."""

import logging

import pytest

from tiomagic.display.unasked import UnaskedWarnings

EVENT = {"event": "job.not_understood", "level": "warning", "model": "doodle", "words": ["fox"]}
SENTENCE = (
    "warning: doodle only knows shapes and stick figures; it did not understand: fox. "
    "Try 'a red circle moves right', or model='wan2.1-t2v-1.3b' (8 GiB GPU)\n"
)


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The logger of tiomagic as in a fresh program, on a terminal."""
    ours = logging.getLogger("tiomagic")
    monkeypatch.setattr("tiomagic.display.unasked.is_terminal", lambda _: True)
    ours.handlers[:] = [UnaskedWarnings()]
    ours.propagate = True
    ours.setLevel(logging.NOTSET)
    return ours


def test_a_warning_is_a_sentence(
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On stderr; what is below a warning is not shown."""
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])  # pytest has its own there.
        logger.warning(EVENT)
        logger.info({"event": "job.started", "level": "info", "job_id": "7"})
        logging.getLogger("tiomagic.local").warning("the drive of %s is slow", "/x")
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("", f"{SENTENCE}warning: the drive of /x is slow\n")


def test_an_error_that_is_raised_is_not_said_twice(
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller has the exception."""
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        logger.error({"event": "job.failed", "level": "error", "job_id": "7", "error": "broke"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["tiomagic", ""])
def test_an_application_with_a_handler_decides(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """One of the root, or one of tiomagic's logger."""
    theirs = logging.NullHandler()
    logging.getLogger(name).addHandler(theirs)
    logger.warning(EVENT)
    logging.getLogger(name).removeHandler(theirs)
    assert capsys.readouterr().err == ""


def test_a_pipe_gets_nothing(
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No person reads it."""
    monkeypatch.setattr("tiomagic.display.unasked.is_terminal", lambda _: False)
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        logger.warning(EVENT)
    assert capsys.readouterr().err == ""
