"""Tiny pipelines of the models that are made by a LoRA: FusionX and Pusa."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from examples.tiny_vace import TRANSFORMER, build_vace
from tests.tiny.wan import build_t2v

__all__ = ["TINY", "build_with_lora", "save_few_steps", "save_lora"]

RANK = 2
WIDTH = TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"]
ATTENTION = ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "cross_attn.q")
PICTURE = ("cross_attn.k_img", "cross_attn.v_img")
"""Layers of Wan's picture models alone."""


def save_lora(
    path: Path,
    layers: Mapping[str, int],
    *,
    down: str = "lora_A",
    up: str = "lora_B",
    strength: float = 1.0,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Save a LoRA and return its path.

    Args:
        path: The file; its folder is made.
        layers: Width of each layer by its name.
        down: What the first matrix is called.
        up: What the second one is called.
        strength: Deviation of its values.
        metadata: Of its header.
    """
    import torch
    from safetensors.torch import save_file

    draw = torch.Generator().manual_seed(1)
    tensors = {}
    for name, width in layers.items():
        tensors[f"{name}.{down}.weight"] = strength * torch.randn(RANK, width, generator=draw)
        tensors[f"{name}.{up}.weight"] = strength * torch.randn(width, RANK, generator=draw)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=dict(metadata or {}) or None)
    return path


def build_with_lora(folder: Path, *, model: str) -> Path:
    """Save the base pipeline of a model with the LoRA that makes it, and return its folder."""
    from tiomagic_domain.catalogue import find_model

    card = find_model(model)
    (build_vace if card.engine == "wan_vace" else build_t2v)(folder)
    (lora,) = card.loras
    assert lora.weight_name is not None, "it names its file"
    names = (*ATTENTION, *PICTURE) if "I2V" in lora.weight_name else ATTENTION
    # Named as the authors' code does; Pusa's file as a bare network, which nothing else takes.
    prefix, down, up = "diffusion_model.", "lora_down", "lora_up"
    if card.family == "pusa":
        prefix, down, up = "", "lora_A.default", "lora_B.default"
    layers = {f"{prefix}blocks.{block}.{name}": WIDTH for block in range(2) for name in names}
    place = folder / "loras" / Path(lora.weight_name).name
    save_lora(place, layers, down=down, up=up, strength=0.3)
    return folder


FEW_STEPS = {f"diffusion_model.blocks.{n}.{name}": WIDTH for n in range(2) for name in ATTENTION}
"""The layers of a tiny few-step LoRA, named as its authors do."""


def save_few_steps(folder: Path, model: str, layers: Mapping[str, int] = FEW_STEPS) -> None:
    """Put the LoRAs of ``turbo`` beside a model's tiny weights, where there are such and none yet.

    Args:
        folder: Of the model.
        model: Its name.
        layers: Width of each layer by its name.
    """
    from tiomagic_domain.catalogue import find_model

    turbo = find_model(model).turbo
    for lora in turbo.loras if turbo else ():
        place = folder / "loras" / Path(str(lora.weight_name)).name
        if not place.exists():
            save_lora(place, layers, down="lora_down", up="lora_up", strength=0.3)


CONTROL = {f"diffusion_model.transformer_blocks.0.attn1.to_{name}": 16 for name in "qkv"}
"""The layers of a tiny LoRA that reads a control video, named as Lightricks does."""


def save_controls(folder: Path, model: str) -> None:
    """Put the LoRAs that read control videos beside a model's tiny weights, where none are yet."""
    from tiomagic_domain.catalogue import find_model

    for weights in find_model(model).controls.values():
        place = folder / "loras" / Path(str(weights.lora.weight_name)).name
        if not place.exists():
            said = {"reference_downscale_factor": str(weights.downscale)}
            save_lora(place, CONTROL, strength=0.3, metadata=said)


TINY = {
    name: partial(build_with_lora, model=name)
    for name in (
        "wan2.1-14b-t2v-fusionx",
        "wan2.1-vace-14b-i2v-fusionx",
        "wan2.1-vace-14b-phantom-fusionx",
        "pusa-v1",
    )
}
