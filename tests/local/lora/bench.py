"""Transformers of a few kilobytes that LoRAs are put on, with nothing else of a pipeline."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    HunyuanVideoTransformer3DModel,
    WanPipeline,
    WanTransformer3DModel,
    WanVACETransformer3DModel,
)
from examples.tiny_vace import TRANSFORMER
from safetensors.torch import save_file

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_local.lora.fitting import bare
from tiomagic_local.runtime.call_loras import CallLoras
from tiomagic_local.runtime.lora_adapters import LoraAdapters
from tiomagic_local.weights.lora_files import FoundLora, check_header

RANK = 2
WIDTH = TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"]

HUNYUAN = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "num_refiner_layers": 1,
    "patch_size": 1,
    "patch_size_t": 1,
    "guidance_embeds": True,
    "text_embed_dim": 16,
    "pooled_projection_dim": 8,
    "rope_axes_dim": (4, 6, 6),
}

States = dict[str, dict[str, torch.Tensor]]


def matrix(word: str, *shape: int) -> torch.Tensor:
    """Return numbers that depend on the word alone."""
    draw = torch.Generator().manual_seed(zlib.crc32(word.encode()))
    return 0.1 * torch.randn(*shape, generator=draw)


@dataclass
class AppliedLora:
    """A pipeline with a LoRA on."""

    pipeline: Any
    facts: Mapping[str, Any]
    first: States

    @property
    def before(self) -> Mapping[str, torch.Tensor]:
        """What the transformer was."""
        return self.first["transformer"]

    def weight(self, name: str, *, component: str = "transformer") -> torch.Tensor:
        """Return the matrix that a layer multiplies with, whatever it is made of.

        What it does to each unit vector says so.
        """
        part = getattr(self.pipeline, component)
        layer = part.get_submodule(name)
        under = bare(part, name)
        if not isinstance(under, torch.nn.Linear):
            kernel: torch.Tensor = under.weight.detach()
            return kernel
        with torch.no_grad():
            zero = layer(torch.zeros(1, under.in_features))
            made: torch.Tensor = (layer(torch.eye(under.in_features)) - zero).T
            return made

    def changed(self) -> set[str]:
        """Return the names of weights of linear layers that are not what they were."""
        linear = (
            name.removesuffix(".weight")
            for name, tensor in self.before.items()
            if name.endswith(".weight") and tensor.ndim == 2
        )
        return {
            f"{name}.weight"
            for name in linear
            if not torch.allclose(self.weight(name), self.before[f"{name}.weight"], atol=1e-6)
        }


@dataclass
class LoraPipelines:
    """Holds one pipeline of each kind, and what its weights were."""

    kept: dict[str, tuple[Any, States]] = field(default_factory=dict)

    def pipeline(self, kind: str) -> tuple[Any, States]:
        """Return a pipeline of a kind and its first weights."""
        if kind not in self.kept:
            made = _build(kind)
            self.kept[kind] = (made, _states(made))
        return self.kept[kind]

    def shape(self, name: str, *, kind: str = "vace") -> torch.Size:
        """Return the shape of a tensor."""
        return self.pipeline(kind)[1]["transformer"][name].shape

    def is_unchanged(self) -> bool:
        """Say whether every weight is what it was, bit for bit, and nothing lies beside it."""
        for made, first in self.kept.values():
            now = _states(made)
            if now.keys() != first.keys():
                return False
            for component, tensors in first.items():
                if now[component].keys() != tensors.keys():
                    return False
                if not all(torch.equal(now[component][n], t) for n, t in tensors.items()):
                    return False
        return True

    @contextmanager
    def apply_loras(
        self,
        folder: Path,
        tensors: Mapping[str, torch.Tensor],
        *,
        kind: str = "vace",
        name: str = "style.safetensors",
        metadata: Mapping[str, str] | None = None,
        scale: float = 1.0,
        more: Mapping[str, tuple[Mapping[str, torch.Tensor], float]] | None = None,
    ) -> Iterator[AppliedLora]:
        """Have a file with tensors on a pipeline; ``more`` are further files and their scales."""
        pipeline, first = self.pipeline(kind)
        found = []
        files = {name: (tensors, scale), **(more or {})}
        for file, (content, strength) in files.items():
            path = folder / file
            given = {k: v.contiguous().clone() for k, v in content.items()}
            save_file(given, path, metadata=dict(metadata or {}))
            check_header(path)
            lora = Lora(source=str(path), scale=strength)
            found.append(FoundLora(lora=lora, path=path, pinned=lora))
        with LoraAdapters(pipeline).apply_loras(CallLoras(asked=found)) as worn:
            yield AppliedLora(pipeline, worn.call[0], first)


@cache
def _build(kind: str) -> Any:
    torch.manual_seed(0)
    if kind == "hunyuan":
        return _pipeline(HunyuanVideoTransformer3DModel(**HUNYUAN))
    sizes = {**TRANSFORMER, "in_channels": 4, "out_channels": 4}
    if kind == "experts":
        return _pipeline(WanTransformer3DModel(**sizes), WanTransformer3DModel(**sizes))
    return _pipeline(WanVACETransformer3DModel(**sizes, vace_layers=[0], vace_in_channels=4))


def _pipeline(transformer: torch.nn.Module, second: torch.nn.Module | None = None) -> Any:
    return WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=None,
        scheduler=None,
        transformer=transformer.eval(),
        transformer_2=second,
    )


def _states(pipeline: Any) -> States:
    return {
        component: {name: tensor.clone() for name, tensor in part.state_dict().items()}
        for component in ("transformer", "transformer_2")
        if (part := getattr(pipeline, component, None)) is not None
    }
