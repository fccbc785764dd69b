"""``tiomagic convert``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values


def convert(
    source: o.Video,
    *,
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="mp4 (at another width), gif, webp, png (one frame), frames (a folder of PNG), "
            "prores (.mov for editors) or ffv1 (.mkv, lossless).",
            autocompletion=values.complete_video_formats,
        ),
    ],
    target: o.Target = None,
    width: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="New width; by default that of the video.")
    ] = None,
    frame: Annotated[
        int, typer.Option(metavar="INTEGER", help="Frame that a png shows; -1 is the last one.")
    ] = -1,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Write a video in another format.

    A png of the last frame is a start for the next shot.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        path = connect(output).convert(source, to, target, width=width, frame=frame)
        output.data({"path": str(path)}, str(path))
