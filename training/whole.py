"""Encode and decode whole clips in one pass, for training speed.

`AutoencoderKLWan` walks a clip in chunks of four frames with caches, which bounds
memory. The maps are causal, so one pass over all frames gives the same numbers (a
test compares them) with far fewer, larger convolutions.
"""

from collections.abc import Callable
from types import MethodType

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    WanResidualBlock,
    WanRMS_norm,
    patchify,
    unpatchify,
)
from torch import nn

EPSILON = 1e-12
SHAPES = 32
"""How many shapes `use_compiled_blocks` may compile for: crops and clips have six each."""


def encode(vae: AutoencoderKLWan, x: torch.Tensor) -> torch.Tensor:
    """Mean latents (B, z, t, h, w) of clips (B, 3, T, H, W) in -1..1, T = 4k + 1."""
    encoder = vae.encoder
    x = encoder.conv_in(patchify(x, patch_size=vae.config.patch_size or 1))
    for block in encoder.down_blocks:
        shortcut = block.avg_shortcut(x)
        for resnet in block.resnets:
            x = resnet(x)
        if block.downsampler is not None:
            x = _down(block.downsampler, x)
        x = x + shortcut
    x = encoder.mid_block(x)
    x = encoder.conv_out(encoder.nonlinearity(encoder.norm_out(x)))
    return vae.quant_conv(x)[:, : vae.config.z_dim]


def decode(vae: AutoencoderKLWan, z: torch.Tensor) -> torch.Tensor:
    """Clips (B, 3, T, H, W) of latents; not clamped, so gradients pass everywhere."""
    decoder = vae.decoder
    x = decoder.mid_block(decoder.conv_in(vae.post_quant_conv(z)))
    for block in decoder.up_blocks:
        shortcut = None
        if block.avg_shortcut is not None:
            shortcut = block.avg_shortcut(x, first_chunk=True)
        for resnet in block.resnets:
            x = resnet(x)
        if block.upsampler is not None:
            x = _up(block.upsampler, x)
        if shortcut is not None:
            x = x + shortcut
    x = decoder.conv_out(decoder.nonlinearity(decoder.norm_out(x)))
    return unpatchify(x, patch_size=vae.config.patch_size or 1)


def _down(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = layer(x)
    if layer.mode != "downsample3d" or x.shape[2] == 1:
        return x
    # The first frame stays alone; each later one sees its two predecessors.
    return torch.cat([x[:, :, :1], layer.time_conv(x)], dim=2)


def _up(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if layer.mode == "upsample3d" and x.shape[2] > 1:
        later = layer.time_conv(x[:, :, 1:])
        b, _, t, h, w = later.shape
        later = later.reshape(b, 2, -1, t, h, w)
        later = torch.stack((later[:, 0], later[:, 1]), 3).reshape(b, -1, 2 * t, h, w)
        x = torch.cat([x[:, :, :1], later], dim=2)
    return layer(x)


def use_fast_norms(vae: AutoencoderKLWan) -> None:
    """Give each norm of this instance a fused forward: the same values, a third less time."""
    for module in vae.modules():
        if isinstance(module, WanRMS_norm):
            module.forward = MethodType(_fused_norm, module)


def _fused_norm(norm: WanRMS_norm, x: torch.Tensor) -> torch.Tensor:
    y = nn.functional.rms_norm(x.movedim(1, -1), (x.shape[1],), None, EPSILON)
    return y.movedim(-1, 1) * norm.gamma.to(x.dtype)


def use_compiled_blocks(
    vae: AutoencoderKLWan, compiler: Callable[..., Callable] = torch.compile
) -> None:
    """Let each residual block of this instance compute norm, activation and padding in one kernel.

    The first step with clips of a new size waits for the compiler, some seconds a kernel.
    """
    activate = compiler(_padded_activation, dynamic=False, recompile_limit=SHAPES)

    def run(block: WanResidualBlock, x: torch.Tensor, **_caches: object) -> torch.Tensor:
        shortcut = block.conv_shortcut(x)
        for norm, layer in ((block.norm1, block.conv1), (block.norm2, block.conv2)):
            x = activate(x.movedim(1, -1), norm.gamma.flatten()).movedim(-1, 1)
            x = nn.functional.conv3d(x, layer.weight, layer.bias)
        return x + shortcut

    for module in vae.modules():
        if isinstance(module, WanResidualBlock):
            module.forward = MethodType(run, module)


def _padded_activation(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """Norm and SiLU of (B, T, H, W, C), with zeros around and two frames of zeros in front."""
    y = x.float()
    y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + EPSILON) * gamma
    return nn.functional.pad(nn.functional.silu(y).to(x.dtype), (0, 0, 1, 1, 1, 1, 2, 0))
