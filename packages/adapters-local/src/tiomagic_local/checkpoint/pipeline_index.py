"""The index of a pipeline's folder: its class, and the class of each component.

A usual pipeline has ``model_index.json``, a modular one ``modular_model_index.json``; a repository
may have both. Here both look alike: a component's name, its library, its class.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLAIN_INDEX = "model_index.json"
MODULAR_INDEX = "modular_model_index.json"
INDEXES = (PLAIN_INDEX, MODULAR_INDEX)
"""Names of the files that say what a folder's components are."""

_MODULAR, _BLOCKS = "ModularPipeline", "Blocks"


def is_modular(pipeline: str) -> bool:
    """Say whether a class of diffusers is a modular pipeline, by the name that all of them have."""
    return pipeline.endswith(_MODULAR)


def index_name(pipeline: str) -> str:
    """Return the name of the file that describes a pipeline of a class."""
    return MODULAR_INDEX if is_modular(pipeline) else PLAIN_INDEX


def read_index(folder: Path) -> Mapping[str, Any]:
    """Return the index of a pipeline's folder; the plain one where it has both.

    Raises:
        OSError: when it has neither.
        ValueError: when it is no JSON.
    """
    modular = folder / MODULAR_INDEX
    path = modular if modular.is_file() and not (folder / PLAIN_INDEX).is_file() else None
    return plain_form(json.loads((path or folder / PLAIN_INDEX).read_text(encoding="utf-8")))


def plain_form(index: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content of either index in the form of the plain one: library and class alone."""
    return {name: _component(value) for name, value in index.items()}


def _component(value: Any) -> Any:
    if not (isinstance(value, list) and len(value) == 3 and isinstance(value[2], dict)):
        return value
    library, kind, said = value
    # An index that was saved before its weights were loaded says the class among the rest.
    return [library, kind] if kind is not None else list(said.get("type_hint") or (None, None))


def pipeline_class(index: Mapping[str, Any]) -> Any:
    """Return the name of the pipeline's class; None where the index does not say it.

    Presets of a modular pipeline may share the class and differ in their blocks, such as those of a
    distilled model, which then say it.
    """
    blocks = index.get("_blocks_class_name")
    found = index.get("_class_name")
    if not isinstance(blocks, str) or not blocks.endswith(_BLOCKS) or blocks.endswith("AutoBlocks"):
        return found
    return blocks.removesuffix(_BLOCKS) + _MODULAR
