"""``tiomagic sheet``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def sheet(
    source: o.Video,
    *,
    target: o.Target = None,
    frames: Annotated[int, typer.Option(metavar="INTEGER", help="Number of frames.")] = 12,
    columns: Annotated[int, typer.Option(metavar="INTEGER", help="Frames in each row.")] = 4,
    width: Annotated[int, typer.Option(metavar="PIXELS", help="Width of each frame.")] = 240,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="A mask, whose white is shown in red: what --mask-video would replace.",
        ),
    ] = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Draw frames of a video, with their times, on one picture."""
    with reporting(as_json=as_json, debug=debug) as output:
        tm = connect(output)
        path = tm.contact_sheet(
            source, target, frames=frames, columns=columns, width=width, mask=mask
        )
        output.data({"path": str(path)}, str(path))
