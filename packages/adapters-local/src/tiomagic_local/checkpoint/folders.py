"""Components of a folder: builds them without values, and checks that loaded ones are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_local.checkpoint.factors import is_helper
from tiomagic_local.checkpoint.header import read_safetensors_header
from tiomagic_local.checkpoint.variants import variant_of, weights_in

if TYPE_CHECKING:
    import torch

CONFIGURATION = "config.json"


def build_empty(kind: Any, folder: Path) -> Any:
    """Return a component without values.

    Args:
        kind: Its class in diffusers or transformers.
        folder: With its configuration.
    """
    from accelerate import init_empty_weights

    with init_empty_weights():
        if is_of_diffusers(kind):
            return kind.from_config(kind.load_config(folder, local_files_only=True))
        return kind(kind.config_class.from_pretrained(folder, local_files_only=True))


def is_of_diffusers(kind: Any) -> bool:
    """Say whether a component's class is of diffusers; else it is of transformers."""
    return hasattr(kind, "from_config")


def check_component(part: torch.nn.Module, folder: Path) -> None:
    """Compare the tensors of a component with those of its files, by name.

    Args:
        part: Loaded.
        folder: Its source.

    Raises:
        ValueError: when the files lack tensors, which would have no values, or have factors for the
            weights, which were not applied.
    """
    files = weights_in(folder, variant_of(folder))
    if not files or _is_quantised(folder):
        # A quantiser changes the tensors' names, so they cannot be compared.
        return
    stored = {name for file in files for name in read_safetensors_header(file).tensors}
    own = set(part.state_dict())
    factors = sorted(name for name in stored - own if is_helper(name))
    if factors:
        raise ValueError(
            f"{folder.name} has {len(factors)} factors of weights that are stored in another form, "
            f"such as {factors[0]!r}; such weights are read from a single file"
        )
    lacking = [name for name, _ in part.named_parameters() if name not in stored]
    if lacking:
        raise ValueError(f"{folder.name} lacks {len(lacking)} tensors, such as {lacking[0]!r}")


def _is_quantised(folder: Path) -> bool:
    path = folder / CONFIGURATION
    if not path.is_file():
        return False
    said = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(said, dict) and bool(said.get("quantization_config"))
