"""``tiomagic convert``."""

from __future__ import annotations

from pathlib import Path
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
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="mp4 (at another width), gif, webp, png (one frame, the last by default), frames "
            "(a folder of PNG), prores (.mov for editors) or ffv1 (.mkv, lossless). Left out: by "
            "the ending of -o.",
            autocompletion=values.complete_video_formats,
        ),
    ] = None,
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
        form = _find_format(to, target)
        path = connect(output).convert(source, form, target, width=width, frame=frame)
        output.data({"path": str(path)}, str(path))


def _find_format(to: str | None, target: str | None) -> str:
    """Return the format that is asked for; by the ending of the file when none is named."""
    from tiomagic.results.pictures import FILE_SUFFIXES  # noqa: PLC0415  # Not for --help.

    by_ending = {ending: name for name, ending in FILE_SUFFIXES.items() if ending}
    if to is not None:
        # An ending, such as mov, is what people call the format.
        return to if to in FILE_SUFFIXES else by_ending.get(f".{to.lower().lstrip('.')}", to)
    found = by_ending.get(Path(target).suffix.lower()) if target is not None else None
    if found is None:
        known = ", ".join(FILE_SUFFIXES)
        raise typer.BadParameter(f"give a format: {known}", param_hint="--to")
    return found
