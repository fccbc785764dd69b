"""Budgets of a key, and what a finished video has cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.money.estimate import Estimate
from tiomagic_server.access.keys import ClientKeys

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio

CREATE = {"prompt": "a fox"}


def set_price(studio: FakeStudio, amount: float) -> None:
    """Let each run of the fake provider be expected to cost an amount of USD."""
    studio.provider.estimate = lambda request, known: Estimate(amount=amount)  # type: ignore[method-assign, assignment, misc]


def test_a_key_spends_its_budget_and_no_more(studio: FakeStudio) -> None:
    """The refusal is a 402 that says what is left; another key has its own."""
    set_price(studio, 2.0)
    ann = studio.http(studio.keys.add("ann", daily_budget="5", monthly_budget="50"))
    bob = studio.http(studio.keys.add("bob", monthly_budget="3 USD"))
    eve = studio.http(studio.keys.add("eve"))
    codes = [ann.post("/v1/videos", json=CREATE).status_code for _ in range(3)]
    assert codes == [200, 200, 402]
    error = ann.post("/v1/videos", json=CREATE).json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "over_budget")
    assert "1.00 USD are left today" in error["message"]
    assert bob.post("/v1/videos", json=CREATE).status_code == 200
    refused = bob.post("/api/v1/videos", json=CREATE)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, 402)
    assert [eve.post("/v1/videos", json=CREATE).status_code for _ in range(4)] == [200] * 4
    assert len(studio.tm.list_jobs()) == 7


def test_a_deleted_video_is_paid_for(studio: FakeStudio) -> None:
    """Deleting videos makes no room in a budget."""
    set_price(studio, 2.0)
    ann = studio.http(studio.keys.add("ann", daily_budget="3"))
    made = ann.post("/v1/videos", json=CREATE).json()
    studio.provider.finish(made["id"])
    assert ann.get(f"/v1/videos/{made['id']}").json()["status"] in {"in_progress", "completed"}
    assert ann.delete(f"/v1/videos/{made['id']}").status_code == 200
    assert ann.post("/v1/videos", json=CREATE).status_code == 402


def test_the_budget_of_all_says_no_amount(make_studio: Callable[..., FakeStudio]) -> None:
    """What the server may spend is not its clients' affair."""
    studio = make_studio(settings={"daily_budget": "1.23"})
    set_price(studio, 2.0)
    answer = studio.http().post("/v1/videos", json=CREATE)
    assert answer.status_code == 402
    assert "1.23" not in answer.text


@pytest.mark.parametrize("amount", ["much", "-1", "2 euros"])
def test_what_is_no_amount_is_refused(tmp_path: Path, amount: str) -> None:
    """And nothing is stored."""
    keys = ClientKeys(tmp_path)
    with pytest.raises(ValidationError, match="daily_budget"):
        keys.add("ann", daily_budget=amount)
    assert keys.list() == ()


def test_a_finished_video_says_what_it_cost(studio: FakeStudio) -> None:
    """In both forms; null while it runs and where no one knows, never the estimate."""
    set_price(studio, 2.0)
    http = studio.http()
    made = http.post("/v1/videos", json=CREATE).json()
    assert made["usage"] is None
    while (seen := http.get(f"/v1/videos/{made['id']}").json())["status"] != "completed":
        pass
    assert seen["usage"] == {"cost": None, "currency": "USD"}
    repository = studio.tm.session.container.repository()
    job = repository.get(made["id"])
    facts = {**job.facts, "cost": {"amount": 1.5, "currency": "EUR", "per": "run"}}
    repository.save(replace(job, facts=facts))
    found = http.get(f"/v1/videos/{made['id']}").json()["usage"]
    assert found == {"cost": 1.5, "currency": "EUR"}
    other = http.get(f"/api/v1/videos/{made['id']}").json()["usage"]
    assert other == {"cost": 1.5, "currency": "EUR"}
