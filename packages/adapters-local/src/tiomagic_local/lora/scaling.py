"""How strong a LoRA is meant to be: alpha, in the file's tensors, in its header or beside it."""

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
"""Where diffusers writes peft's configuration, in the header of a file."""
BESIDE = "adapter_config.json"
"""Where peft writes it, in the folder of a file that it calls as below."""
PEFT_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What a file's maker says of alpha beside its tensors; peft's configuration."""

    alpha: float | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    """Of single layers, by the end of their names, or by a pattern for it."""
    rooted: bool = False
    """True where alpha is divided by the square root of the rank."""

    @classmethod
    def read(cls, path: Path, metadata: Mapping[str, str]) -> Self:
        """Return what a file says, in its header or beside it.

        Args:
            path: The file.
            metadata: Of its header.
        """
        found = _json(metadata.get(METADATA))
        if not found and path.name == PEFT_FILE and (path.parent / BESIDE).is_file():
            found = _json((path.parent / BESIDE).read_text(encoding="utf-8", errors="replace"))
        # With one component before each word in a header of diffusers.
        words = {name.rpartition(".")[2]: value for name, value in found.items()}
        alpha, alphas = words.get("lora_alpha"), words.get("alpha_pattern")
        return cls(
            alpha=float(alpha) if isinstance(alpha, int | float) else None,
            alphas=alphas if isinstance(alphas, dict) else {},
            rooted=bool(words.get("use_rslora")),
        )

    def of(self, layer: str, tensors: Mapping[str, torch.Tensor], rank: int | None) -> float:
        """Return what the change of a layer is multiplied with.

        Args:
            layer: As the file names it.
            tensors: Of the layer by role.
            rank: What alpha is divided by; None where alpha means nothing.
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
    # As peft does; what is no pattern is the end of a name.
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
