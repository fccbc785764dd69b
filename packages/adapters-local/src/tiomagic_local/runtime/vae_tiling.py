"""Switches a VAE between tiles and whole frames, for each call."""

from __future__ import annotations

from typing import Any


class Tiling:
    """The tiles of one pipeline's VAE.

    Args:
        pipeline: With its engine made: an engine that has set tiles itself keeps them.
    """

    def __init__(self, pipeline: Any) -> None:
        self._vae: Any = getattr(pipeline, "vae", None)
        self._fixed = getattr(self._vae, "use_tiling", False)

    def use(self, *, tiles: bool) -> None:
        """Set whether the next call works in tiles."""
        if self._fixed or not hasattr(self._vae, "enable_tiling"):
            return
        if tiles:
            self._vae.enable_tiling()
        else:
            self._vae.disable_tiling()
