"""The newest preview of a running job, kept in a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiomagic_domain.files.replacing import replacing

if TYPE_CHECKING:
    from tiomagic_domain.progress import Progress


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
        with suppress(OSError), replacing(self.path, durable=False) as part:
            part.write_bytes(jpeg)
