"""How long a wait may take."""

import pytest

from tiomagic_domain.errors import JobTimeoutError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.testing import FakeClock, make_job
from tiomagic_domain.usecases.waiting import WaitDeadline


def test_a_wait_without_a_bound_polls_for_ever() -> None:
    """Without a timeout each pause is the poll, however late it is."""
    clock = FakeClock()
    patience = WaitDeadline(clock.monotonic, timeout=None, poll=2)
    clock.advance(1e6)
    assert patience.next_pause(make_job()) == 2


def test_the_last_pause_is_what_is_left_of_the_time() -> None:
    """No pause reaches beyond the timeout, and at the timeout the wait is over."""
    clock = FakeClock()
    patience = WaitDeadline(clock.monotonic, timeout=5, poll=2)
    job = make_job()
    clock.advance(4)
    assert patience.next_pause(job) == 1
    clock.advance(1)
    with pytest.raises(JobTimeoutError, match=f"{job.job_id} is still queued after 5 s") as caught:
        patience.next_pause(job)
    assert caught.value.details == {"job_id": job.job_id, "status": "queued"}


@pytest.mark.parametrize(("wanted", "pause"), [(30, 30), (0.5, 2), (100, 60)])
def test_a_provider_that_wants_to_be_asked_later_is_asked_later(
    wanted: float, pause: float
) -> None:
    """Its word is obeyed where it is longer than the interval, up to the end of the wait."""
    patience = WaitDeadline(FakeClock().monotonic, timeout=60, poll=2)
    assert patience.next_pause(make_job(facts={"retry_after_s": wanted})) == pause


def test_a_limit_of_requests_is_no_failure_and_puts_off_the_next_poll(parts):
    """A pause that the service names is kept; one that is no time leaves the wait's own."""
    job = parts.generation.submit(
        Feature.TEXT_TO_VIDEO, provider="modal", model=None, arguments={"prompt": "a fox"}
    )
    parts.remote.rate_limits = [40.0, 0.5, float("nan"), float("inf"), -1.0]
    said = parts.generation.check(job.job_id)
    assert (said.status, said.facts["retry_after_s"]) == ("queued", 40)
    assert said.message == "modal takes no more requests now"
    parts.remote.rate_limits.insert(0, 40.0)
    done = parts.generation.wait(job.job_id, poll=2)
    assert done.status == "completed"
    assert parts.clock.slept == [40, 2, 2, 2, 2, 2]
    assert "retry_after_s" not in done.facts


@pytest.mark.parametrize(
    ("timeout", "poll", "wrong"),
    [(-1, 2.0, ["timeout"]), (None, -0.5, ["poll"]), (float("nan"), float("nan"), None)],
)
def test_a_wait_that_makes_no_sense_is_refused(
    timeout: float | None, poll: float, wrong: list[str] | None
) -> None:
    """Each number below 0, or none at all, is named."""
    with pytest.raises(ValidationError) as caught:
        WaitDeadline(FakeClock().monotonic, timeout=timeout, poll=poll)
    assert [problem.field for problem in caught.value.problems] == (wrong or ["timeout", "poll"])
