"""Hiccups of Modal: what asks only is asked again, what starts or stops something never is."""

import pytest
from tests.modal.conftest import finish, submit

from tiomagic_domain.errors import APIError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver

TRANSIENT_STATUS = "DATA_LOSS"
"""A status that Modal's own client does not repeat."""


def told(caplog):
    return [entry.getMessage() for entry in caplog.records if entry.name == "tiomagic.modal"]


def test_a_poll_asks_again(fake, provider, new_request, caplog):
    """Reading the progress and asking for the result survive hiccups; the log has each."""
    caplog.set_level("DEBUG", logger="tiomagic.modal")
    job = submit(provider, new_request())
    progress = fake.faults.fail("DictGet", TRANSIENT_STATUS, times=2)
    result = fake.faults.fail("FunctionGetOutputs", TRANSIENT_STATUS, times=2)
    assert finish(provider, job).status is JobStatus.COMPLETED
    assert (progress.used, result.used) == (2, 2)
    lines = [line for line in told(caplog) if line.startswith("attempt ")]
    assert [line.split(" (")[0] for line in lines] == [
        "attempt 1 failed: read a job's progress",
        "attempt 2 failed: read a job's progress",
        "attempt 1 failed: ask for the result",
        "attempt 2 failed: ask for the result",
    ]


def test_trouble_that_stays_is_an_error_within_the_bound(fake, new_provider, new_request):
    """After the time that a silence is waited for, the poll says that nobody could be asked."""
    provider = new_provider(deadline_s=1.0)
    job = submit(provider, new_request())
    rule = fake.faults.fail("DictGet", TRANSIENT_STATUS, times=None)
    with pytest.raises(APIError) as caught:
        provider.poll(job)
    assert caught.value.retryable
    assert rule.used > 1
    fake.faults.clear()
    assert finish(provider, job).status is JobStatus.COMPLETED


def test_a_submission_is_never_repeated(fake, provider, new_request):
    """Whatever the hiccup, a second call could be billed a second time: it is looked up instead."""
    submit(provider, new_request())
    rule = fake.faults.fail("FunctionMap", TRANSIENT_STATUS, times=None)
    with pytest.raises(APIError) as caught:
        provider.submit(new_request(), RecordingObserver())
    assert (caught.value.code, rule.used) == ("answer_lost", 1)
