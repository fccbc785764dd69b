"""``tiomagic mask``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def mask(
    source: o.Video,
    *,
    target: o.Target = None,
    outline: Annotated[
        bool,
        typer.Option("--outline", help="Follow the person's outline, not the box around it."),
    ] = False,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make a mask of the person in a video, for --mask-video.

    Look at it with tiomagic sheet VIDEO --mask MASK before you use it.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        tm = connect(output)
        path = tm.make_mask(
            source, target, outline=outline, progress=False if quiet or as_json else None
        )
        output.data({"path": str(path)}, str(path))
