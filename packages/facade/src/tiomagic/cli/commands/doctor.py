"""``tiomagic doctor``."""

from __future__ import annotations

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import reporting


def doctor(*, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Check settings, folders, devices and providers.

    Changes nothing and makes no request. Exits with 3 if there is a problem.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic import tm  # noqa: PLC0415  # Not for --help.
        from tiomagic.doctor import Severity, diagnose, worst_severity  # noqa: PLC0415  # Not for --help.

        findings = diagnose(tm.session)
        rows = [(found.part, found.state.value, found.message) for found in findings]
        output.table([found.to_dict() for found in findings], ["part", "", "what there is"], rows)
        if worst_severity(findings) is Severity.PROBLEM:
            raise typer.Exit(ExitCode.REFUSED)
