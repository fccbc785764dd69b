"""A model of few words says which words of a prompt it has never seen."""

import logging

import pytest
from tests.facade.conftest import FakeApp


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the events at the level that people see unasked."""
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.levelno == logging.WARNING
    ]


def test_unknown_words_are_told_once_and_kept(
    fake_app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning names them, and the job has them among its facts to its end."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video("doodle", prompt="A red dragon moves left")
    (told,) = warnings_of(caplog)
    assert (told["event"], told["model"]) == ("job.not_understood", "doodle")
    assert (told["job_id"], told["words"]) == (job.job_id, ["dragon"])
    assert job.to_dict()["facts"]["unknown_words"] == ["dragon"]
    (said,) = job.warnings
    assert said.startswith("doodle only knows shapes and stick figures; it did not understand: dra")
    assert said in repr(job)
    assert "⚠ doodle only knows" in job._repr_html_()


def test_a_remote_job_tells_them_too(fake_app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """The words are known before anything runs, and are not told again by later checks."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video("doodle", prompt="A red dragon moves left")
    job.wait()
    assert [told["words"] for told in warnings_of(caplog)] == [["dragon"]]


@pytest.mark.parametrize(
    ("model", "prompt"), [("doodle", "a red circle moves left"), (None, "a red dragon")]
)
def test_what_is_understood_is_no_news(
    fake_app: FakeApp, caplog: pytest.LogCaptureFixture, model: str | None, prompt: str
) -> None:
    """Silent for known words, and for every model of open language."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(model, prompt=prompt)
    assert warnings_of(caplog) == []
    assert job.warnings == []
    assert "unknown_words" not in job.to_dict()["facts"]
