"""Which weights of a component are kept in fewer bits, and what is left of its size.

The linear layers of the blocks, which are nearly all of a transformer; and of an encoder of T5 its
table of words, a fifth of it. Norms, modulation, and the layers before and after the blocks stay
full: they are small, and every block depends on them.
"""

from __future__ import annotations

from typing import Any

import torch

from tiomagic_local.checkpoint.folders import is_of_diffusers
from tiomagic_local.quantized.rounding import fits_format

TABLES = ("shared", "embed_tokens")
"""Names of the table of words."""
WITH_A_TABLE = frozenset({"T5EncoderModel", "UMT5EncoderModel"})
"""Classes whose table of words is no output layer as well."""


def kept_in_fp32(kind: Any, dtype: torch.dtype) -> set[str]:
    """Return the parts of names that the library of a class keeps in fp32 in a run of a type."""
    kept = set(getattr(kind, "_keep_in_fp32_modules", None) or ())
    # transformers keeps them so only where fp16 would overflow.
    return kept if is_of_diffusers(kind) or dtype is torch.float16 else set()


def choose_weights(model: Any, format_: str) -> frozenset[str]:
    """Return the names of the weights of a component that are kept in a format.

    Args:
        model: The component; on the meta device is enough.
        format_: See ``rounding``.
    """
    kept = kept_in_fp32(type(model), torch.bfloat16)
    table = type(model).__name__ in WITH_A_TABLE
    found = set()
    for name, layer in model.named_modules():
        path = name.split(".")
        inside = any(step.isdecimal() for step in path) and type(layer) is torch.nn.Linear
        words = table and path[-1] in TABLES and type(layer) is torch.nn.Embedding
        if not (inside or words) or kept.intersection(path):
            continue
        if fits_format(layer.weight.shape[1], format_):
            found.add(f"{name}.weight")
    return frozenset(found)
