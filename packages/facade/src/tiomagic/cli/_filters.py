"""The options that filter jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic.api.arguments import JobFilters

_ZONE = "2026-11-22 or 2026-11-22T12:00Z; local time without a zone"

Feature = Annotated[
    str | None,
    typer.Option(help="Feature, such as text-to-video.", autocompletion=values.complete_features),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        "-p",
        help="Provider that ran the job.",
        autocompletion=values.complete_providers,
    ),
]
Text = Annotated[str | None, typer.Option(help="Words that the prompt contains, in any order.")]
Tag = Annotated[str | None, typer.Option(help="Exactly this tag.")]
Since = Annotated[
    str | None,
    typer.Option(help=f"Created then or later: 7d (ago; also 36h, 2w), {_ZONE}."),
]
Until = Annotated[str | None, typer.Option(help="Created before this time.")]


def filters_of(
    *,
    status: list[str] | None,
    feature: str | None,
    model: str | None,
    provider: str | None,
    text: str | None,
    tag: str | None,
    since: str | None,
    until: str | None,
) -> JobFilters:
    """Return the filters of a command line as ``tm`` takes them."""
    filters = {
        "status": status or None,
        "feature": feature,
        "model": model,
        "provider": provider,
        "text": text,
        "tag": tag,
        "since": since,
        "until": until,
    }
    return cast("JobFilters", filters)  # Words are checked where they are used.
