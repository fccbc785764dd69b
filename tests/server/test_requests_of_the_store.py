"""What a request costs the job store, counted: a server of many jobs does little else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from tiomagic_domain.jobs.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import FakeStudio

LOG = "generation_log.json"


@contextmanager
def counting() -> Iterator[list[str]]:
    """Give the first words of all statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def busy(studio: FakeStudio) -> FakeStudio:
    """A server that has answered each kind of request once, and has a job that runs."""
    studio.http().post("/v1/videos", json={"prompt": "a fox"})
    return studio


def test_a_create(busy: FakeStudio) -> None:
    """The key is looked for, the job stored, read again, and stored with its run."""
    with counting() as sent:
        headers = {"idempotency-key": "order 7"}
        busy.http().post("/v1/videos", json={"prompt": "a hare"}, headers=headers)
    assert sorted(sent) == ["INSERT", *["SELECT"] * 3, "UPDATE"]


def test_a_poll(busy: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look: whose it is, what it is now, and what is new. Another right after it: one read."""
    busy.provider.runs[busy.tm.list_jobs()[0].job_id].script = [JobStatus.QUEUED]
    path = f"/v1/videos/{busy.tm.list_jobs()[0].job_id}"
    with counting() as sent:
        busy.http().get(path)
        assert sent.count("SELECT") <= 2
        assert len(sent) <= 3
    monkeypatch.setattr("tiomagic_server.jobs.desk.LEAST_PAUSE_S", 3600)
    with counting() as sent:
        busy.http().get(path)
    assert sent == ["SELECT"]


def test_the_log_is_written_once_for_many_changes(
    make_studio: Callable[..., FakeStudio],
) -> None:
    """It takes longer than all else. The end of the server writes what is left."""
    studio = make_studio()
    log = studio.tm.settings.working_dir / LOG
    for _ in range(3):
        studio.http().post("/v1/videos", json={"prompt": "a fox"})
    assert not log.exists()
    studio.tm.close()
    assert len(json.loads(log.read_text("utf-8"))["jobs"]) == 3
