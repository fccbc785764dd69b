"""A transformer that is given as one file, in the place of the one that a model has.

The file says nothing of its own architecture: class and sizes come from the model's configuration,
which is all that is needed of the transformer that is replaced.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import Part
from tiomagic_domain.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

TRANSFORMER = "transformer"
INDEX = "model_index.json"


def read_index(folder: Path) -> Mapping[str, Any]:
    """Return what a pipeline's folder says of its components."""
    index: Mapping[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return index


def reader(file: Path, index: Mapping[str, Any], parts: Sequence[Part] = ()) -> Any:
    """Return what reads a transformer of a model from one file.

    Args:
        file: That was given, for the error.
        index: What the folder of the pipeline says of its components.
        parts: Components that take the place of those of the index.

    Raises:
        ConfigurationError: when such a transformer is not read from one file.
    """
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    replaced = {part.name: (part.library, part.kind) for part in parts}
    library, name = replaced.get(TRANSFORMER) or index[TRANSFORMER]
    experts = (index.get("transformer_2") or (None,))[0] is not None
    # Others have the method too, and refuse when it is called.
    if name not in SINGLE_FILE_LOADABLE_CLASSES or experts:
        why = "has two of them" if experts else f"is a {name}, which diffusers reads from a folder"
        raise ConfigurationError(
            f"model_path {str(file)!r} is one file with a transformer, and this model {why}: give "
            "the folder of a whole pipeline",
            details={"transformer": name},
        )
    return getattr(importlib.import_module(library), name).from_single_file


def load_transformer(file: Path, read: Any, configuration: Path, dtype: torch.dtype) -> Any:
    """Load a transformer from one file, in the authors' naming or in that of diffusers.

    Args:
        file: In safetensors.
        read: What `reader` gave.
        configuration: The folder with the configuration of the one that it replaces.
        dtype: Type of its weights.

    Raises:
        OSError, ValueError, RuntimeError, KeyError, TypeError: when the file does not fit.
    """
    loaded = read(str(file), config=str(configuration), dtype=dtype, local_files_only=True)
    # What a file lacks, diffusers leaves without values, and says nothing.
    lacking = [name for name, tensor in loaded.named_parameters() if tensor.is_meta]
    if lacking:
        raise ValueError(f"it lacks {len(lacking)} tensors, such as {lacking[0]!r}")
    return loaded
