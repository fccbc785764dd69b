"""Few-step LoRAs for ``acceleration="turbo"``: a tenth of the steps, with their own defaults.

With a distilled LoRA a model needs a handful of steps without guidance, instead of fifty with it.
The video is another one. The LoRA's settings become the defaults of the call; arguments of the call
override them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiomagic_domain.catalogue.lora import Lora

ACCELERATION_ARGUMENT = "acceleration"


@dataclass(frozen=True, slots=True, kw_only=True)
class FewStepWeights:
    """The few-step weights of a model."""

    loras: tuple[Lora, ...]
    """Applied for one call, before the LoRAs of the call itself."""
    settings: Mapping[str, Any]
    """Their settings: steps, guidance, shift; by the names of the schema."""
    euler: bool = True
    """True for plain Euler steps, as in the distillation; False for the model's own sampler."""
    source: str
    """Where files and settings come from."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        files = [f"{lora.source}:{lora.weight_name}" for lora in self.loras]
        return {"loras": files, "settings": dict(self.settings), "source": self.source}
