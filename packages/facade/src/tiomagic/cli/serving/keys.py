"""``tiomagic serve keys``: the keys of clients, their limits, and what is spent with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from tiomagic.cli._output import Output
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.ports.cost_keeping import KeepsCosts

if TYPE_CHECKING:
    from tiomagic import TioMagic


def manage_keys(
    output: Output,
    keys: Any,
    tm: TioMagic,
    action: str,
    name: str | None,
    limits: Mapping[str, Any],
) -> None:
    """List, add or remove the keys of clients.

    Args:
        output: Where it is said.
        keys: The server's ``ClientKeys``.
        tm: With the job store, which knows what is spent.
        action: The word of the command.
        name: Whose key.
        limits: With ``add``: those of the key.
    """
    if action == "list":
        _list_keys(output, keys, tm)
        return
    if action not in {"add", "remove"}:
        raise typer.BadParameter("keys have list, add and remove", param_hint="WHAT")
    if name is None:
        raise typer.BadParameter("say whose key", param_hint="NAME")
    if action == "add":
        key = keys.add(name, **limits)
        output.data({"name": name, "key": key}, key)
        output.say("Keep it: it is stored nowhere, and cannot be shown again.")
        return
    keys.remove(name)
    output.data({"removed": name}, f"the key of {name} is removed; its jobs stay")


def _list_keys(output: Output, keys: Any, tm: TioMagic) -> None:
    plain = [
        {
            "name": one.name,
            "created": one.created,
            "jobs_per_minute": one.jobs_per_minute,
            "page": one.page,
            **{
                field: str(value) if isinstance(value, Money) else value
                for period in BudgetPeriod
                for field, value in _describe_period(tm, one, period).items()
            },
        }
        for one in keys.list()
    ]
    columns = ["name", "created", "jobs a minute", "page", "today", "this month"]
    rows = [
        (
            one["name"],
            one["created"],
            one["jobs_per_minute"],
            "yes" if one["page"] else "no",
            _say_spent(one["spent_today"], one["daily_budget"]),
            _say_spent(one["spent_this_month"], one["monthly_budget"]),
        )
        for one in plain
    ]
    output.table(plain, columns, rows)


def _describe_period(tm: TioMagic, key: Any, period: BudgetPeriod) -> dict[str, Any]:
    """Return the budget of a day or a month, and what is taken of it; None for no budget."""
    is_day = period is BudgetPeriod.DAY
    limit = key.daily_budget if is_day else key.monthly_budget
    # Without a budget the currency of most vendors is summed.
    budget = Budget(period=period, limit=Money.parse(limit or 0), payer=key.name)
    repository = tm.session.container.repository()
    spent = None
    if tm.session.has_stored_jobs and isinstance(repository, KeepsCosts):
        spent = repository.sum_taken(budget, tm.session.clock.now())
    names = ("daily_budget", "spent_today") if is_day else ("monthly_budget", "spent_this_month")
    return dict(zip(names, (limit, spent), strict=True))


def _say_spent(spent: str | None, limit: str | None) -> str:
    said = spent or "0.00 USD"
    return f"{said} of {limit}" if limit else said
