"""The arguments ``quantization`` and ``quality``: which weights are kept in fewer bits.

``quantization`` says it for a call. ``quality`` says what ``memory="auto"`` may lose where the full
weights do not fit:

=========  ======================================================================================
word       formats that may be taken, the most exact first
=========  ======================================================================================
``exact``  none
``high``   ``int8``
``small``  ``int8``, ``q5_1``, ``q4_1``
=========  ======================================================================================

Chosen by ``benchmarks/quantization.py``: with everything in a format, all videos of the shipped
model keep 40 dB to the exact ones for ``high``, and 30 dB for ``small``. ``fp8`` takes as much
memory as ``int8`` and loses more, so it is in neither; ``nf4`` is taken only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

QUANTIZATION: Final = "quantization"
NONE: Final = "none"
FORMATS: Final = ("int8", "fp8", "q5_1", "q4_1", "nf4")
"""Formats that are made from full weights when they are loaded."""
SHARES: Final[Mapping[str, float]] = MappingProxyType(
    {"int8": 8 / 16, "fp8": 8 / 16, "q5_1": 6 / 16, "q4_1": 5 / 16, "nf4": 4.25 / 16}
)
"""The part of 16 bits that a number takes in a format, with its factors."""
GROUPS: Final = ("transformer", "text_encoder")
"""What a format is chosen for; a group has the components whose names begin with it."""
QUALITIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"exact": (), "high": ("int8",), "small": ("int8", "q5_1", "q4_1")}
)


def read_quantization(value: object) -> dict[str, str]:
    """Return the format of each group that is made when it is loaded; empty for full weights.

    Args:
        value: A validated argument: a format for all groups, a mapping of groups to formats, None.
    """
    asked = read_asked_formats(value)
    return {group: format_ for group, format_ in asked.items() if format_ in FORMATS}


def read_asked_formats(value: object) -> dict[str, str]:
    """Return the format of each group, also those of files that the model's card names."""
    given: Mapping[str, Any] = (
        value if isinstance(value, Mapping) else dict.fromkeys(GROUPS, value or NONE)
    )
    return {group: str(given[group]) for group in GROUPS if given.get(group, NONE) != NONE}
