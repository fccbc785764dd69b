"""Looks at a background and its mask before anything runs: what would be replaced, and where.

What can be wrong with them costs a run on a rented GPU otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tiomagic_domain.errors import Problem
from tiomagic_domain.media import Media
from tiomagic_domain.ports.mask_reader import MaskReader

BACKGROUND: Final = "background_video"
MASK: Final = "mask_video"
MOTIONS: Final = ("pose_video", "guiding_video")
"""What moves the character: a call has one of them."""
MAX_LENGTH_RATIO: Final = 1.1
"""Factor between the lengths of two inputs above which a warning is given."""
MAX_SHAPE_RATIO: Final = 1.05
"""Factor between the shapes of two inputs above which they do not lie on each other."""
MUCH: Final = 0.6
"""Part of the picture above which a mask is likely to be the wrong way round."""


def describe_replacement(
    media: Mapping[str, Media], masks: MaskReader | None
) -> tuple[list[str], list[Problem]]:
    """Return the notes about a background and its mask, and the problem of a black mask.

    Args:
        media: The inputs of the call, by name; without a background there is nothing to say.
        masks: Looks into the mask; None where none can be read.
    """
    background, mask = media.get(BACKGROUND), media.get(MASK)
    if background is None or mask is None:
        return [], []
    others = {name: media[name] for name in (MASK, *MOTIONS) if name in media}
    notes = [*_compare_shapes(background, others), *_compare_lengths(background, others)]
    white = None if masks is None else masks.white_part(mask)
    if white == 0:
        message = "is black in all frames: what is white in it is replaced"
        shown = mask.name or "a mask"
        return notes, [Problem(field=MASK, message=message, given=shown)]
    if white is not None and white > MUCH:
        notes.append(
            f"{MASK}: is white in {white:.0%} of the picture, and what is white is replaced; is it "
            "the wrong way round?"
        )
    return notes, []


def _compare_shapes(background: Media, others: Mapping[str, Media]) -> Iterator[str]:
    shape = background.width / background.height
    for name, media in others.items():
        ratio = media.width / media.height / shape
        if not 1 / MAX_SHAPE_RATIO <= ratio <= MAX_SHAPE_RATIO:
            yield (
                f"{name}: is {media.width}x{media.height} and the background "
                f"{background.width}x{background.height}: they are of different shapes, and do "
                "not lie on each other"
            )


def _compare_lengths(background: Media, others: Mapping[str, Media]) -> Iterator[str]:
    """One frame is for the whole video, and has no length."""
    kept = _seconds(background)
    for name, media in others.items():
        lasts = _seconds(media)
        if kept is None or lasts is None or media.frames <= 1:
            continue
        if not 1 / MAX_LENGTH_RATIO <= lasts / kept <= MAX_LENGTH_RATIO:
            yield (
                f"{name}: lasts {lasts:.1f} s and the background {kept:.1f} s: they do not move "
                "together"
            )


def _seconds(media: Media) -> float | None:
    return media.frames / media.fps if media.fps and media.frames else None
