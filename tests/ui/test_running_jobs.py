"""What the pages poll, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tiomagic import TioMagic
from tiomagic.ui.jobs.running_jobs import CHECK_INTERVAL_S, RunningJobs
from tiomagic_domain.testing import FakeClock, FakeProvider


@pytest.fixture
def remote(tmp_path: Path) -> FakeProvider:
    """A service."""
    return FakeProvider(tmp_path / "spool", name="modal")


@pytest.fixture
def clock() -> FakeClock:
    """The time."""
    return FakeClock()


@pytest.fixture
def tm(tmp_path: Path, remote: FakeProvider, clock: FakeClock) -> Iterator[TioMagic]:
    """An instance that runs everything on the service."""
    parts = {"providers": {"modal": remote}, "clock": clock}
    with closing(TioMagic(working_dir=tmp_path, overrides=parts)) as tm:
        tm.configure(provider="modal")
        yield tm


def test_a_service_that_wants_to_be_asked_later_is_asked_later(
    tm: TioMagic, remote: FakeProvider, clock: FakeClock
) -> None:
    """However often pages look; a job that is canceled meanwhile is asked about at once."""
    job_id = tm.text_to_video(prompt="a fox").job_id
    remote.rate_limits = [30.0, 30.0]
    jobs = RunningJobs(tm.session)
    for _ in range(40):
        (moment,) = jobs.snapshot()
        assert moment.job.message == "modal takes no more requests now"
        clock.advance(CHECK_INTERVAL_S)
    assert remote.polled == [job_id] * 2
    tm.cancel_job(job_id)
    jobs.invalidate()
    assert jobs.snapshot() == []
    assert remote.polled == [job_id] * 3
