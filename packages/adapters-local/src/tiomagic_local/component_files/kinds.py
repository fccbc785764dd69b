"""The class that a file's component has, and whether such a file is read."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from tiomagic_domain.catalogue import Part
from tiomagic_domain.errors import ConfigurationError

TRANSFORMER = "transformer"
TEXT_ENCODER = "text_encoder"
MODEL_PATH = "model_path"
READ_ENCODERS = (
    *("UMT5EncoderModel", "T5EncoderModel", "LlamaModel"),
    *("Qwen2_5_VLTextModel", "Qwen2_5_VLForConditionalGeneration"),
    "Gemma3ForConditionalGeneration",
)
"""Classes of text encoders whose names and values in files are known."""


def find_class(
    component: str,
    label: str,
    index: Mapping[str, Any],
    parts: Sequence[Part] = (),
    *,
    argument: str = "weights",
) -> Any:
    """Return the class of a component, if it can be read from one file.

    Args:
        component: Its name in the pipeline.
        label: Of the given file, for the error.
        index: The pipeline's index of components.
        parts: Components that replace those of the index.
        argument: What named the file, ``weights`` or ``model_path``.

    Raises:
        ConfigurationError: when it cannot, or the model has no such component.
    """
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    said = {part.name: (part.library, part.kind) for part in parts}
    library, name = said.get(component) or index.get(component) or (None, None)
    two = (index.get(f"{TRANSFORMER}_2") or (None,))[0] is not None
    why = None
    if name is None:
        why = f"has no {component}: leave it out"
    elif argument == MODEL_PATH and two:
        why = (
            "has two of them: give each by its name, "
            "weights={'transformer': …, 'transformer_2': …}, or the folder of a whole pipeline"
        )
    elif component == TEXT_ENCODER and name not in READ_ENCODERS:
        why = f"has a {name}, which is not read from a file: leave it out"
    # Other classes have the method too, but raise when it is called.
    elif component != TEXT_ENCODER and name not in SINGLE_FILE_LOADABLE_CLASSES:
        why = (
            f"has a {name}, which diffusers reads from a folder: give the folder of a whole "
            "pipeline as model_path"
        )
    if why is not None:
        raise ConfigurationError(
            f"{argument} {label!r} is a file in place of {component}, and this model {why}",
            details={"component": component, "kind": name},
        )
    return getattr(importlib.import_module(str(library)), str(name))
