"""Doodle is tiny itself: its own weights, which come with the package, take its place."""

from __future__ import annotations

from pathlib import Path

__all__ = ["TINY", "build_doodle"]


def build_doodle(folder: Path) -> None:
    """Put the weights that come with the package into a folder."""
    from tiomagic_local.weights import PACKAGED

    folder.symlink_to(PACKAGED / "doodle", target_is_directory=True)


TINY = {"doodle": build_doodle}
