"""Writes files of text encoders with the names that people's files have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]

T5_NAMES = (
    (r"^shared\.", "token_embd."),
    (r"^encoder\.final_layer_norm", "enc.output_norm"),
    (r"^encoder\.block\.", "enc.blk."),
    (r"layer\.0\.SelfAttention\.relative_attention_bias", "attn_rel_b"),
    (r"layer\.0\.SelfAttention\.", "attn_"),
    (r"layer\.0\.layer_norm", "attn_norm"),
    (r"layer\.1\.DenseReluDense\.wi_0", "ffn_gate"),
    (r"layer\.1\.DenseReluDense\.wi_1", "ffn_up"),
    (r"layer\.1\.DenseReluDense\.wo", "ffn_down"),
    (r"layer\.1\.layer_norm", "ffn_norm"),
)
"""The names of ``city96/umt5-xxl-encoder-gguf``, as the loader of ComfyUI-GGUF lists them."""
LLAMA_NAMES = (
    (r"^(?:model\.language_model\.|language_model\.|model\.)", ""),
    (r"^embed_tokens", "token_embd"),
    (r"^lm_head", "output"),
    (r"^norm\.", "output_norm."),
    (r"^layers\.", "blk."),
    (r"input_layernorm", "attn_norm"),
    (r"self_attn\.([qk])_norm", r"attn_\1_norm"),
    (r"self_attn\.([qkv])_proj", r"attn_\1"),
    (r"self_attn\.o_proj", "attn_output"),
    (r"mlp\.(up|down|gate)_proj", r"ffn_\1"),
    (r"post_attention_layernorm", "ffn_norm"),
)
"""The names of llama.cpp for Llama and Qwen."""
GEMMA_NAMES = (
    *LLAMA_NAMES[:-1],
    (r"post_attention_layernorm", "post_attention_norm"),
    (r"pre_feedforward_layernorm", "ffn_norm"),
    (r"post_feedforward_layernorm", "post_ffw_norm"),
)
Names = Sequence[tuple[str, str]]


def renamed(name: str, names: Names) -> str:
    """Return a tensor's name in a file."""
    for ours, theirs in names:
        name = re.sub(ours, theirs, name)
    return name


def paired(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Return the rows of a Llama's query or key as llama.cpp's converter writes them."""
    height = rows.shape[0] // heads
    halves = rows.reshape(heads, 2, height // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def as_stored(name: str, tensor: torch.Tensor, architecture: str, heads: tuple[int, int]):
    """Return a tensor as llama.cpp's converter changes it."""
    if architecture == "gemma3" and name.endswith("norm.weight"):
        return tensor + 1
    if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        return paired(tensor, heads["k_proj" in name])
    return tensor


def write_encoder_gguf(
    path: Path,
    tensors: Tensors,
    kind: str,
    *,
    names: Names = T5_NAMES,
    architecture: str = "t5encoder",
    heads: tuple[int, int] = (1, 1),
    packs: Callable[[str, torch.Tensor], bool] | None = None,
) -> Tensors:
    """Write a GGUF file, and return the values that it means, by the names of transformers."""
    type_ = gguf.GGMLQuantizationType[kind]
    values = gguf.GGML_QUANT_SIZES[type_][0]
    writer = gguf.GGUFWriter(path, architecture)
    meant: Tensors = {}
    for name, tensor in tensors.items():
        stored = as_stored(name, tensor.float(), architecture, heads).contiguous().numpy()
        fits = tensor.ndim == 2 and tensor.shape[1] % values == 0 and "relative" not in name
        of = type_ if fits and (packs is None or packs(name, tensor)) else None
        of = of or gguf.GGMLQuantizationType.F32
        packed = gguf.quants.quantize(stored, of)
        writer.add_tensor(renamed(name, names), packed, raw_dtype=of)
        meant[name] = torch.from_numpy(gguf.quants.dequantize(packed, of).reshape(stored.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant


def write_encoder_fp8(path: Path, tensors: Tensors) -> Tensors:
    """Write a file as ``umt5_xxl_fp8_e4m3fn_scaled.safetensors``, and return what it means.

    It has the names of transformers, a factor for each matrix, and the tokenizer as bytes.
    """
    file: Tensors = {
        "scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn),
        "spiece_model": torch.arange(200, dtype=torch.uint8),
    }
    meant: Tensors = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or "relative" in name or not name.startswith("encoder.block"):
            file[name] = meant[name] = tensor.half()
            continue
        factor = tensor.abs().max().float() / 448
        stored = (tensor.float() / factor).to(torch.float8_e4m3fn)
        file[name], meant[name] = stored, stored.float() * factor
        layer = name.removesuffix("weight")
        file[f"{layer}scale_weight"] = factor.clone()
        if name.endswith("wo.weight"):
            file[f"{layer}scale_input"] = torch.tensor(1.0)
    save_file(file, path)
    return meant
