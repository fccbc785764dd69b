"""Deliveries of webhooks in both databases: found when they are due, taken by one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.deliveries import Delivery, DeliveryState
from tiomagic_domain.testing import NOON, make_job
from tiomagic_storage import open_repository

SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def repository(request):
    """A job repository in a fresh database."""
    found = open_repository(request.getfixturevalue(request.param))
    yield found
    found.close()


def make_delivery(number=1, job_id="job", **fields):
    """Return a delivery that waits."""
    given = {
        "webhook_id": f"evt_{number}",
        "job_id": job_id,
        "receiver": "ann",
        "url": "https://hooks.example/ä?key=1",
        "host": "hooks.example",
        "form": "openai",
        "base": "",
        "created_at": NOON + number * SECOND,
        "next_at": NOON + number * SECOND,
    }
    return Delivery(**(given | fields))


def ids(found):
    """Return the numbers of deliveries."""
    return [one.webhook_id.removeprefix("evt_") for one in found]


def test_what_is_stored_is_found_again(repository):
    """Every field, in every state."""
    store = repository.deliveries
    waiting = make_delivery()
    settled = make_delivery(
        2,
        state=DeliveryState.GIVEN_UP,
        event="video.failed",
        payload='{"a":"\\u00e4"}',
        attempts=10,
        answer=500,
        trouble="bad \0 answer",
        settled_at=NOON,
    )
    store.add([waiting, settled])
    store.add([])
    assert store.find("evt_1") == waiting
    assert store.find("evt_2") == replace(settled, trouble="bad \\x00 answer")
    assert store.find("evt_3") is None
    assert ids(store.of_job("job")) == ["1", "2"]
    assert ids(store.list(10)) == ["2", "1"]
    assert ids(store.list(10, receiver="bob")) == []
    assert ids(store.list(10, receiver="ann", state=DeliveryState.GIVEN_UP)) == ["2"]
    store.discard("job")
    assert store.list(10) == []


def test_all_or_none_are_added(repository):
    """One that is there already keeps the others out."""
    store = repository.deliveries
    store.add([make_delivery(1)])
    with pytest.raises(Exception, match="tiomagic_webhooks"):
        store.add([make_delivery(2), make_delivery(1)])
    assert ids(store.list(10)) == ["1"]


def test_one_of_many_takes_a_delivery(repository):
    """A change is stored once, however many make one at the same time."""
    store = repository.deliveries
    store.add([make_delivery(state=DeliveryState.DUE)])
    read = store.find("evt_1")

    def take(number):
        return store.save(replace(read, next_at=NOON + number * SECOND))

    with ThreadPoolExecutor(8) as threads:
        taken = [one for one in threads.map(take, range(8)) if one is not None]
    assert taken == [store.find("evt_1")]
    assert taken[0].version == 2
    assert store.save(replace(read, webhook_id="evt_9")) is None


def test_what_is_due_comes_in_its_order(repository):
    """Without what is later, waits, is settled, or goes to a busy host."""
    store = repository.deliveries
    due = {"state": DeliveryState.DUE}
    store.add(
        [
            make_delivery(3, **due),
            make_delivery(1, **due),
            make_delivery(2, **due, host="slow.example"),
            make_delivery(9, **due),
            make_delivery(4),
            make_delivery(5, state=DeliveryState.DELIVERED),
        ]
    )
    at = NOON + 8 * SECOND
    assert ids(store.find_due(at, 10)) == ["1", "2", "3"]
    assert ids(store.find_due(at, 2)) == ["1", "2"]
    assert ids(store.find_due(at, 10, {"slow.example"})) == ["1", "3"]


def test_a_job_that_ends_is_found_whoever_ended_it(repository):
    """By its status in the store."""
    store = repository.deliveries
    job = make_job(job_id="job")
    store.add([make_delivery(1), make_delivery(2, job_id="not stored")])
    assert store.find_ended(10) == []
    repository.add(job)
    assert store.find_ended(10) == []
    repository.save(job.to(JobStatus.CANCELED, at=NOON))
    assert ids(store.find_ended(10)) == ["1"]
    assert ids(store.find_ended(0)) == []


def test_only_jobs_that_were_sent_are_looked_at(repository):
    """One that was just stored is about to be sent; after a while its server has died."""
    store = repository.deliveries
    later = NOON + timedelta(minutes=1)
    repository.add(make_job(job_id="new"))
    repository.add(make_job(job_id="queued", queue="local:a:cpu"))
    repository.add(make_job(job_id="remote", call_id="fc-1"))
    repository.add(make_job(job_id="over", call_id="fc-2", status=JobStatus.FAILED))
    names = ["new", "queued", "remote", "over", "not stored"]
    store.add([make_delivery(number, name) for number, name in enumerate(names)])
    assert ids(store.find_unseen(later, 10, NOON - SECOND)) == ["1", "2"]
    assert ids(store.find_unseen(later, 10, NOON)) == ["0", "1", "2"]
    assert ids(store.find_unseen(NOON + SECOND, 10, NOON - SECOND)) == ["1"]


def test_old_records_go(repository):
    """Those that are settled, and those whose job was never stored."""
    store = repository.deliveries
    repository.add(make_job(job_id="job"))
    old, new = NOON - timedelta(days=9), NOON
    delivered = {"state": DeliveryState.DELIVERED}
    store.add(
        [
            make_delivery(1, **delivered, settled_at=old),
            make_delivery(2, **delivered, settled_at=new),
            make_delivery(3, created_at=old),
            make_delivery(4, "not stored", created_at=old),
            make_delivery(5, "not stored", created_at=new),
        ]
    )
    day = timedelta(days=1)
    assert store.prune(settled_before=NOON - day, orphaned_before=NOON - day) == 2
    assert sorted(ids(store.list(10))) == ["2", "3", "5"]
