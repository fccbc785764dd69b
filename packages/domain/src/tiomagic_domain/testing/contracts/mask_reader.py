"""What everything does that looks into masks."""

from __future__ import annotations

from tiomagic_domain.media import Media
from tiomagic_domain.ports.mask_reader import MaskReader


class MaskReaderContract:
    """What every mask reader does.

    Subclass it with the fixtures ``masks``, ``black`` and ``mask``: a mask that is black throughout
    and one that is not.
    """

    def test_only_a_black_mask_has_no_white(
        self, masks: MaskReader, black: Media, mask: Media
    ) -> None:
        """A part of the picture is white in every other."""
        assert masks.white_part(black) == 0
        assert 0 < masks.white_part(mask) <= 1
