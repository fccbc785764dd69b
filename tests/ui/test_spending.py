"""The limit of a form, and the providers that are tried after the chosen one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiomagic import TioMagic
from tiomagic.errors import ConfigurationError, ValidationError
from tiomagic.ui.browser_input import Wanted, read_kept_wanted, read_wanted
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.fields import entries_of
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.testing import FakeProvider

MODEL = "wan2.1-t2v-1.3b"


class Priced(FakeProvider):
    """A provider that runs for money."""

    price = 0.4

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return its price."""
        return Estimate(amount=self.price, currency="USD", basis="a price of the tests")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageController]:
    """A page over a cheap provider and an expensive one."""
    cheap, dear = (
        Priced(tmp_path / name, name=name, default_model=MODEL) for name in ("fal", "modal")
    )
    dear.price = 2.0
    given = {"providers": {"fal": cheap, "modal": dear}}
    made = TioMagic(working_dir=tmp_path, provider=["modal", "fal"], overrides=given)
    with closing(made):
        yield PageController(made.session)


def wanting(**changed: Any) -> Wanted:
    """How a call is made."""
    return {"count": 1, "max_cost": "", "others": [], **changed}  # type: ignore[typeddict-item]


def entered(page: PageController, choice: Any, prompt: str = "a fox") -> list[Any]:
    """The entries of a form."""
    fields = page.chooser.fields(choice)
    values = {field.name: field.value for field in fields} | {"prompt": prompt}
    return [values.get(name) for name in entries_of(fields)]


def test_the_settings_say_what_holds_at_first(page: PageController) -> None:
    """The providers after the first one, and no limit of the form's own."""
    assert page.first_wanted() == wanting(others=["fal"])
    choice = page.chooser.choose()
    assert choice["provider"] == "modal"
    assert {"local", "fal"} <= {*page.chooser.other_providers(choice)}


def test_the_next_provider_is_announced_and_runs(page: PageController) -> None:
    """Above the limit at the first one; the job says why that was passed over."""
    choice = page.chooser.choose("modal", "text_to_video", MODEL)
    wanted = wanting(max_cost="1", others=["fal", "nowhere"])
    shown = page.expect(choice, wanted=wanted)
    assert shown.may_cost
    for said in ("on fal", "about 0.40 USD", "Not on modal: It is expected to cost 2.00 USD"):
        assert said in shown.html
    assert "Cost limit is 1.00 USD" in shown.html
    (job,) = page.submit(choice, entered(page, choice), wanted)
    assert job.provider == "fal"
    (passed,) = job.facts["passed_over"]
    assert (passed["provider"], passed["code"]) == ("modal", "over_budget")
    assert passed["reason"].startswith("it is expected to cost 2.00 USD")


def test_a_limit_of_the_form_stops_the_press(page: PageController) -> None:
    """Nothing is stored; text that is no amount is a problem of its field."""
    choice = page.chooser.choose("fal", "text_to_video", MODEL)
    with pytest.raises(ConfigurationError) as caught:
        page.submit(choice, entered(page, choice), wanting(max_cost="0.1"))
    assert caught.value.code == "over_budget"
    with pytest.raises(ValidationError) as refused:
        page.submit(choice, entered(page, choice), wanting(max_cost="lots"))
    assert [problem.field for problem in refused.value.problems] == ["max_cost"]
    assert page.session.generation.list(JobQuery()) == []
    assert "0.40 USD" in page.expect(choice, wanted=wanting(max_cost="lots")).html


ODD: list[Any] = [None, 7, True, "", "x" * 5000, "\ud83d", [], [7, None], {"a": 1}, [["fal"]]]


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:20])
def test_what_a_browser_sends_is_bounded(odd: Any) -> None:
    """At every place, also of what it has stored."""
    wanted = read_wanted(odd, odd, odd, 8)
    assert 1 <= wanted["count"] <= 8
    assert len(wanted["max_cost"]) <= 200
    assert all(isinstance(name, str) for name in wanted["others"])
    first = wanting(others=["fal"])
    assert read_kept_wanted(odd, first) == first
    read_kept_wanted(json.dumps({"max_cost": odd, "others": odd}), first)["max_cost"].encode()


def test_what_a_browser_has_stored_comes_back() -> None:
    """Each provider once; what is not there is as the settings say."""
    kept = '{"max_cost": " 0.5 ", "others": ["fal", "fal", "ray"]}'
    assert read_kept_wanted(kept, wanting()) == wanting(max_cost="0.5", others=["fal", "ray"])
    half = read_kept_wanted('{"max_cost": "9"}', wanting(others=["ray"]))
    assert half == wanting(max_cost="9", others=["ray"])
