"""Messages reach a real receiver, signed; over restarts, failures and several servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tiomagic_domain.errors import GenerationError
from tiomagic_domain.ports.deliveries import DeliveryState
from tiomagic_server.webhooks.receivers import WebhookReceivers
from tiomagic_server.webhooks.registering import find_deliveries

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio
    from tests.server.hook_receiver import HookReceiver

CREATE = {"prompt": "a fox"}


def receivers_of(studio: FakeStudio) -> WebhookReceivers:
    """Return the receivers of a server."""
    return WebhookReceivers(studio.tm.session.settings.state_dir)


@pytest.fixture
def hooked(make_studio: Callable[..., FakeStudio], hooks: HookReceiver) -> FakeStudio:
    """A server that may send to loopback, with a secret that the receiver knows."""
    studio = make_studio(allow_private_webhooks=True)
    hooks.secrets.append(receivers_of(studio).add(""))
    return studio


def make(studio: FakeStudio, hooks: HookReceiver, **more: Any) -> str:
    """Make a video that has a message sent, and return its id."""
    answer = studio.http().post("/v1/videos", json={**CREATE, "callback_url": hooks.url, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_a_finished_video_is_told(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """Without anybody who asks for it; OpenAI's name and form."""
    video_id = make(hooked, hooks)
    (message,) = hooks.wait_for(1)
    assert message.data["type"] == "video.completed"
    assert message.data["data"] == {"id": video_id, "status": "completed"}
    assert message.data["id"] == message.webhook_id
    assert hooks.forged == []
    (stored,) = wait_until_settled(hooked, video_id)
    assert (stored.state, stored.attempts, stored.answer) == (DeliveryState.DELIVERED, 1, 204)


def wait_until_settled(studio: FakeStudio, video_id: str) -> list[Any]:
    """Return the deliveries of a video as soon as nothing more is sent."""
    store = find_deliveries(studio.tm)
    while not all(one.state.is_settled for one in store.of_job(video_id)):
        time.sleep(0.05)
    return store.of_job(video_id)


def test_a_failed_video_is_told(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """Also one that failed at once."""
    hooked.provider.failure = GenerationError("the model broke", code="not_finite")
    video_id = make(hooked, hooks)
    (message,) = hooks.wait_for(1)
    assert message.data["type"] == "video.failed"
    assert message.data["data"] == {"id": video_id, "status": "failed"}


def test_a_canceled_and_deleted_video_is_told(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """A deletion cancels the run; the message is stored before the job goes."""
    video_id = make(hooked, hooks)
    assert hooked.http().delete(f"/v1/videos/{video_id}").status_code == 200
    (message,) = hooks.wait_for(1)
    assert message.data["type"] == "video.canceled"


def test_openrouters_form(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """A job of OpenRouter's route has its message in that form, with addresses that lead here."""
    body = {**CREATE, "callback_url": hooks.url}
    job_id = hooked.http().post("/api/v1/videos", json=body).json()["id"]
    (message,) = hooks.wait_for(1)
    assert message.data["type"] == "video.generation.completed"
    data = message.data["data"]
    assert (data["id"], data["status"]) == (job_id, "completed")
    assert hooked.http().get(data["unsigned_urls"][0]).status_code == 200


def test_a_failed_attempt_is_repeated_with_the_same_id(
    hooked: FakeStudio, hooks: HookReceiver
) -> None:
    """After the five seconds of the schedule, byte for byte; a redirect is a failure."""
    hooks.answers = [(302, {"location": hooks.url})]
    make(hooked, hooks)
    first, second = hooks.wait_for(2)
    assert first == second


def test_a_receiver_that_wants_no_more(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """410 ends it at once, and the record says why."""
    hooks.answers = [(410, {})]
    (stored,) = wait_until_settled(hooked, make(hooked, hooks))
    assert (stored.state, stored.answer, stored.attempts) == (DeliveryState.GIVEN_UP, 410, 1)
    assert "410" in stored.trouble


def test_a_new_secret_and_the_one_before_both_sign(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """So a receiver can change at its own time."""
    new = receivers_of(hooked).rotate("")
    make(hooked, hooks)
    hooks.wait_for(1)
    hooks.secrets = [new]
    make(hooked, hooks)
    hooks.wait_for(2)
    assert hooks.forged == []


def test_a_key_has_its_own_secret_and_address(
    make_studio: Callable[..., FakeStudio], hooks: HookReceiver
) -> None:
    """All jobs of the key are told to it, without a word in the request."""
    studio = make_studio(allow_private_webhooks=True)
    ann, bob = (studio.keys.add(name) for name in ("ann", "bob"))
    hooks.secrets.append(receivers_of(studio).add("ann", hooks.url))
    receivers_of(studio).add(
        "", f"{hooks.url}/own"
    )  # Of jobs without a key: it hears of none here.
    made = studio.http(ann).post("/v1/videos", json=CREATE).json()
    (message,) = hooks.wait_for(1)
    assert message.data["data"]["id"] == made["id"]
    assert len(find_deliveries(studio.tm).of_job(made["id"])) == 1
    other = studio.http(bob).post("/v1/videos", json=CREATE).json()
    assert find_deliveries(studio.tm).of_job(other["id"]) == []
    refused = studio.http(bob).post("/v1/videos", json={**CREATE, "callback_url": hooks.url})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "callback_url")
    assert "for the key 'bob'" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/x", "http://10.0.0.7/x"),
        *("http://169.254.169.254/latest", "ftp://example.com/x", "x", "http://a:b@example.com/"),
        *("", 7, {"url": "https://example.com"}, "https://example.com/" + "x" * 3000),
    ],
)
def test_addresses_that_are_refused(make_studio: Callable[..., FakeStudio], url: object) -> None:
    """Before anything is stored."""
    studio = make_studio()
    receivers_of(studio).add("")
    answer = studio.http().post("/v1/videos", json={**CREATE, "callback_url": url})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "callback_url")
    assert studio.tm.list_jobs() == []
    assert find_deliveries(studio.tm).list(10) == []


def test_the_same_request_again_has_one_message(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """And with another address it is another request."""
    headers = {"idempotency-key": "order 7"}
    body = {**CREATE, "callback_url": hooks.url}
    first, again = (hooked.http().post("/v1/videos", json=body, headers=headers) for _ in "ab")
    assert first.json()["id"] == again.json()["id"]
    other = {**CREATE, "callback_url": hooks.url + "2"}
    refused = hooked.http().post("/v1/videos", json=other, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "key_reused")
    wait_until_settled(hooked, first.json()["id"])
    assert len(find_deliveries(hooked.tm).list(10)) == len(hooks.messages) == 1


def test_what_is_refused_leaves_no_delivery(hooked: FakeStudio, hooks: HookReceiver) -> None:
    """A request that makes no job has nothing to tell."""
    body = {"prompt": "a fox", "callback_url": hooks.url, "seconds": "4000"}
    assert hooked.http().post("/v1/videos", json=body).status_code == 400
    assert find_deliveries(hooked.tm).list(10) == []
