"""Few steps: what a model can be given so that it needs a tenth of the work.

A distilled LoRA teaches a model to make in a handful of steps, and without guidance, what took it
fifty with. The video is another one, and the LoRA wants the settings that it was made for: they are
the defaults of a call that asks for it, and what a call says itself stands.
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
    """On the model for the time of a call, before those of the call itself."""
    settings: Mapping[str, Any]
    """What they were made for: steps, guidance, shift; by the names of the schema."""
    euler: bool = True
    """True where each step is a plain one, as in the distillation; False for the model's own."""
    source: str
    """Where files and settings come from."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for people and machines."""
        files = [f"{lora.source}:{lora.weight_name}" for lora in self.loras]
        return {"loras": files, "settings": dict(self.settings), "source": self.source}
