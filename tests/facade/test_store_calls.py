"""What ``tm`` costs the store, with the log file that mirrors it."""

import json
import sys
from pathlib import Path

import pytest
from tests.domain.counting import CountingRepository

from tiomagic import TioMagic
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing import FakeProvider


@pytest.fixture
def repository():
    return CountingRepository()


@pytest.fixture
def remote(tmp_path):
    return FakeProvider(tmp_path / "spool", name="modal", default_model="wan2.1-vace-14b")


@pytest.fixture
def tm(repository, remote):
    tm = TioMagic(
        provider="modal", overrides={"repository": repository, "providers": {"modal": remote}}
    )
    yield tm
    tm.close()


def cost(repository, act):
    repository.calls.clear()
    return act().status, dict(repository.calls)


def test_checks_and_a_cancel(tm, repository, remote):
    """As the use case: the handle is made of what the check returns, and reads nothing more.

    The log is written for a new status, and then lists the jobs once; a step does not touch it.
    """
    job = tm.text_to_video(prompt="a fox")
    log = Path("generation_log.json")

    def check():
        return cost(repository, lambda: tm.check_generation_status(job.job_id))

    assert check() == ("running", {"get": 1, "save": 1, "list": 1})
    poll, before = remote.poll, log.read_bytes()
    for step in (2, 3):
        progress = Progress(phase=Phase.DENOISING, step=step, steps=9)
        said = Report(status=JobStatus.RUNNING, progress=progress, message=str(progress))
        remote.poll = lambda job, said=said: said
        assert check() == ("running", {"get": 1, "save": 1})
    assert log.read_bytes() == before
    assert tm.get_job(job.job_id).progress.step == 3
    remote.poll = poll
    assert check() == ("completed", {"get": 2, "save": 1, "list": 1})
    assert check() == ("completed", {"get": 1})
    assert json.loads(log.read_bytes())["jobs"][-1]["status"] == "completed"
    other = tm.text_to_video(prompt="an owl")
    canceled = cost(repository, lambda: tm.cancel_job(other.job_id))
    assert canceled == ("canceling", {"get": 1, "save": 1, "list": 1})


def test_the_way_to_the_provider_is_short(tm, remote):
    """From the public call to the provider there are six functions of ours.

    One of them sends what a dead process has left unsent.
    """
    job, ways = tm.text_to_video(prompt="a fox"), []
    poll = remote.poll

    def note_way(asked):
        frame, names = sys._getframe(1), []
        while frame is not None:
            if frame.f_globals.get("__name__", "").startswith(("tiomagic.", "tiomagic_domain.")):
                names.append(frame.f_code.co_name)
            frame = frame.f_back
        ways.append(names)
        return poll(asked)

    remote.poll = note_way
    tm.check_generation_status(job.job_id)
    assert len(ways[0]) <= 6, ways[0]
