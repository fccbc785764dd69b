"""Encode and decode whole clips in one pass, for training speed.

`AutoencoderKLWan` walks a clip in chunks of four frames with caches, which bounds
memory. The maps are causal, so one pass over all frames gives the same numbers (a
test compares them) with far fewer, larger convolutions.
"""

from types import MethodType

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm, patchify, unpatchify
from torch import nn


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
    y = nn.functional.rms_norm(x.movedim(1, -1), (x.shape[1],), None, 1e-12)
    return y.movedim(-1, 1) * norm.gamma.to(x.dtype)
