"""What the engines of pose guidance share: skeletons that are given, in the order of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_domain.media import Media
from tiomagic_domain.skeletons import AS_GIVEN, ColourOrder
from tiomagic_local.media.pose_colours import colours_warning, in_order, read_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def as_read(
    frames: NDArray[np.uint8], media: Media, settings: Mapping[str, Any], order: ColourOrder
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return given skeletons as a model reads them, and what the record says of it.

    Args:
        frames: uint8, (T, H, W, 3), of the video.
        media: The video.
        settings: With ``pose_colours``, unless the card has no such parameter.
        order: The model's.
    """
    has = read_order(media, _setting(settings))
    converted = has not in {None, order}
    facts = {"model": order.value, "given": has.value if has else None, "converted": converted}
    return in_order(frames, has, order), {"pose_colours": facts}


def pose_warnings(inputs: object, settings: Mapping[str, Any], order: ColourOrder) -> Sequence[str]:
    """Return what is to be said of given skeletons before a run."""
    if not isinstance(inputs, PoseGuidanceInputs) or inputs.pose_video is None:
        return ()
    said = colours_warning(inputs.pose_video, _setting(settings), order)
    return () if said is None else (said,)


def _setting(settings: Mapping[str, Any]) -> str:
    return str(settings.get("pose_colours", AS_GIVEN))
