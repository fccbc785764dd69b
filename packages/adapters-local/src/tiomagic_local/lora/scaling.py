"""The intended strength of a LoRA: alpha, from tensors, the header, or peft's configuration."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import torch

METADATA = "lora_adapter_metadata"
"""Key of peft's configuration in a header written by diffusers."""
BESIDE = "adapter_config.json"
"""Peft's configuration file, in the folder of a weight file with the name below."""
PEFT_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Alpha from outside of a file's tensors: peft's configuration."""

    alpha: float | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    """Values of single layers, by the end of their names, or by a pattern."""
    rooted: bool = False
    """True if alpha is divided by the square root of the rank."""

    @classmethod
    def read(cls, path: Path, metadata: Mapping[str, str]) -> Self:
        """Return the configuration in a file's header or beside the file.

        Args:
            path: The file.
            metadata: Of its header.
        """
        found = _json(metadata.get(METADATA))
        if not found and path.name == PEFT_FILE and (path.parent / BESIDE).is_file():
            found = _json((path.parent / BESIDE).read_text(encoding="utf-8", errors="replace"))
        # Diffusers puts the component before each key.
        words = {name.rpartition(".")[2]: value for name, value in found.items()}
        alpha, alphas = words.get("lora_alpha"), words.get("alpha_pattern")
        return cls(
            alpha=float(alpha) if isinstance(alpha, int | float) else None,
            alphas=alphas if isinstance(alphas, dict) else {},
            rooted=bool(words.get("use_rslora")),
        )

    def of(self, layer: str, tensors: Mapping[str, torch.Tensor], rank: int | None) -> float:
        """Return the scale of a layer's change.

        Args:
            layer: Its name in the file.
            tensors: Of the layer by role.
            rank: The divisor of alpha; None where alpha has no meaning.
        """
        if rank is None:
            return 1.0
        if "alpha" in tensors:
            return float(tensors["alpha"].float().flatten()[0]) / rank
        alpha = next(
            (float(given) for end, given in self.alphas.items() if _ends(layer, end)), self.alpha
        )
        if alpha is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self.rooted else rank)


def _ends(layer: str, pattern: str) -> bool:
    # As peft does: an invalid pattern is taken as the end of a name.
    try:
        return re.search(rf"(?:^|\.)(?:{pattern})$", layer) is not None
    except re.error:
        return layer.endswith(pattern)


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
