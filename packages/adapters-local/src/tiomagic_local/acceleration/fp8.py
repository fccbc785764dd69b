"""fp8 matrix products, for GPUs with fp8 in hardware: inexact.

Weights and activations are rounded to 8 bits just before the product, each row with its own scale.
The stored weights do not change, so no memory is used and nothing has to be undone. The rounding
costs little compared with a product of many tokens, and less if it is compiled.

Attention is unchanged, and so are the layers for the prompt and the time step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import ScalingType, scaled_mm

from tiomagic_local.acceleration.compilation import repeated_blocks
from tiomagic_local.acceleration.components import acceleration_error
from tiomagic_local.acceleration.flops import ELSEWHERE
from tiomagic_local.quantized.layers import StoredLayer

EIGHT_BITS = torch.float8_e4m3fn
LARGEST = torch.finfo(EIGHT_BITS).max
SMALLEST_SCALE = 1e-12
"""Least scale, for a row of zeros."""
MULTIPLE = 16
"""Rows and columns of a weight must be multiples of this."""
LORA = "lora_"
"""Parts of the names of a LoRA's own layers, which are too narrow."""
TRIAL = (64, 128)
"""Tokens and channels of the trial product."""
TOLERANCE = 0.1
"""Most relative difference in the trial; the rounding itself causes 0.04."""


class Fp8Linear(torch.nn.Linear):
    """A linear layer that multiplies in fp8, with the parameters of the original layer."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name.
        """Return (…, out_features) in the type of the input."""
        rows = input.reshape(-1, self.in_features)
        few, scale = _rounded(rows)
        weight, weight_scale = _rounded(self.weight)
        product = scaled_mm(
            few,
            weight.t(),
            scale,
            ScalingType.RowWise,
            weight_scale.t(),
            ScalingType.RowWise,
            output_dtype=torch.bfloat16,
        )
        made = product.to(input.dtype).view(*input.shape[:-1], self.out_features)
        bias: torch.Tensor | None = self.bias
        return made if bias is None else made + bias


@contextlib.contextmanager
def enable_fp8(pipeline: Any, device: torch.device) -> Iterator[int]:
    """Let the linear layers of a transformer's blocks multiply in fp8 within the block.

    Args:
        pipeline: Loaded.
        device: What it runs on.

    Yields:
        The number of layers.

    Raises:
        ValidationError: when it does not work here, with the reason.
    """
    layers = _layers(pipeline)
    reason = _why_stored(pipeline) or _why_not(device)
    if reason is None and not layers:
        reason = "no layer of this model has the shape for it"
    if reason is None and any("forward" in vars(layer) for layer in layers):
        reason = (
            "its layers come to the device one by one; it takes another plan than group_offload "
            "and disk_offload"
        )
    if reason is not None:
        raise acceleration_error(f"fp8 does not work here: {reason}", given=True)
    try:
        # The class is replaced, so that the compiler does not reuse code of the other type.
        for layer in layers:
            layer.__class__ = Fp8Linear
        yield len(layers)
    finally:
        for layer in layers:
            layer.__class__ = torch.nn.Linear


def _why_stored(pipeline: Any) -> str | None:
    """Return why weights that are kept in fewer bits are not multiplied in fp8; None for full."""
    kinds = {
        layer.kind
        for blocks in repeated_blocks(pipeline).values()
        for block in blocks
        for layer in block.modules()
        if isinstance(layer, StoredLayer)
    }
    if not kinds:
        return None
    return (
        f"the weights are kept in fewer bits already ({', '.join(sorted(kinds))}), which are read "
        "in full for each product; take full weights (no quantization, quality or file in fewer "
        "bits), or leave fp8 out"
    )


def _layers(pipeline: Any) -> list[torch.nn.Module]:
    # A layer with LoRAs contains the original linear layer.
    found = (
        layer
        for blocks in repeated_blocks(pipeline).values()
        for block in blocks
        for name, layer in block.named_modules()
        if type(layer) is torch.nn.Linear
        and layer.in_features % MULTIPLE == layer.out_features % MULTIPLE == 0
        and not any(word in name for word in (*ELSEWHERE, LORA))
    )
    return list(dict.fromkeys(found))


def _rounded(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a matrix in 8 bits and the scale of each row, as a column."""
    largest = matrix.abs().amax(dim=-1, keepdim=True).float()
    scale = (largest / LARGEST).clamp(min=SMALLEST_SCALE)
    return (matrix.float() / scale).clamp(-LARGEST, LARGEST).to(EIGHT_BITS), scale


def _why_not(device: torch.device) -> str | None:
    tokens, channels = TRIAL
    generator = torch.Generator("cpu").manual_seed(0)
    layer = torch.nn.Linear(channels, channels, bias=False, dtype=torch.bfloat16)
    layer.weight.data = torch.randn(channels, channels, generator=generator).to(layer.weight)
    given = torch.randn(tokens, channels, generator=generator).to(device, torch.bfloat16)
    with torch.no_grad():
        layer = layer.to(device)
        exact = layer(given).float()
        layer.__class__ = Fp8Linear
        try:
            found = layer(given).float()
        # Without support in the GPU or the build, torch may raise any exception.
        except Exception as error:  # noqa: BLE001
            return " ".join(f"{type(error).__name__}: {error}".split())[:200]
        difference = float((found - exact).norm() / exact.norm())
    return None if difference <= TOLERANCE else f"its result differs by {difference:.3g}"
