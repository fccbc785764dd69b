"""``tiomagic rerun``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import (
    check_target,
    connect,
    find_preview,
    show_plan,
    show_sizes,
    shows_progress,
    wait_and_show,
)
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic.types import ProviderName


def rerun(  # noqa: PLR0913 - one argument an option
    source: Annotated[
        str,
        typer.Argument(
            help="A job's id, its first characters, @last, a video, or the JSON beside one.",
            autocompletion=values.complete_videos,
        ),
    ],
    *,
    model: o.Model = None,
    provider: o.Provider = None,
    trust: o.Trust = False,
    seed: o.Seed = None,
    seconds: o.Seconds = None,
    aspect: o.Aspect = None,
    resolution: o.Resolution = None,
    loras: o.Lora = None,
    assignments: o.Set = None,
    output: o.OutputFile = None,
    preview: o.PreviewFile = None,
    model_path: o.ModelPath = None,
    wait: o.Wait = True,
    retry: o.Retry = 0,
    max_cost: o.MaxCost = None,
    timeout: o.Timeout = None,
    dry_run: o.DryRun = False,
    force: o.Force = False,
    yes: o.Yes = False,
    accept_terms: o.AcceptTerms = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make a video again, with the same or another seed."""
    manner = o.CommandRun(
        provider=provider,
        model_path=model_path,
        output=output,
        wait=wait,
        retry=retry,
        timeout=timeout,
        quiet=quiet,
        as_json=as_json,
        debug=debug,
        dry_run=dry_run,
        trust=trust,
        force=force,
        yes=yes,
        accept_terms=accept_terms,
        preview=preview,
        max_cost=max_cost,
    )
    with reporting(as_json=as_json, debug=debug) as out:
        from tiomagic.cli._values import loras_text  # noqa: PLC0415  # Not for --help.

        texts = {"seed": seed, "seconds": seconds, "aspect": aspect, "resolution": resolution}
        texts["loras"] = loras_text(loras)
        _repeat(out, source, model, texts, assignments or [], manner)


def _repeat(
    out: Output,
    source: str,
    model: str | None,
    texts: Mapping[str, str | None],
    assignments: list[str],
    manner: o.CommandRun,
) -> None:
    """Make the video of a recipe again, or show what that would take."""
    from tiomagic.api import models  # noqa: PLC0415  # Not for --help.
    from tiomagic.api.run import choose_rerun_providers  # noqa: PLC0415  # The same.
    from tiomagic.cli._trust import (  # noqa: PLC0415  # The same.
        announce_download,
        ask_for_consent,
        confirm_recipe,
    )
    from tiomagic.cli._values import parse_arguments  # noqa: PLC0415  # The same.
    from tiomagic.cli.warm.submit import submit  # noqa: PLC0415  # The same.

    tm = connect(
        out,
        provider=manner.provider,
        model_path=manner.model_path,
        accept_terms=manner.accept_terms,
    )
    named = {text.partition("=")[0].strip().replace("-", "_") for text in assignments}
    named |= {"loras"} if texts["loras"] is not None else set()
    recipe = confirm_recipe(out, tm, source, replaced=named, model=model, trust=manner.trust)
    found = models.find_schema(str(recipe["feature"]), model or str(recipe["model"]))
    changes = parse_arguments(found, texts, assignments)
    target = check_target(manner.output)
    previews = find_preview(out, manner.preview, waits=manner.wait)
    names = choose_rerun_providers(tm.session, recipe, None)
    tm.configure(provider=cast("list[ProviderName]", names))
    asked = names[0]
    name = model or str(recipe["model"])
    if manner.dry_run:
        kind = str(recipe["feature"])
        show_plan(out, tm, kind, name, changes, recipe=recipe, manner=manner)
        return
    ask_for_consent(out, tm, [name])
    quiet, yes, force = manner.quiet, manner.yes, manner.force
    given = {**recipe["required_args"], **recipe["optional_args"], **changes}
    announce_download(
        out, tm, name, provider=asked, quiet=quiet, yes=yes, force=force, arguments=given
    )
    if shows_progress(manner):
        show_sizes(out, str(recipe["feature"]), name, changes, recipe)
    call = partial(
        tm.rerun,
        source,
        model=model,
        trust=True,
        retry=manner.retry,
        force=force,
        max_cost=manner.max_cost,
        **changes,
    )
    job = submit(out, tm, manner, asked, name, call, previews=previews)
    wait_and_show(out, job, manner, target, compared=True, previews=previews)
