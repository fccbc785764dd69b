"""What a run would take, beside its button: length, size, time, price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiomagic.display.escaping import escape
from tiomagic_domain.schema.parameter import UNSET

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.features import Feature


def expected_run(card: ModelCard, feature: Feature, settings: Mapping[str, Any]) -> str:
    """Return as HTML what a run would take.

    Args:
        card: The model.
        feature: What it is to do.
        settings: What somebody chose; may be illegal.
    """
    known = {
        parameter.name: parameter.default
        for parameter in card.schema(feature).parameters
        if parameter.default is not UNSET
    } | dict(settings)
    parts = [_length(known, card), _size(known)]
    text = " · ".join(part for part in parts if part)
    return f'<p class="tm-facts">{escape(text)}</p>' if text else ""


def _length(known: Mapping[str, Any], card: ModelCard) -> str:
    frames, fps = known.get("num_frames"), known.get("fps", card.fps)
    if not isinstance(frames, int | float) or not isinstance(fps, int | float) or fps <= 0:
        return ""
    return f"{frames / fps:.1f} s ({frames:g} frames)"


def _size(known: Mapping[str, Any]) -> str:
    width, height = known.get("width"), known.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return "size of the picture" if width is None and height is None else ""
    return f"{width} x {height} px"
