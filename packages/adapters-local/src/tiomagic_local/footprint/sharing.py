"""How many devices can share a video of a model, known from its architecture, without torch."""

from __future__ import annotations

import json
from importlib.resources import files

from tiomagic_local.context_parallel.support import (
    SPLIT,
    SplitClass,
    count_heads,
    list_shares,
)
from tiomagic_local.footprint.architectures import find_architecture, list_architectures


def find_split(model: str) -> tuple[SplitClass | None, int]:
    """Return what is known of the class of a model's transformer, and its heads.

    Args:
        model: The name on its card. A model of unknown architecture has no class here.
    """
    if model in list_architectures():
        part = find_architecture(model).parts["transformer"]
        name, config = part.kind.rpartition(".")[2], part.config
    else:
        # What ships with tiomagic has its configuration beside it.
        place = files("tiomagic_local") / "weights" / "data" / model / "transformer"
        path = place / "config.json"
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        name = str(config.get("_class_name"))
    split = SPLIT.get(name)
    return split, 0 if split is None else count_heads(config) or split.heads


def count_sharing(model: str, devices: int) -> int:
    """Return how many of so many devices make a video of a model together.

    Args:
        model: The name on its card.
        devices: Of a group; 0 or 1 for none.
    """
    split, heads = find_split(model)
    return 1 if split is None else max(list_shares(heads, devices), default=1)
