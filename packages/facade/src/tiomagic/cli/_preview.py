"""``--preview FILE``: the newest preview of a running job, kept in a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tiomagic.cli._output import Output
    from tiomagic_domain.progress import Progress

PICTURES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class PreviewFile:
    """Writes each new preview to a file, which is replaced whole.

    A viewer that reads the file again when it changes shows the video as it comes.
    """

    path: Path

    def __call__(self, progress: Progress) -> None:
        """Take a progress event."""
        if progress.preview is not None:
            self.write(progress.preview)

    def write(self, jpeg: bytes) -> None:
        """Write a picture; on a disk that is full, nothing happens."""
        from tiomagic_domain.files.replacing import replacing  # noqa: PLC0415  # Not for --help.

        with suppress(OSError), replacing(self.path, durable=False) as part:
            part.write_bytes(jpeg)


def open_preview(output: Output, path: Path | None, *, waits: bool) -> PreviewFile | None:
    """Return what writes the previews of a command; None when none are wanted.

    Args:
        output: Of the command; says where they are.
        path: The option's value, where a file can be written.
        waits: True when the command stays until the job is over.

    Raises:
        typer.BadParameter: when the command ends at once.
        ValidationError: when the file is to be no JPEG.
    """
    from tiomagic_domain.errors import Problem, ValidationError  # noqa: PLC0415  # Not for --help.

    if path is None:
        return None
    if not waits:
        hint = "a command that does not wait writes no previews: tiomagic status JOB --preview FILE"
        raise typer.BadParameter(hint, param_hint="--preview")
    if path.suffix.lower() not in PICTURES:
        problem = Problem(field="--preview", message="must end in .jpg", given=repr(str(path)))
        raise ValidationError.of([problem], subject="the command line")
    output.say(f"previews: {path}")
    return PreviewFile(path)
