"""Port: the mask reader, which looks at a mask before it is used."""

from __future__ import annotations

from typing import Protocol

from tiomagic_domain.media import Media


class MaskReader(Protocol):
    """Looks at a mask, whose white is replaced; a grey counts as the nearer of black and white."""

    def white_part(self, mask: Media) -> float:
        """Return which part of the picture is white, 0 to 1, on average over a few frames.

        It is 0 only for a mask that is black in all of its frames.

        Args:
            mask: A video; of one frame for a picture.

        Raises:
            ProcessingError: when it cannot be read any more.
        """
        ...
