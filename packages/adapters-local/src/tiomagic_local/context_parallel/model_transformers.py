"""A model's transformers before it is loaded: whether several devices can share them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import diffusers
import torch

from tiomagic_local.checkpoint.folders import CONFIGURATION
from tiomagic_local.checkpoint.pipeline_index import read_index
from tiomagic_local.component_files.kinds import TRANSFORMER
from tiomagic_local.context_parallel.plans import find_plan
from tiomagic_local.context_parallel.support import (
    count_heads,
    explain_configuration,
)

if TYPE_CHECKING:
    from tiomagic_local.weights.locate import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTransformer:
    """One transformer of a model."""

    kind: type
    """Its class."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Its configuration."""


def find_transformers(weights: Weights) -> list[ModelTransformer]:
    """Return a model's transformers, from its files."""
    index = read_index(weights.folder)
    named = {name: said[1] for name, said in index.items() if name.startswith(TRANSFORMER)}
    folders = {name: weights.folder / name for name in named}
    for found in weights.parts:
        if found.part.name in named:
            named[found.part.name] = found.part.kind
            folders[found.part.name] = found.folder
    classes = {name: getattr(diffusers, str(kind), None) for name, kind in named.items()}
    return [
        ModelTransformer(
            kind=kind, config={**_defaults(kind), **_read(folders[name] / CONFIGURATION)}
        )
        for name, kind in classes.items()
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module)
    ]


def explain_unsplittable(parts: Collection[ModelTransformer]) -> str | None:
    """Return why transformers cannot be split; None when they can."""
    for part in parts:
        reason = _explain_class(part.kind) or explain_configuration(part.config)
        if reason is not None:
            return reason
    return None if parts else "the model has no transformer"


def count_shared_heads(parts: Collection[ModelTransformer]) -> int:
    """Return the heads of the attention with the fewest; 1 for one that does not say it."""
    return min((count_heads(part.config) or 1 for part in parts), default=1)


def _explain_class(kind: type) -> str | None:
    if find_plan(kind) is None:
        return f"there is no plan for splitting a {kind.__name__}"
    return None


def _defaults(kind: type) -> Mapping[str, Any]:
    """Return the values that a configuration need not have."""
    parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def _read(path: Any) -> Mapping[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # A missing or broken file is an error of the loader, with its own words.
        return {}
    return said if isinstance(said, dict) else {}
