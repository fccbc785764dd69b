"""NF4: four bits a number, by a table of sixteen values, and a factor for each 64 numbers.

The table is that of QLoRA (arXiv 2305.14314, appendix E): the quantiles of a normal distribution.
bitsandbytes stores the same; its factors are in fp32, these are in fp16. Its package is not needed,
so this works on every device.
"""

from __future__ import annotations

import torch

KIND = "nf4"
BLOCK = 64
"""Numbers that share a factor, as in bitsandbytes."""
TABLE = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


def pack(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers of a weight, and their factors.

    Args:
        weight: fp32, (rows, columns), the columns a multiple of `BLOCK`.

    Returns:
        uint8, (rows, columns / 2), the first number of a pair in the upper bits; and fp16,
        (rows, columns / `BLOCK`).
    """
    rows, columns = weight.shape
    blocks = weight.reshape(rows, -1, BLOCK)
    factor = blocks.abs().amax(dim=2).half()
    # A block of zeros has any factor, and so has one that is too small for fp16.
    factor = torch.where(factor == 0, 1.0, factor.float())
    table = torch.tensor(TABLE, device=weight.device)
    middles = (table[1:] + table[:-1]) / 2
    indices = torch.bucketize(blocks / factor[..., None], middles).to(torch.uint8)
    pairs = indices.reshape(rows, columns // 2, 2)
    return pairs[..., 0] << 4 | pairs[..., 1], factor.half()


def unpack(numbers: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Return packed numbers as values in fp32.

    Args:
        numbers: As `pack` returns them; any rows.
        factor: Of the same rows.
    """
    table = torch.tensor(TABLE, device=numbers.device)
    indices = torch.stack((numbers >> 4, numbers & 15), dim=2)
    values = table[indices.int()].reshape(numbers.shape[0], -1, BLOCK)
    return (values * factor.float()[..., None]).reshape(numbers.shape[0], -1)
