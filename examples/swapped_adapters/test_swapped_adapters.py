"""How to test a program that uses tiomagic: swap what is slow or costs money, keep the rest.

Copy what fits. Each test has a ``TioMagic`` of its own in an empty folder, with fakes that work:
they can be told what to do, and asked what was done to them.
"""

import pytest

from tiomagic import TioMagic
from tiomagic.errors import APIError, GenerationError, ValidationError
from tiomagic_domain.testing import (
    FakeClock,
    FakeMediaReader,
    FakeOutputStore,
    FakeProvider,
    MemoryJobRepository,
)


def storyboard(tm, prompts):
    """The program under test: make a video of each prompt, tell what became of it."""
    jobs = [tm.text_to_video(model="wan2.1-vace-14b", prompt=prompt) for prompt in prompts]
    return {job.job_id: job.wait(poll=60).status for job in jobs}


@pytest.fixture
def provider(tmp_path):
    """Stands for Modal: queued, running, completed, and no GPU behind it."""
    return FakeProvider(tmp_path / "spool", name="modal")


@pytest.fixture
def clock():
    """Time that passes only when the program waits."""
    return FakeClock()


@pytest.fixture
def tm(tmp_path, provider, clock):
    """The real thing, with a real database in an empty folder, but for the provider and time."""
    tm = TioMagic(
        working_dir=tmp_path,
        provider="modal",
        overrides={"providers": {"modal": provider}, "clock": clock},
    )
    yield tm
    tm.close()


def test_every_prompt_becomes_a_video(tm, provider, clock):
    """Three prompts are three runs, waited for without waiting."""
    ended = storyboard(tm, ["a fox", "an owl", "a bear"])
    assert list(ended.values()) == ["completed"] * 3
    assert [request.inputs.prompt for request in provider.submitted] == [
        "a fox",
        "an owl",
        "a bear",
    ]
    assert clock.slept == [60, 60, 60]


def test_a_run_that_fails_is_told(tm, provider):
    """The program goes on when a run breaks far away."""
    provider.failure = GenerationError("out of memory")
    assert list(storyboard(tm, ["a fox"]).values()) == ["failed"]


def test_a_network_that_is_down_is_an_error(tm, provider):
    """What did not start is an exception, and the job is there to see why."""
    provider.unreachable = True
    with pytest.raises(APIError):
        storyboard(tm, ["a fox"])
    (job,) = tm.list_jobs()
    assert job.status == "failed"


def test_bad_input_reaches_nobody(tm, provider):
    """A mistake costs nothing: it is found before the provider hears of it."""
    with pytest.raises(ValidationError, match="prompt"):
        storyboard(tm, [""])
    assert provider.submitted == []


def test_every_part_can_be_swapped(tmp_path, provider):
    """Repository, outputs, media and time as well: then nothing touches the disk but the videos."""
    repository, media = MemoryJobRepository(), FakeMediaReader(tmp_path / "inputs")
    media.add("https://example.org/fox.png", width=1000, height=1000)
    parts = {
        "providers": {"modal": provider},
        "repository": repository,
        "outputs": FakeOutputStore(tmp_path / "videos"),
        "media": media,
        "clock": FakeClock(),
    }
    tm = TioMagic(working_dir=tmp_path, provider="modal", overrides=parts)
    try:
        job = tm.image_to_video(prompt="it runs", image="https://example.org/fox.png", wait=True)
        assert job.status == "completed"
        assert repository.jobs[job.job_id].optional_args["width"] == 624
        assert not (tmp_path / ".tiomagic" / "jobs.db").exists()
    finally:
        tm.close()


def test_a_part_can_be_swapped_for_a_while(tm, tmp_path):
    """Within a block another provider answers, and afterwards the first one does again."""
    other = FakeProvider(tmp_path / "spool", name="modal")
    with tm.override(providers={"modal": other}):
        tm.text_to_video(prompt="a fox")
    assert len(other.submitted) == 1
    tm.text_to_video(prompt="an owl")
    assert len(other.submitted) == 1
