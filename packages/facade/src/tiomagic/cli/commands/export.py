"""``tiomagic export``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tiomagic.cli import _filters as f
from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values
from tiomagic.display.streams import wrap_for_writers


def export(  # noqa: PLR0913 - one argument an option
    path: Annotated[str, typer.Argument(help="The file, .json or .csv; - for stdout.")],
    *,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="json or csv; by default the ending of the file's name.",
            autocompletion=values.complete_export_formats,
        ),
    ] = None,
    status: o.Status = None,
    feature: f.Feature = None,
    model: o.Model = None,
    provider: f.Provider = None,
    text: f.Text = None,
    tag: f.Tag = None,
    since: f.Since = None,
    until: f.Until = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Export the stored jobs as CSV or JSON, newest first."""
    narrowed = f.filters_of(
        status=status,
        feature=feature,
        model=model,
        provider=provider,
        text=text,
        tag=tag,
        since=since,
        until=until,
    )
    with reporting(as_json=as_json, debug=debug) as output:
        tm = connect(output)
        if path == "-":
            tm.export_jobs(wrap_for_writers(sys.stdout), form or "json", **narrowed)
            return
        count = tm.export_jobs(path, form, **narrowed)
        output.data({"path": path, "jobs": count}, path)
        output.say("1 job" if count == 1 else f"{count} jobs")
