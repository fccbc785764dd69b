"""Loads the components of a pipeline that a run keeps in fewer bits, or leaves in their files."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.weights.formats import GROUPS
from tiomagic_local.checkpoint.pipeline_index import read_index
from tiomagic_local.quantized.components import (
    FullComponent,
    is_of_type,
    load_from_files,
    load_quantized,
)
from tiomagic_local.quantized.made_cache import MadeWeights
from tiomagic_local.runtime.component_reuse import identify_files
from tiomagic_local.weights.locate import Weights

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class QuantizedParts:
    """The components of one pipeline that are not loaded as they lie in its folder."""

    formats: Mapping[str, str]
    """The format of each group; see ``tiomagic_domain.weights.formats``."""
    cache: Path
    say: Callable[[str], None]
    """Called when weights have to be made."""
    from_files: bool = False
    """True to have all others in files of the type of the run, where they can stay."""
    made: dict[str, MadeWeights] = field(default_factory=dict)
    """What was loaded, by the component."""

    def facts(self) -> dict[str, Any]:
        """Return the facts for the record."""
        return {name: found.facts() for name, found in self.made.items()}

    def load(
        self,
        weights: Weights,
        types: Mapping[str, torch.dtype],
        dtype: torch.dtype,
    ) -> dict[str, torch.nn.Module]:
        """Load them.

        Args:
            weights: Of the pipeline.
            types: Types of components that differ from the others'.
            dtype: Type of all others.

        Raises:
            ValidationError: when a component of a group comes from a file with a format of its own.
            MissingDependencyError: when a format needs a library that is missing.
            OSError, ValueError, RuntimeError, KeyError: when files are damaged.
        """
        loaded = {}
        for name, (library, word, folder) in _networks(weights).items():
            format_ = next((f for g, f in self.formats.items() if name.startswith(g)), None)
            by_hand = name in weights.given
            if format_ is None and (by_hand or not self.from_files):
                continue
            if by_hand:
                raise _given_by_hand(name, str(format_))
            full = FullComponent(
                name=name.replace("_", " "),
                kind=getattr(importlib.import_module(library), word),
                folder=folder,
                identity=(word, identify_files(folder)),
                source=f"{weights.repository or weights.folder.name}/{name}",
            )
            type_ = types.get(name, dtype)
            if format_ is not None:
                loaded[name], self.made[name] = load_quantized(
                    full, format_, type_, cache=self.cache, say=self.say
                )
            elif not is_of_type(full, type_):
                loaded[name] = load_from_files(full, type_, cache=self.cache, say=self.say)
        return loaded


def _networks(weights: Weights) -> dict[str, tuple[str, str, Path]]:
    """Return library, class and folder of each component of a group."""
    found = {
        name: (said[0], said[1], weights.folder / name)
        for name, said in read_index(weights.folder).items()
        if name.startswith(GROUPS) and isinstance(said, list) and None not in said
    }
    for part in weights.parts:
        if part.part.name.startswith(GROUPS):
            found[part.part.name] = (part.part.library, part.part.kind, part.folder)
    return {name: one for name, one in found.items() if name not in weights.without}


def _given_by_hand(name: str, format_: str) -> ValidationError:
    problem = Problem(
        field="quantization",
        message=f"the {name.replace('_', ' ')} comes from a file, whose weights keep the format "
        "that they are stored in; leave it out",
        given=repr(format_),
    )
    return ValidationError.of([problem], subject="the weights")
