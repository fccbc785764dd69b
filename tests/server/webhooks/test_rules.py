"""The rules: when an attempt is repeated, where messages may go, what secrets sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tiomagic_domain.errors import ConfigurationError, ResourceNotFoundError, ValidationError
from tiomagic_domain.ports.deliveries import Delivery, DeliveryState
from tiomagic_server.webhooks.receivers import WebhookReceivers
from tiomagic_server.webhooks.schedule import AttemptOutcome, record_attempt
from tiomagic_server.webhooks.sending import WebhookSender

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECRET = "whsec_" + "AAAA" * 8
DUE = Delivery(
    webhook_id="evt_1",
    job_id="1",
    receiver="",
    url="http://hooks.example/x",
    host="hooks.example",
    form="openai",
    base="",
    created_at=NOW,
    next_at=NOW,
    state=DeliveryState.DUE,
    event="video.completed",
    payload="{}",
)
FAILED = AttemptOutcome(status=500, trouble="500")


def test_the_schedule_of_the_rules() -> None:
    """Ten attempts over three days, and then it is given up, with a record."""
    delivery, at, pauses = DUE, NOW, []
    while not delivery.state.is_settled:
        delivery = record_attempt(delivery, FAILED, at, draw=lambda: 0.0)
        pauses.append(delivery.next_at - at)
        at = delivery.next_at
    hours = timedelta(hours=1)
    assert pauses == [
        *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
        *(2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours, timedelta(0)),
    ]
    assert (delivery.state, delivery.attempts) == (DeliveryState.GIVEN_UP, 10)
    assert (delivery.trouble, delivery.settled_at) == ("500", at)


def test_pauses_differ_and_the_receiver_may_ask_for_longer_ones() -> None:
    """Within a day."""
    late = record_attempt(DUE, FAILED, NOW, draw=lambda: 1.0)
    assert late.next_at - NOW == timedelta(seconds=6)
    asked = record_attempt(DUE, replace(FAILED, retry_after_s=120.0), NOW)
    assert asked.next_at - NOW == timedelta(minutes=2)
    forever = record_attempt(DUE, replace(FAILED, retry_after_s=9e6), NOW)
    assert forever.next_at - NOW == timedelta(days=1)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_to_a_private_address_is_refused(address: str) -> None:
    """At every attempt, whatever it led to before; and that is final."""
    asked: list[str] = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", address]

    outcome = WebhookSender(allow_private=False, resolver=resolve).send(DUE, [SECRET], NOW)
    assert asked == ["hooks.example"]
    assert outcome.is_final
    assert "allows private webhooks" in outcome.trouble


def test_a_host_that_is_not_there_is_tried_again() -> None:
    """It may come back."""

    def resolve(_: str, __: int) -> list[str]:
        raise OSError("no such host")

    outcome = WebhookSender(allow_private=False, resolver=resolve).send(DUE, [SECRET], NOW)
    assert not outcome.is_final
    assert "hooks.example" in outcome.trouble


def test_a_secret_is_shown_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """It is stored to sign; a new one signs beside the one before for a day."""
    receivers = WebhookReceivers(tmp_path / "state")
    secret = receivers.add("ann", "https://hooks.example/x")
    path = tmp_path / "state" / "server_webhooks.json"
    assert path.stat().st_mode & 0o077 == 0
    assert secret.startswith("whsec_")
    new = WebhookReceivers(tmp_path / "state").rotate("ann")
    found = receivers.find("ann")
    assert found is not None
    assert found.url == "https://hooks.example/x"
    now = datetime.now(UTC)
    assert found.list_secrets(now) == [new, secret]
    assert found.list_secrets(now + timedelta(days=2)) == [new]
    receivers.move("ann", "https://hooks.example/y")
    moved = receivers.find("ann")
    assert moved is not None
    assert (moved.url, moved.list_secrets(now)) == ("https://hooks.example/y", [new, secret])
    receivers.remove("ann")
    assert receivers.find("ann") is None


def test_receivers_that_are_refused(tmp_path: Path) -> None:
    """Each with its reason."""
    receivers = WebhookReceivers(tmp_path)
    receivers.add("ann")
    calls: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ValidationError, "rotate", lambda: receivers.add("ann")),
        (ValidationError, "https://", lambda: receivers.add("bob", "hooks.example")),
        (ResourceNotFoundError, "ann", lambda: receivers.rotate("anna")),
        (ResourceNotFoundError, "ann", lambda: receivers.move("anna", "https://hooks.example/")),
        (ValidationError, "https://", lambda: receivers.move("ann", "hooks.example")),
        (ResourceNotFoundError, "without a key", lambda: receivers.remove("")),
    ]
    for kind, said, call in calls:
        with pytest.raises(kind, match=said):
            call()
    (tmp_path / "server_webhooks.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="damaged"):
        receivers.list()
