"""Plays a video in the player of the desktop."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tiomagic_domain.errors import ProcessingError


def play_file(video: Path) -> None:
    """Open a video in the default player.

    Raises:
        ProcessingError: when there is no desktop, or no player; the message names the file.
    """
    import typer  # noqa: PLC0415  # Only here.

    if not _has_desktop() or typer.launch(str(video)) != 0:
        raise ProcessingError(
            f"there is no player here; the file is {video}", details={"path": str(video)}
        )


def _has_desktop() -> bool:
    """Return whether a program can be asked to show a file; on Linux it would only complain."""
    if not sys.platform.startswith("linux"):
        return True
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_screen and shutil.which("xdg-open") is not None
