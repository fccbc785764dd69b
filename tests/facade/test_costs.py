"""Limits, budgets, sums of costs and several providers, through ``tm`` and the command line."""

import csv
import io
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from tiomagic import TioMagic
from tiomagic.cli.main import app
from tiomagic.errors import ConfigurationError, UnknownProviderError, ValidationError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import FakeClock, FakeProvider, MemoryJobRepository, make_job
from tiomagic_domain.testing.repository import NOON


def call(*words, **options):
    """Run a command in this process."""
    return CliRunner().invoke(app, list(words), catch_exceptions=False, **options)


def paid(amount, *, spent=None, **fields):
    """A job that was expected to cost an amount, or has cost one."""
    cost = {} if spent is None else {"cost": {"amount": spent, "currency": "USD", "per": "run"}}
    over = {} if spent is None else {"status": JobStatus.COMPLETED}
    facts = {"estimate": {"amount": amount, "currency": "USD"}, **cost}
    return make_job(provider="modal", facts=facts, **over, **fields)


@pytest.fixture
def tm(folder, tmp_path):
    """An instance with a history of three jobs, one of which cost nothing."""
    repository = MemoryJobRepository()
    repository.add(paid(2.0, spent=1.5, model="wan2.1-t2v-14b", tags=("a",)))
    repository.add(paid(2.0, model="ltx-video", creation_time=NOON + timedelta(days=1)))
    repository.add(make_job())
    providers = {
        name: FakeProvider(tmp_path / "spool", name=name, blocking=name == "local")
        for name in ("local", "modal")
    }
    return TioMagic(
        overrides={"repository": repository, "providers": providers, "clock": FakeClock()}
    )


def test_the_costs_of_jobs_by_day_and_model(tm):
    """A row has the group under its name; what was spent and what is expected are apart."""
    assert tm.costs() == [
        {
            "day": "2026-11-22",
            "currency": "USD",
            "spent": 1.5,
            "expected": 0.0,
            "spent_jobs": 1,
            "expected_jobs": 0,
        },
        {
            "day": "2026-11-23",
            "currency": "USD",
            "spent": 0.0,
            "expected": 2.0,
            "spent_jobs": 0,
            "expected_jobs": 1,
        },
    ]
    assert [row["model"] for row in tm.costs("model")] == ["ltx-video", "wan2.1-t2v-14b"]
    assert [row["tag"] for row in tm.costs("tag")] == ["", "a"]
    assert tm.costs("provider", tag="a")[0]["provider"] == "modal"
    assert tm.costs(since="2026-11-24") == []


def test_costs_that_cannot_be_asked_for(tm):
    """The error names the filter and what it takes."""
    with pytest.raises(ValidationError, match="by: must be one of day, model, provider, tag"):
        tm.costs("week")
    with pytest.raises(ValidationError, match="since"):
        tm.costs(since="someday")


def test_limits_are_settings(folder, monkeypatch):
    """They come from the environment and from ``configure``, in one form."""
    monkeypatch.setenv("TIOMAGIC_MAX_COST", "2.5")
    monkeypatch.setenv("TIOMAGIC_DAILY_BUDGET", "10 eur")
    tm = TioMagic(monthly_budget=60)
    settings = tm.settings
    assert (settings.max_cost, settings.daily_budget, settings.monthly_budget) == (
        "2.50 USD",
        "10.00 EUR",
        "60.00 USD",
    )
    with pytest.raises(ValidationError, match=r"max_cost: must be an amount.*2\.50"):
        tm.configure(max_cost="lots")


def test_a_limit_holds_for_a_call(tm):
    """A price that is not known is above it; nothing is stored."""
    tm.configure(provider="modal")
    before = len(tm.list_jobs())
    with pytest.raises(ConfigurationError, match="what it costs is not known") as caught:
        tm.text_to_video("wan2.1-t2v-14b", prompt="a fox", max_cost=3)
    assert (caught.value.code, len(tm.list_jobs())) == ("over_budget", before)


def test_a_limit_that_was_set_can_be_lifted(tm):
    """For one call and for all: None is what is left out, so there is a word for no limit."""
    tm.configure(provider="modal", max_cost=0, daily_budget=0)
    call = {"model": "wan2.1-t2v-14b", "prompt": "a fox"}
    with pytest.raises(ConfigurationError, match=r"max_cost is 0\.00 USD"):
        tm.text_to_video(**call)
    with pytest.raises(ConfigurationError, match="daily_budget"):
        tm.text_to_video(**call, max_cost="none")
    tm.configure(max_cost="none", daily_budget=" None ")
    assert (tm.settings.max_cost, tm.settings.daily_budget) == ("none", "none")
    assert tm.text_to_video(**call, progress=False).job_id


def test_several_providers_are_configured(tm, monkeypatch):
    """By a list or with commas; the first is the default, and each must exist."""
    for given in (["modal", "local"], "modal, local"):
        tm.configure(provider=given)
        assert (tm.settings.provider, tm.settings.other_providers) == ("modal", ("local",))
    with pytest.raises(UnknownProviderError, match="'modall'"):
        tm.configure(provider=["local", "modall"])
    monkeypatch.setenv("TIOMAGIC_PROVIDER", "modal,local")
    assert TioMagic().settings.other_providers == ("local",)


def test_a_call_goes_to_the_first_that_can_run_it(tm):
    """The handle, the plan and a rerun say where it ran, and why."""
    tm.configure(provider=["modal", "local"])
    tm.session.provider("modal").provider.rejection = ConfigurationError("not set up")
    call = {"model": "wan2.1-t2v-14b", "prompt": "a fox"}
    planned = tm.plan("text_to_video", **call)
    assert (planned["provider"], planned["passed_over"][0]["reason"]) == ("local", "not set up")
    job = tm.text_to_video(**call, progress=False)
    assert (job.provider, job.passed_over[0]["provider"]) == ("local", "modal")
    assert "modal was passed over: not set up" in job.warnings
    again = tm.rerun(job.job_id, progress=False)
    assert (again.provider, again.passed_over) == ("local", [])


def test_the_command_sums_costs(folder):
    """A table for people, JSON and CSV for programs; budgets are named."""
    tm = TioMagic()
    for job in (paid(2.0, spent=1.5), paid(2.0)):
        tm.session.container.repository().add(job)
    tm.close()
    shown = call("costs", "--by", "provider", env={"TIOMAGIC_DAILY_BUDGET": "10"})
    assert shown.exit_code == 0
    assert "modal" in shown.stdout
    assert "1.50 USD" in shown.stdout
    assert "daily_budget 10.00 USD" in shown.stderr
    rows = json.loads(call("costs", "--by", "provider", "--json").stdout)
    assert (rows[0]["spent"], rows[0]["expected"]) == (1.5, 2.0)
    table = list(csv.DictReader(io.StringIO(call("costs", "--csv").stdout)))
    assert [(row["day"], row["currency"], row["spent"]) for row in table] == [
        ("2026-11-22", "USD", "1.5")
    ]
