"""The port ``MaskReader``. Loads numpy, Pillow and PyAV when it is used, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tiomagic_domain.errors import ProcessingError

if TYPE_CHECKING:
    from tiomagic_domain.media import Media
    from tiomagic_domain.ports import MaskReader

LOOKED_AT: Final = 8
"""Frames of a mask whose white is measured, spread over it."""


class LocalMaskReader:
    """Measures how much of a mask is white; see the port."""

    def white_part(self, mask: Media) -> float:
        """Return which part of the picture is white; see the port."""
        from tiomagic_media.decode.clips import CLIP_ERRORS, playing
        from tiomagic_media.decode.frames import load_video
        from tiomagic_media.masks.masks import to_mask

        try:
            with playing(mask.path) as frames:
                # The first white pixel answers it: only a black mask is read to its end.
                if not any(to_mask(frame.pixels()).any() for frame in frames):
                    return 0.0
            count = min(LOOKED_AT, max(mask.frames, 1))
            looked_at = float(to_mask(load_video(mask, count=count)).mean())
        except CLIP_ERRORS as error:
            raise ProcessingError(f"the mask cannot be read: {error}") from error
        # A mask that is white in other frames alone is not black.
        return looked_at or 1 / (mask.width * mask.height * max(mask.frames, 1))


if TYPE_CHECKING:
    _: MaskReader = LocalMaskReader()
