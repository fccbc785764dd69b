"""The argument ``kv_cache``: where keys and values of a guiding video wait during a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.schema.parameter import Kind, Parameter

CACHE_SETTING: Final = "kv_cache"
ON_DEVICE, IN_MAIN_MEMORY, EIGHT_BITS = "gpu", "ram", "int8"
EIGHT_BITS_SHARE: Final = 0.52
"""Bytes of a KV cache in eight bits: half, and a scale for each token of each head."""

KV_CACHE: Final = Parameter(
    name=CACHE_SETTING,
    kind=Kind.STRING,
    required=False,
    default="auto",
    choices=("auto", ON_DEVICE, IN_MAIN_MEMORY, EIGHT_BITS),
    advanced=True,
    description="Where the keys and values of the guiding video wait while a segment is made: on "
    "the GPU or in RAM, which gives the same video; int8 takes half the memory and changes the "
    "video a little; auto takes the GPU if they fit, else RAM.",
)


def find_cache_gib(card: ModelCard, settings: Mapping[str, Any]) -> float:
    """Return about how much the KV cache of a call takes, in GiB; 0 for a model without one.

    Args:
        card: The model.
        settings: Of the call; without a size, the model's own counts.
    """
    width, height = settings.get("width"), settings.get("height")
    pixels = width * height if width and height else card.pixels
    share = EIGHT_BITS_SHARE if settings.get(CACHE_SETTING) == EIGHT_BITS else 1.0
    return card.kv_cache_gib * share * float(pixels) / card.pixels
