"""Which files of a repository are downloaded: configuration, safetensors, tokenizers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_local.lora.scaling import BESIDE

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""What is downloaded: configuration, weights without code inside, and tokenizers."""

PIPELINE_FILES = tuple(name.replace("*.safetensors", "*/*.safetensors") for name in FILES)
"""The same for a pipeline, whose components have a folder each: weights at its root are other
formats of the same model, often hundreds of gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFiles:
    """Files of one repository that a model needs."""

    repository: str
    revision: str | None
    """Commit, branch or tag; None for the commit that this machine fetched first."""
    names: tuple[str, ...]
    """Patterns of the files."""
    without: tuple[str, ...] = ()
    """Patterns of files that are left out."""
    pins: bool = True
    """True if this machine keeps the commit that it fetched first, where none is given; False for
    the newest."""


def list_wanted(card: ModelCard, *, loras: Iterable[Lora] | None = None) -> tuple[WantedFiles, ...]:
    """Return the files of the hub that a model is made of; none for a model of the package.

    Args:
        card: The model.
        loras: LoRAs that are among them, as the last; None for those that are part of the model.
    """
    if card.repository is None:
        return ()
    own = WantedFiles(
        repository=card.repository,
        revision=card.revision,
        names=PIPELINE_FILES,
        without=card.unused_files,
    )
    parts = (
        WantedFiles(
            repository=part.repository,
            revision=part.revision,
            names=tuple(f"{part.folder}/{name}" if part.folder else name for name in FILES),
        )
        for part in card.parts
    )
    return (own, *parts, *list_lora_files(card.loras if loras is None else loras))


def list_lora_files(loras: Iterable[Lora]) -> tuple[WantedFiles, ...]:
    """Return the files of the hub that LoRAs are in."""
    return tuple(
        WantedFiles(
            repository=lora.source,
            revision=lora.revision,
            names=(lora.weight_name or "*.safetensors", BESIDE),
        )
        for lora in loras
        if not lora.is_file
    )
