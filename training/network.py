"""The transformer: how it is built and how its weights start."""

from types import MethodType

import torch
from diffusers import WanVACETransformer3DModel
from torch import nn

from training.config import Setup

POSITION_DIRECTIONS = 24
"""Directions of the empty condition that become position features at the start."""
INPUT_LAYERS = ("patch_embedding", "vace_patch_embedding", "proj_out")


def build_transformer(setup: Setup, empty_control: torch.Tensor) -> WanVACETransformer3DModel:
    """Build an untrained transformer with a good start.

    Args:
        setup: Sizes.
        empty_control: Control tensor (1, C, t, h, w) of text_to_video, see `_see_positions`.
    """
    transformer = WanVACETransformer3DModel(
        patch_size=(1, setup.patch, setup.patch),
        num_attention_heads=setup.heads,
        attention_head_dim=setup.head_dim,
        in_channels=setup.z_dim,
        out_channels=setup.z_dim,
        text_dim=setup.text_dim,
        freq_dim=256,
        ffn_dim=setup.ffn_dim,
        num_layers=setup.layers,
        vace_layers=list(setup.vace_layers),
        vace_in_channels=empty_control.shape[1],
        rope_max_seq_len=64,
    )
    for module in transformer.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    _open_gates(transformer)
    _pass_noise_through(transformer)
    _see_positions(transformer, empty_control)
    return transformer


def _open_gates(transformer: WanVACETransformer3DModel) -> None:
    """Begin as a plain pre-norm transformer: no shift, no scale, half-open gates."""
    nn.init.zeros_(transformer.condition_embedder.time_proj.weight)
    for block in (*transformer.blocks, *transformer.vace_blocks):
        nn.init.zeros_(block.scale_shift_table)
        block.scale_shift_table.data[:, [2, 5]] = 0.5
    nn.init.zeros_(transformer.scale_shift_table)


def _pass_noise_through(transformer: WanVACETransformer3DModel) -> None:
    """Let the noise, half of what has to be predicted, reach the output from step one."""
    into = transformer.patch_embedding
    flat = nn.init.orthogonal_(torch.empty(into.weight.shape[0], into.weight[0].numel()))
    into.weight.data = flat.view_as(into.weight)
    nn.init.zeros_(into.bias)
    channels, patch = into.weight.shape[1], into.weight[0, 0].numel()
    # proj_out orders its rows (patch, channel), the convolution (channel, patch).
    rows = flat.T.view(channels, patch, -1).transpose(0, 1).flatten(0, 1)
    width = rows.shape[1]
    transformer.proj_out.weight.data = rows * (channels * patch / width) ** 0.5
    nn.init.zeros_(transformer.proj_out.bias)


def _see_positions(transformer: WanVACETransformer3DModel, empty: torch.Tensor) -> None:
    """Turn the borders of an empty condition into position features.

    Rotary embeddings only know distances, so an object's absolute place (all that
    "moves left" means at high noise) has to be read off the condition: the
    autoencoder's zero padding makes the empty video look different in each token.
    That difference is faint; here its main directions start at unit size.
    """
    layer = transformer.vace_patch_embedding
    nn.init.normal_(layer.weight, std=0.5 * layer.weight[0].numel() ** -0.5)
    nn.init.zeros_(layer.bias)
    tokens = nn.functional.unfold(
        empty[0].transpose(0, 1), layer.kernel_size[1:], stride=layer.stride[1:]
    )
    tokens = tokens.transpose(1, 2).flatten(0, 1)
    mean = tokens.mean(0)
    _, size, directions = torch.linalg.svd(tokens - mean, full_matrices=False)
    size = size / len(tokens) ** 0.5
    count = int((size[:POSITION_DIRECTIONS] > 0.01).sum())
    rows = directions[:count] / size[:count, None]
    layer.weight.data[:count] = rows.view(count, *layer.weight.shape[1:])
    layer.bias.data[:count] = -(rows @ mean)


def keep_input_precise(transformer: WanVACETransformer3DModel) -> None:
    """Run the condition's first layer in fp32 under autocast: its differences are faint."""
    layer = transformer.vace_patch_embedding
    layer.forward = MethodType(_precise_forward, layer)


def _precise_forward(layer: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return nn.functional.conv3d(x.float(), layer.weight, layer.bias, stride=layer.stride)


def split_parameters(*models: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters for Muon (hidden matrices) and for AdamW (inputs, outputs, words, vectors)."""
    matrices, others = [], []
    for model in models:
        for name, p in model.named_parameters():
            hidden = p.ndim == 2 and not name.startswith(INPUT_LAYERS)
            words = "shared" in name or "embed_tokens" in name or "relative_attention" in name
            (matrices if hidden and not words else others).append(p)
    return matrices, others
