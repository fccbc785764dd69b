"""``tiomagic demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import check_target, connect


def demo(
    folder: Annotated[
        str, typer.Argument(help="Folder for the clips and the sheet; made if it does not exist.")
    ] = "tiomagic-demo",
    *,
    provider: o.Provider = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make one clip of each feature with doodle, and a sheet.

    The sheet shows frames of all four. The clips are enlarged to 512 pixels. Their inputs go into
    the folder inputs beside them.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.demo import (  # noqa: PLC0415  # Not for --help.
            DEMO_INPUTS,
            SHEET,
            copy_inputs,
            draw_sheet,
            enlarge_clip,
            make_clips,
        )
        from tiomagic.wiring.provider_names import DEFAULT_PROVIDER  # noqa: PLC0415  # The same.

        tm = connect(output, provider=provider)
        if tm.settings.provider is None:
            tm.configure(provider=DEFAULT_PROVIDER)
        target = _folder(folder)
        clips = []
        for example, video in make_clips(tm, progress=not (quiet or as_json)):
            clips.append((example, enlarge_clip(tm, video, target / f"{example.feature}.mp4")))
            output.say(f'{example.feature}: "{example.prompt}"')
        copy_inputs(target / DEMO_INPUTS.name)
        sheet = draw_sheet(tm, clips, target / SHEET)
        plain = {example.feature: str(path) for example, path in clips}
        paths = [*plain.values(), str(sheet)]
        output.data({**plain, "contact_sheet": str(sheet)}, "\n".join(paths))


def _folder(path: str) -> Path:
    """Return the folder, made when it is not there.

    Raises:
        ValidationError: when nothing can be written there.
    """
    from tiomagic.demo import SHEET  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.errors import Problem, ValidationError  # noqa: PLC0415  # The same.

    folder = Path(path).expanduser().absolute()
    if not folder.exists():
        check_target(path, field="FOLDER")
        try:
            folder.mkdir()
        except OSError as error:
            problem = Problem(
                field="FOLDER", message=f"cannot be made: {error.strerror}", given=repr(path)
            )
            raise ValidationError.of([problem], subject="the command line") from error
    check_target(str(folder / SHEET), field="FOLDER")
    return folder
