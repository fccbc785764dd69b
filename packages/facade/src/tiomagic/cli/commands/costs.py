"""``tiomagic costs``."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tiomagic.cli import _filters as f
from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values
from tiomagic.display.streams import wrap_for_writers

if TYPE_CHECKING:
    from tiomagic.cli._output import Output

AMOUNT_COLUMNS: Final = ("currency", "spent", "expected", "spent_jobs", "expected_jobs")
"""The columns behind the group's."""


def costs(  # noqa: PLR0913 - one argument an option
    by: Annotated[
        str,
        typer.Option(
            help="What is summed by: day, model, provider or tag.",
            autocompletion=values.complete_cost_groups,
        ),
    ] = "day",
    since: f.Since = None,
    until: f.Until = None,
    model: o.Model = None,
    provider: f.Provider = None,
    tag: f.Tag = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Show the rows as CSV.")] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Sum what jobs have cost, and what is expected of the others."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.api.costs import describe_budgets, sum_costs  # noqa: PLC0415  # Not for --help.

        tm = connect(output)
        filters = {"since": since, "until": until, "model": model, "provider": provider, "tag": tag}
        rows = sum_costs(tm.session, by, filters)
        if as_csv and not as_json:
            wrap_for_writers(sys.stdout).write(_to_csv(by, rows))
            return
        for line in describe_budgets(tm.session):
            output.say(line)
        if not rows and not as_json:
            output.say("no job has cost anything that is known")
            return
        _show(output, by, rows)


def _show(output: Output, by: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line a group and currency, and the sum of each currency."""
    shown = [[row[by] or "(none)", *_describe_amounts(row)] for row in rows]
    output.table(rows, [by, "spent", "jobs", "expected up to", "jobs"], shown)
    if by == "tag":
        return  # A job with two tags is in two rows.
    for currency in sorted({row["currency"] for row in rows}):
        spent, expected = (
            sum(row[name] for row in rows if row["currency"] == currency)
            for name in ("spent", "expected")
        )
        more = f", and up to {expected:.2f} more is expected" if expected else ""
        output.say(f"{spent:.2f} {currency} spent{more}")


def _describe_amounts(row: Mapping[str, Any]) -> list[str | None]:
    """Return the cells of the amounts; what is of no job stays empty."""
    cells: list[str | None] = []
    for name in ("spent", "expected"):
        jobs = row[f"{name}_jobs"]
        amount = f"{row[name]:.2f} {row['currency']}"
        cells += [amount, str(jobs)] if jobs else [None, None]
    return cells


def _to_csv(by: str, rows: Sequence[Mapping[str, Any]]) -> str:
    target = io.StringIO()
    writer = csv.DictWriter(target, [by, *AMOUNT_COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()
