"""Stores the weights of a VAE channels last, the layout that GPU convolutions need.

The same arithmetic in the same precision. Measured on an H100 with the Wan VAE in fp32, which torch
multiplies in TF32: 81 frames of 832x480 decode in 3.0 s instead of 3.25 s, with 0.8 GiB less, and
the largest difference, 0.003 of a range of 2, is that of TF32 itself to fp32.
"""

from __future__ import annotations

from typing import Any

import torch

CHANNELS_LAST_VAES = frozenset({"AutoencoderKLWan"})
"""VAEs that are measured to gain; others are left alone."""
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the number of a weight's dimensions."""


def set_channels_last(vae: Any) -> bool:
    """Store the weights of a VAE channels last, for as long as it is loaded.

    Returns:
        False for a VAE that is unchanged.
    """
    if type(vae).__name__ not in CHANNELS_LAST_VAES:
        return False
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
            weight = module.weight
            weight.data = weight.data.contiguous(memory_format=FORMATS[weight.dim()])
    return True
