"""Puts stored tensors into a model without values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from tiomagic_local.quantized.layers import stored_layer
from tiomagic_local.quantized.tensors import Loaded, StoredTensor

WEIGHT = ".weight"


def assemble(
    model: Any, loaded: Loaded, dtype: torch.dtype, *, kept: Collection[str] = ()
) -> torch.nn.Module:
    """Fill a model without values, and keep the weights of its layers as they are stored.

    Args:
        model: On the meta device.
        loaded: All of its tensors, by its own names.
        dtype: The type of the run.
        kept: Parts of names that stay in fp32.

    Returns:
        The model, ready to run.

    Raises:
        KeyError, ValueError, RuntimeError: when a tensor lacks, or has another shape.
    """
    full: dict[str, torch.Tensor] = {}
    stored: dict[str, StoredTensor] = {}
    values: Any
    tied = tied_names(model)
    for name, wanted in model.state_dict().items():
        tensor = loaded[name if name in loaded else tied.get(name, name)]
        wide = bool(set(name.split(".")).intersection(kept))
        if isinstance(tensor, StoredTensor) and not wide and _takes(model, name):
            if tensor.shape != tuple(wanted.shape):
                raise ValueError(f"{name!r} is {tensor.shape}, in the model {tuple(wanted.shape)}")
            stored[name] = tensor
            continue
        values = tensor
        if isinstance(tensor, StoredTensor):
            # What was packed as a matrix may be the weight of a convolution.
            values = tensor.full().reshape(wanted.shape)
        full[name] = values.to(torch.float32 if wide else dtype).contiguous()
    model.load_state_dict(full, strict=False, assign=True)
    layers: dict[int, torch.nn.Module] = {}
    for name, tensor in stored.items():
        owner, _, attribute = name.removesuffix(WEIGHT).rpartition(".")
        parent = model.get_submodule(owner)
        made = layers.get(id(tensor)) or stored_layer(getattr(parent, attribute), tensor, dtype)
        assert made is not None, "asked before"
        # Two names of one weight stay one layer.
        layers[id(tensor)] = made
        setattr(parent, attribute, made)
    made_model: torch.nn.Module = model.eval()
    return made_model


def tied_names(model: Any) -> Mapping[str, str]:
    """Return the names of weights that are the same as another one, and the other one's."""
    given = getattr(model, "_tied_weights_keys", None) or {}
    tied = dict(given) if isinstance(given, Mapping) else {}
    return tied | {other: name for name, other in tied.items()}


def _takes(model: Any, name: str) -> bool:
    """Say whether the layer of a tensor can keep it as it is stored."""
    if not name.endswith(WEIGHT):
        return False
    layer = model.get_submodule(name.removesuffix(WEIGHT))
    return type(layer) in {torch.nn.Linear, torch.nn.Embedding}
