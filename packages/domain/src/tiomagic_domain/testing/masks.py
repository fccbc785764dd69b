"""A fake mask reader: masks are as white as a test says, and half white else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiomagic_domain.media import Media

if TYPE_CHECKING:
    from tiomagic_domain.ports.mask_reader import MaskReader


class FakeMaskReader:
    """Knows masks by their hash.

    Attributes:
        white_parts: Which part of each mask is white, by its hash.
    """

    def __init__(self) -> None:
        self.white_parts: dict[str, float] = {}

    def white_part(self, mask: Media) -> float:
        """Return what the test said; see the port."""
        return self.white_parts.get(mask.sha256, 0.5)


if TYPE_CHECKING:
    _: MaskReader = FakeMaskReader()
