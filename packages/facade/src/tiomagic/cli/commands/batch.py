"""``tiomagic batch`` and ``tiomagic compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic import TioMagic
    from tiomagic.api.run_batches import Batch, Comparison
    from tiomagic.types import FeatureName, ModelName

MAX_REQUESTS_FILE_BYTES = 64 * 2**20
"""Most characters of a file of requests."""

Concurrency = Annotated[
    int | None,
    typer.Option(
        metavar="JOBS", help="Jobs to run at once on a remote provider; 4 by default, 64 on Ray."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="A model; repeatable.",
        autocompletion=values.complete_models,
    ),
]
Seeds = Annotated[
    list[int] | None, typer.Option("--seed", metavar="INTEGER", help="A seed; repeatable.")
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Folder for the video, the sheet, the CSV and the JSON.",
    ),
]


def batch(  # noqa: PLR0913 - one argument an option
    path: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON: a list, or an object a line; - for stdin.")
    ],
    *,
    provider: o.Provider = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the batch; a new name makes all videos again.")
    ] = None,
    concurrency: Concurrency = None,
    force: o.Force = False,
    accept_terms: o.AcceptTerms = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make every video of a request file, or resume it.

    Each is {"feature": "text_to_video", "prompt": "…"} with "model" and settings as you like.
    Exits with 5 if one fails; the others are still made.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.cli._trust import ask_for_consent  # noqa: PLC0415  # Not for --help.

        requests = _requests(path)
        tm = _connected(output, provider, accept_terms)
        named = [one.get("model") for one in requests if isinstance(one, dict)]
        ask_for_consent(output, tm, [model for model in named if isinstance(model, str)])
        made = tm.batch(
            requests,
            name=name,
            concurrency=concurrency,
            progress=not (quiet or as_json),
            force=force,
        )
        paths = [job.result_video or "" for job in made.jobs]
        _show(output, made, "\n".join(paths))


def compare(  # noqa: PLR0913 - one argument an option
    feature: Annotated[
        str,
        typer.Argument(
            help="Feature, such as text-to-video.", autocompletion=values.complete_features
        ),
    ],
    *,
    prompts: Annotated[
        list[str], typer.Option("--prompt", metavar="TEXT", help="A prompt; repeatable.")
    ],
    models: Models = None,
    seeds: Seeds = None,
    seconds: o.Seconds = None,
    aspect: o.Aspect = None,
    resolution: o.Resolution = None,
    assignments: o.Set = None,
    provider: o.Provider = None,
    folder: Folder = None,
    concurrency: Concurrency = None,
    force: o.Force = False,
    accept_terms: o.AcceptTerms = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Compare models, prompts and seeds side by side.

    Makes a video for each combination, and shows all in one video and on one sheet.

    Exits with 5 if one fails; the others are still made.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.cli._trust import ask_for_consent  # noqa: PLC0415  # Not for --help.

        tm = _connected(output, provider, accept_terms)
        names = cast("list[ModelName] | None", models or None)
        sizes = {"seconds": seconds, "aspect": aspect, "resolution": resolution}
        kind, settings = _settings(tm, feature, names, sizes, assignments or [])
        ask_for_consent(output, tm, names or ())
        made = tm.compare(
            kind,
            prompts=prompts,
            models=names,
            seeds=seeds or (0,),
            folder=folder,
            concurrency=concurrency,
            progress=not (quiet or as_json),
            force=force,
            **settings,
        )
        _show_comparison(output, made)


def _show_comparison(output: Output, made: Comparison) -> None:
    files = [made.video, made.sheet, made.csv, made.json]
    _show(output, made, "\n".join(str(file) for file in files if file is not None))


def _settings(
    tm: TioMagic,
    feature: str,
    models: list[ModelName] | None,
    sizes: Mapping[str, str | None],
    assignments: list[str],
) -> tuple[FeatureName, dict[str, Any]]:
    """Return the feature that is meant, and the settings of a comparison."""
    from tiomagic.api.models import find_schema  # noqa: PLC0415  # Not for --help.
    from tiomagic.cli._values import parse_arguments  # noqa: PLC0415  # The same.
    from tiomagic_domain.catalogue import find_feature  # noqa: PLC0415  # The same.

    named: FeatureName = find_feature(feature).value
    known = find_schema(named, (models or [tm.get_default_model(feature=named)])[0])
    return named, parse_arguments(known, sizes, assignments)


def _connected(
    output: Output, provider: str | None, accept_terms: Sequence[str] | None
) -> TioMagic:
    from tiomagic.wiring.provider_names import DEFAULT_PROVIDER  # noqa: PLC0415  # Not for --help.

    tm = connect(output, provider=provider, accept_terms=accept_terms)
    if tm.settings.provider is None:
        tm.configure(provider=DEFAULT_PROVIDER)
    return tm


def _show(output: Output, made: Batch, text: str) -> None:
    """Print the outcomes, and exit with the code of a failure if there is one."""
    output.data({"name": made.name, "cells": [cell.to_dict() for cell in made.cells]}, text)
    for cell in made.failures:
        row = cell.to_dict()
        output.say(f"failed: {row['model']}, {row['prompt']!r}, seed {row['seed']}: {cell.error}")
    if made.failures:
        raise typer.Exit(ExitCode.FAILED)


def _requests(path: str) -> list[Any]:
    """Return the requests of a file.

    Raises:
        ResourceNotFoundError: when it cannot be read.
        ValidationError: when it is neither a list nor objects by line.
    """
    from tiomagic.cli._text_input import read_text  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.files.json_documents import read_json  # noqa: PLC0415  # The same.

    text = read_text(path)
    if text.lstrip().startswith("["):
        requests: list[Any] = read_json(text, path, longest=MAX_REQUESTS_FILE_BYTES)
        return requests
    lines = enumerate(text.splitlines(), 1)
    return [read_json(line, f"line {number} of {path}") for number, line in lines if line.strip()]
