"""Jobs whose process died between storing and sending them: sent by the next one, and once."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.domain.places import FakeMachine, ProcessExited

from tiomagic_domain.errors import RateLimitError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.lifecycle.sending import SENDING_TIME
from tiomagic_domain.ports.provider import SENDER
from tiomagic_domain.testing import FakeProvider


class MortalProvider(FakeProvider):
    """A remote provider that its process may not reach any more."""

    error = None
    before = None

    def submit(self, request, observer):
        if self.before is not None:
            self.before()
        if self.error is not None:
            raise self.error
        return super().submit(request, observer)


class Servers:
    """Several processes over one store, and a remote provider."""

    def __init__(self, folder):
        self.machine = FakeMachine(folder)
        self.machine.provider = self.provider = MortalProvider(folder / "spool", name="local")
        self.repository, self.clock = self.machine.repository, self.machine.clock

    def start(self, name, **changes):
        return self.machine.generation(
            dataclasses.replace(self.machine.background(name), **changes)
        )

    def leave_unsent(self, key="order 7", name="first", error=None):
        """Let a process die between storing a job and sending it."""
        self.provider.error = error or ProcessExited()
        with pytest.raises(type(self.provider.error)):
            submit(self.start(name), key)
        self.provider.error = None
        self.machine.kill(name)
        (job,) = self.repository.jobs.values()
        return job


def submit(generation, key="order 7", prompt="a fox"):
    return generation.submit(
        Feature.TEXT_TO_VIDEO, provider="local", model=None, arguments={"prompt": prompt}, key=key
    )


@pytest.fixture
def servers(tmp_path):
    return Servers(tmp_path)


def test_a_repeated_call_sends_what_was_left(servers):
    """It is the same job with the same seed, and it names no sender when it is sent."""
    left = servers.leave_unsent()
    assert left.facts[SENDER]["process"] == "local:here:first"
    sent = submit(servers.start("second"))
    assert (sent.job_id, sent.call_id) == (left.job_id, servers.provider.runs[left.job_id].call_id)
    assert servers.provider.submitted[0].settings["seed"] == left.arguments["seed"]
    assert SENDER not in sent.facts
    assert submit(servers.start("third")) == sent
    assert len(servers.provider.submitted) == 1


def test_another_call_with_the_key_sends_nothing(servers):
    """The repeat is compared first."""
    servers.leave_unsent()
    with pytest.raises(ValidationError, match="prompt"):
        submit(servers.start("second"), prompt="a hare")
    assert servers.provider.submitted == []


@pytest.mark.parametrize("how", ["check", "recover"])
def test_a_look_sends_what_was_left(servers, how):
    """Also long after, and a server that is started again does it by itself."""
    left = servers.leave_unsent()
    servers.clock.advance(100 * SENDING_TIME.total_seconds())
    generation = servers.start("second")
    if how == "check":
        generation.check(left.job_id)
    else:
        assert [job.job_id for job in generation.recover(leave_unsent=True)] == [left.job_id]
    assert list(servers.provider.runs) == [left.job_id]
    assert servers.repository.get(left.job_id).status is JobStatus.QUEUED


def test_one_of_many_sends_it(servers):
    """The record decides, by compare-and-swap; so do threads of one process."""
    left = servers.leave_unsent()
    generations = [servers.start(name) for name in ("second", "third") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(submit, generations))
    assert {job.job_id for job in found} == {left.job_id}
    assert len(servers.provider.submitted) == 1


@pytest.mark.parametrize(("place", "key"), [("another folder", "order 7"), ("", None)])
def test_what_is_left_to_its_provider(servers, place, key):
    """One of another place, and one without a key: its caller made another."""
    left = servers.leave_unsent(key)
    second = servers.start("second", place=place)
    assert second.is_being_sent(left) is (key is not None)
    assert second.check(left.job_id).error_code == "lost"
    assert servers.provider.submitted == []


def test_what_is_being_sent_is_left_alone(servers):
    """Its provider does not know it yet, and would call it lost; also long after it was stored."""
    left = servers.leave_unsent()
    servers.clock.advance(100 * SENDING_TIME.total_seconds())
    servers.machine.alive.add("local:here:second")
    taker = servers.start("second")
    looker = servers.start("third")
    seen = []
    servers.provider.before = lambda: seen.append(looker.check(left.job_id))
    submit(taker)
    (job,) = seen
    assert (job.status, job.facts[SENDER]["process"]) == (JobStatus.QUEUED, "local:here:second")
    assert looker.is_being_sent(job)
    assert servers.provider.polled == []
    assert servers.repository.get(left.job_id).call_id is not None


def test_a_lost_answer_is_not_sent_again(servers):
    """The submission was on its way: its run is only looked up, whoever has died since."""
    servers.provider.loses_answers = True
    first = servers.start("first")
    job = submit(first)
    assert (job.call_id, SENDER in job.facts) == (None, False)
    servers.machine.kill("first")
    submit(servers.start("second"))
    servers.start("third").check(job.job_id)
    assert len(servers.provider.submitted) == 1


def test_who_gives_a_submission_up_decides(servers):
    """Ctrl-C says how to go on, so that nothing is sent by itself later."""
    left = servers.leave_unsent(error=KeyboardInterrupt())
    assert SENDER not in left.facts
    assert servers.start("second").check(left.job_id).error_code == "lost"
    assert servers.provider.submitted == []


def test_a_refusal_of_what_was_left(servers):
    """The job says so, and a look does not raise."""
    left = servers.leave_unsent()
    servers.provider.error = RateLimitError("too much")
    failed = servers.start("second").check(left.job_id)
    assert [error.message for error in servers.machine.troubles] == ["too much"]
    assert (failed.status, failed.error) == (JobStatus.FAILED, "too much")
    assert SENDER not in failed.facts
