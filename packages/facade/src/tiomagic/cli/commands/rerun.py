"""``tiomagic rerun``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import check_target, connect, show_changes, show_sizes, wait_and_show
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic.types import FeatureName, ModelName, ProviderName


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
    assignments: o.Set = None,
    output: o.OutputFile = None,
    model_path: o.ModelPath = None,
    wait: o.Wait = True,
    retry: o.Retry = 0,
    timeout: o.Timeout = None,
    dry_run: o.DryRun = False,
    force: o.Force = False,
    yes: o.Yes = False,
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
        force=force,
        yes=yes,
    )
    with reporting(as_json=as_json, debug=debug) as out:
        from tiomagic.api import models  # noqa: PLC0415  # Not for --help.
        from tiomagic.cli._trust import announce_download, confirm_recipe  # noqa: PLC0415  # The same.
        from tiomagic.cli._values import parse_arguments  # noqa: PLC0415  # The same.
        from tiomagic.cli.warm.submit import submit  # noqa: PLC0415  # The same.
        from tiomagic.display.plans import describe_plan  # noqa: PLC0415  # The same.

        tm = connect(out, provider=provider, model_path=model_path)
        named = [text.partition("=")[0].strip().replace("-", "_") for text in assignments or []]
        recipe = confirm_recipe(out, tm, source, replaced=named, model=model, trust=trust)
        found = models.find_schema(str(recipe["feature"]), model or str(recipe["model"]))
        texts = {"seed": seed, "seconds": seconds, "aspect": aspect, "resolution": resolution}
        changes = parse_arguments(found, texts, assignments or [])
        target = check_target(output)
        asked = provider or tm.settings.provider or str(recipe["provider"])
        named_model = model or str(recipe["model"])
        if dry_run:
            tm.configure(provider=cast("ProviderName", asked))
            whole = show_changes(out, recipe, named_model, changes).arguments
            kind = cast("FeatureName", str(recipe["feature"]))
            planned = tm.plan(kind, cast("ModelName", named_model), **whole)
            out.data(planned, describe_plan(planned))
            return
        announce_download(out, tm, named_model, quiet=quiet, yes=yes, force=force, provider=asked)
        if not (quiet or as_json):
            show_sizes(out, str(recipe["feature"]), named_model, changes, recipe)
        call = partial(
            tm.rerun, source, model=model, trust=True, retry=retry, force=force, **changes
        )
        job = submit(out, tm, manner, asked, named_model, call)
        wait_and_show(out, job, manner, target, compared=True)
