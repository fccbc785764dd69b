"""What tiomagic knows of a model without loading it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tiomagic_domain.acceleration import wants_few_steps
from tiomagic_domain.features import Feature
from tiomagic_domain.loras import Lora
from tiomagic_domain.schema import Schema
from tiomagic_domain.turbo import ARGUMENT, Turbo

BUILT_IN_PROVIDERS = frozenset({"local", "modal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component of a pipeline that is kept in a repository of its own."""

    name: str
    """The component's name in the pipeline."""
    library: str
    """The module that has its class: ``diffusers`` or ``transformers``."""
    kind: str
    """The name of its class."""
    repository: str
    """Repository on the Hugging Face hub."""
    revision: str | None = None
    """Commit of the repository; None when no commit is known to be good."""
    folder: str = ""
    """Its folder in the repository; empty for the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One model: its names, its limits, and where its weights are."""

    name: str
    """The name in calls, lower case with dashes."""
    title: str
    family: str
    description: str
    """One sentence that helps to choose."""
    homepage: str
    licence: str
    engine: str
    """The engine that runs it: the name of a module of the local adapter."""
    repository: str | None
    """Repository on the Hugging Face hub; None when the weights come with the package."""
    revision: str | None = None
    """Commit of the repository; None when no commit is known to be good."""
    parts: tuple[Part, ...] = ()
    """Components that come from other repositories, in place of those that this one has."""
    loras: tuple[Lora, ...] = ()
    """LoRAs that make the model what it is, each from a repository of its own."""
    turbo: Turbo | None = None
    """What a call can have put on it that wants few steps; None when nothing is known."""
    features: Mapping[Feature, Schema]
    fps: int
    """Frames a second of the videos that it was trained on."""
    pixels: int
    """Width times height that it was trained on; sizes made from a picture have about as many."""
    weights_gib: float
    """All weights in GiB, in the types that they run in."""
    largest_gib: float
    """The largest single component in GiB: what model offload has to hold."""
    gpu_memory_gib: float
    """The smallest GPU that is known or computed to be enough, with offload; 0 for a CPU."""
    prompt_tokens: int
    """Longest prompt in tokens; what is longer is cut."""
    vocabulary: frozenset[str] = frozenset()
    """Every word that it knows, lower case; empty for a model that was trained on open language."""
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Facts for the engine that are the model's own and no setting."""
    providers: frozenset[str] = BUILT_IN_PROVIDERS
    """Who can run it."""

    def schema(self, feature: Feature) -> Schema:
        """Return the parameters for a feature that the model serves."""
        return self.features[feature]

    def turbo_of(self, settings: Mapping[str, Any]) -> Turbo | None:
        """Return the few-step weights that a call wants; None for a call that wants none."""
        return self.turbo if wants_few_steps(settings.get(ARGUMENT)) else None

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words of a prompt that the model does not know, each once, in their order."""
        if not self.vocabulary:
            return []
        words = re.findall(r"\w+", prompt.lower())
        return [word for word in dict.fromkeys(words) if word not in self.vocabulary]
