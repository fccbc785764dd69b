"""``tiomagic rehearse``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values


def rehearse(
    model: Annotated[
        str,
        typer.Argument(
            help="Model to use; see: tiomagic models.", autocompletion=values.complete_models
        ),
    ],
    *,
    provider: o.Provider = None,
    model_path: o.ModelPath = None,
    assignments: o.Set = None,
    accept_terms: o.AcceptTerms = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Check whether a model can run here, before a download.

    Checks its files on the hub, the disk, the licence and the memory, and runs it with random
    weights. Exits with 3 if a real run would fail.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.cli._trust import ask_for_consent  # noqa: PLC0415  # Not for --help.
        from tiomagic.cli._values import read_settings  # noqa: PLC0415  # The same.
        from tiomagic.wiring.provider_names import DEFAULT_PROVIDER  # noqa: PLC0415  # Not for --help.
        from tiomagic_domain.catalogue import models  # noqa: PLC0415  # The same.

        tm = connect(output, provider=provider, model_path=model_path, accept_terms=accept_terms)
        ask_for_consent(output, tm, [model])
        card = models().get(model)
        if card is not None:
            tm.session.require_consent(card)
        output.say(f"rehearsing {model}; random weights of a large model take minutes to make")
        settings = read_settings(card, assignments or [])
        found = tm.rehearse(model, tm.settings.provider or DEFAULT_PROVIDER, settings)
        rows = [(one["part"], one["outcome"], one["message"]) for one in found["checks"]]
        if as_json:
            output.data(found, "")
        else:
            output.table(found["checks"], ["part", "", "what was found"], rows)
        output.say(_verdict(found))
        if not found["ok"]:
            raise typer.Exit(ExitCode.REFUSED)


def _verdict(found: dict[str, object]) -> str:
    """Return the needs of a real run, or why it would fail."""
    needs = found["needs"]
    assert isinstance(needs, dict), "a rehearsal always has them"
    words = {
        "download_gib": "GiB to download",
        "gpu_memory_gib": "GiB of the GPU",
        "memory_gib": "GiB of main memory",
    }
    said = ", ".join(f"{needs[name]:g} {word}" for name, word in words.items() if name in needs)
    if found["ok"]:
        verdict = f"{found['model']} will run"
    else:
        verdict = f"{found['model']} will not run here as it is; see the problems above"
    return f"{verdict}. A real run takes {said}" if said else verdict
