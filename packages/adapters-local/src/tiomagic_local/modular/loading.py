"""Loads a modular pipeline from a folder: no code from it is run."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import torch


def load_modular(
    kind: Any,
    folder: Path,
    *,
    types: Mapping[str, torch.dtype],
    components: Mapping[str, Any],
    straight: Mapping[str, Any],
    without: Container[str] = (),
) -> Any:
    """Return a modular pipeline with its components.

    Args:
        kind: Its class in diffusers.
        folder: With its index and its components.
        types: The type of each component; ``default`` for those not named.
        components: Those that are loaded already.
        straight: Further arguments for loading networks.
        without: Components of blocks that the model does not run; they stay None.

    Raises:
        OSError, ValueError: when the folder asks for code of its own, or a component is not in it
            or cannot be loaded from it.
    """
    made = kind.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    given = {name: part for name, part in components.items() if name in made.component_names}
    if given:
        made.update_components(**given)
    waits = [
        name
        for name in made.pretrained_component_names
        if name not in given and name not in without
    ]
    _check_in(folder, made, waits)
    networks = [name for name in waits if _is_network(made, name)]
    # Processors and tokenizers would store what is meant for networks in their configuration.
    others = [name for name in waits if name not in networks]
    ways: list[tuple[list[str], dict[str, Any]]] = [
        (others, {"local_files_only": True}),
        (
            networks,
            {"local_files_only": True, "use_safetensors": True, "dtype": dict(types), **straight},
        ),
    ]
    for names, how in ways:
        made.load_components(names=names, **how)
    _check_all_there(made, waits)
    return made


def _is_network(pipeline: Any, name: str) -> bool:
    kind = pipeline.get_component_spec(name).type_hint
    return isinstance(kind, type) and issubclass(kind, torch.nn.Module)


def _check_in(folder: Path, pipeline: Any, names: list[str]) -> None:
    """Raise for a component that an index takes from elsewhere: nobody has agreed to that place."""
    for name in names:
        place = pipeline.get_component_spec(name).pretrained_model_name_or_path
        if str(place) != str(folder):
            said = "does not say where it is" if place is None else f"names {str(place)!r}"
            raise ValueError(f"its component {name!r} is not in it, and the index {said}")


def _check_all_there(pipeline: Any, names: list[str]) -> None:
    """Raise for a component that is missing: the library logs a traceback and goes on without."""
    for name in names:
        if getattr(pipeline, name, None) is None:
            # Once more, for the reason alone.
            pipeline.get_component_spec(name).load(local_files_only=True)
            raise ValueError(f"its component {name!r} cannot be loaded")
