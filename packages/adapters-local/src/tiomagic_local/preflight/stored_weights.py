"""The bytes of a model's weights: those that are here, and those to download. Makes no request."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.ports.preflight import WeightsOnDisk
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.inventory import take_inventory
from tiomagic_local.weights.locate import local_folder

WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """The weights of a model as they lie on this machine."""

    on_disk: WeightsOnDisk
    component_bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each component's weights; of all of them under an empty name where only the sum is
    known; empty where the sizes of the files are not known."""


def find_stored_weights(
    card: ModelCard, options: LocalOptions, settings: Mapping[str, Any] | None = None
) -> StoredWeights:
    """Return what is here of a model's weights, and what is not.

    Args:
        card: The model, at the commits that a call wants.
        options: Where to look.
        settings: Of the call, whose own LoRAs of the card count as well; None for the model alone.

    Raises:
        ConfigurationError: when a given folder does not exist, or the package lacks its weights.
    """
    found = take_inventory(card, options, settings=settings)
    place = found.location or Path.cwd()
    total = found.bytes_here + found.bytes_to_fetch
    on_disk = WeightsOnDisk(
        total_bytes=total,
        here_bytes=found.bytes_here,
        place=str(place),
        disk_free_bytes=free_bytes(place),
        is_exact=found.is_exact or found.is_complete,
    )
    folder = local_folder(card, options)
    if folder is not None:
        return StoredWeights(on_disk=on_disk, component_bytes=_components_of(folder[0]))
    known = {"": total} if on_disk.is_exact else {}
    return StoredWeights(on_disk=on_disk, component_bytes=known)


def _components_of(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in folder.rglob(f"*{WEIGHTS_SUFFIX}"):
        part = path.relative_to(folder).parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return sizes


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes on the disk of a folder, which may not exist yet; None if unknown."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None
