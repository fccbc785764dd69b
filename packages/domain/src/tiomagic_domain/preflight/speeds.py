"""The speeds of GPUs, and what a run takes beside the steps of its model.

A speed is known to a factor of two at best: it tells minutes from hours and days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tiomagic_domain.quantities import GIB

USED_FRACTION: Final = 0.4
"""Part of a GPU's peak that video models reach in bf16: 0.35 to 0.5 are usual."""
TERAFLOPS: Final[Mapping[str, float]] = {
    "B200": 2250,
    "H200": 989,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "A40": 150,
    "A10": 125,
    "RTX A6000": 155,
    "RTX 5090": 209,
    "RTX 4090": 165,
    "RTX 4080": 97,
    "RTX 4070 Ti": 80,
    "RTX 4070": 58,
    "RTX 3090": 71,
    "RTX 3080": 60,
    "RTX 3070": 41,
}
"""Dense bf16 products a second, in tera, from the makers' data sheets; a longer name comes first
where one is the start of the other."""
BESIDE: Final = 1.15
"""Text, decoding and writing beside the steps."""
LOADED_BYTES_A_SECOND: Final = GIB
"""How fast weights are read from a disk into their place."""


def gpu_flops(title: str) -> float | None:
    """Return the operations a second that a run gets of a GPU; None for an unknown one."""
    for name, peak in TERAFLOPS.items():
        if re.search(rf"\b{name}\b", title):
            return peak * 1e12 * USED_FRACTION
    return None
