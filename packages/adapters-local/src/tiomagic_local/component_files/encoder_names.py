"""The tensors of a text encoder's file, by the names of transformers.

GGUF files have the names of llama.cpp, which its library knows for each architecture. Files of
ComfyUI have those of transformers, newer or older ones, and some tensors beside the weights. An
encoder that also sees pictures loses that part where a file lacks it: no pipeline here uses it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tiomagic_local.checkpoint.factors import FormError
from tiomagic_local.checkpoint.gguf_files import ARCHITECTURE
from tiomagic_local.checkpoint.header import Entry, WeightsHeader
from tiomagic_local.quantized.assembling import tied_names

if TYPE_CHECKING:
    import torch

    Change = Callable[[torch.Tensor], torch.Tensor]

READ_ARCHITECTURES = ("t5encoder", "t5", "llama", "qwen2vl", "gemma3")
"""Architectures of GGUF whose stored values are known to mean what is done with them here."""
SIGHT = ("vision_tower", "multi_modal_projector", "visual")
"""Parts of an encoder that are for pictures alone."""
IN_FRONT = ("", "model.language_model.", "language_model.", "model.")
"""What may be in front of a model's names, without which llama.cpp's library knows them."""
RENAMED = (
    (r"^text_encoders?\.\w+\.transformer\.", ""),
    (r"^language_model\.model\.", "model.language_model."),
    (r"^language_model\.lm_head\.", "lm_head."),
    (r"^model\.", "model.language_model."),
    (r"^model\.", ""),
    (r"^(?=vision_tower\.|multi_modal_projector\.|visual\.)", "model."),
)
"""Beginnings of names in files, and what they are in some class of transformers."""
NO_WEIGHTS = frozenset({"spiece_model", "tekken_model", "tokenizer_json"})
"""Tokenizers that ComfyUI keeps in the file of an encoder, as bytes."""
BESIDE = re.compile(
    r"(?:lm_head\.weight|logit_scale"
    r"|(?:dec|decoder|v|mm|visual|vision_tower|vision_model|multi_modal_projector)\..+"
    r"|model\.visual\..+|output\.weight|rope_freqs\.weight)$"
)
"""Tensors that a file may have and an encoder may not: a decoder, eyes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderTensors:
    """The tensors of an encoder in a file."""

    names: Mapping[str, str]
    """Names in the file by the model's names; a tensor that is not known keeps its name."""
    others: int
    """The number of tensors that are of other components."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """What makes the values of transformers of those of llama.cpp, by the model's names."""


def is_no_weight(name: str) -> bool:
    """Say whether a tensor of a file is a tokenizer's bytes."""
    return name in NO_WEIGHTS


def leave_out_sight(model: Any, header: WeightsHeader) -> None:
    """Remove the part of an encoder for pictures, if a file has nothing of it.

    Args:
        model: Without values; changed in place.
        header: Of the file.
    """
    if any(part in name.split(".") for name in header.tensors for part in SIGHT):
        return
    inside = getattr(model, "model", model)
    for part in SIGHT:
        if getattr(inside, part, None) is not None:
            setattr(inside, part, None)


def name_tensors(
    weights: Mapping[str, Entry], header: WeightsHeader, model: Any, *, packed: bool
) -> EncoderTensors:
    """Return the tensors of a file by the names of a model.

    Args:
        weights: Of the file, without factors.
        header: Of the file.
        model: Without values.
        packed: True for GGUF.

    Raises:
        FormError: when it is for an architecture that is not read.
    """
    changes: Mapping[str, Change] = {}
    known: Mapping[str, str | None]
    if packed:
        known, changes = _packed_names(header, model)
    else:
        own = {*model.state_dict(), *tied_names(model)}
        known = {name: _model_name(name, own) for name in weights}
    names, others = dict[str, str](), 0
    for name in weights:
        ours = known.get(name)
        if ours is None and BESIDE.match(name):
            others += 1
        else:
            names[ours or name] = name
    return EncoderTensors(names=names, others=others, changes=changes)


def _model_name(name: str, own: Collection[str]) -> str | None:
    """Return a model's name of a tensor; None for one that it has not."""
    tried = (name, *(re.sub(theirs, ours, name) for theirs, ours in RENAMED))
    return next((one for one in tried if one in own), None)


def _packed_names(header: WeightsHeader, model: Any) -> tuple[dict[str, str], Mapping[str, Change]]:
    """Return a model's names by those of a GGUF file, and what its values need."""
    import gguf

    said = str(header.metadata.get(ARCHITECTURE))
    if said not in READ_ARCHITECTURES:
        listed = ", ".join(READ_ARCHITECTURES)
        raise FormError(f"it is no text encoder that is read; these are: {listed}")
    number = next(one for one, name in gguf.MODEL_ARCH_NAMES.items() if name == said)
    config = model.config.get_text_config()
    known = gguf.get_tensor_name_map(number, int(config.num_hidden_layers))
    names: dict[str, str] = {}
    changes: dict[str, Change] = {}
    for name in model.state_dict():
        theirs = _their_name(known, name)
        if theirs is not None:
            names.setdefault(theirs, name)
            change = _change(said, name, config)
            if change is not None:
                changes[name] = change
    return names, changes


def _their_name(known: Any, name: str) -> str | None:
    for front in IN_FRONT:
        if name.startswith(front):
            found = known.get_name(name.removeprefix(front), try_suffixes=(".weight", ".bias"))
            if found is not None:
                return str(found)
    return None


def _change(architecture: str, name: str, config: Any) -> Change | None:
    """Return what undoes the changes of llama.cpp's converter to a tensor; None for none."""
    if architecture == "gemma3" and name.endswith("norm.weight"):
        # The converter adds the one that transformers adds when it runs.
        return lambda tensor: tensor - 1
    heads = {"q_proj.weight": "num_attention_heads", "k_proj.weight": "num_key_value_heads"}
    key = next((key for end, key in heads.items() if name.endswith(end)), None)
    if architecture == "llama" and key is not None:
        return functools.partial(_unpaired, heads=int(getattr(config, key)))
    return None


def _unpaired(rows: torch.Tensor, *, heads: int) -> torch.Tensor:
    """Return rows in the order of transformers: halves of a head, where llama.cpp has pairs."""
    length = rows.shape[0]
    pairs = rows.reshape(heads, length // heads // 2, 2, *rows.shape[1:])
    return pairs.transpose(1, 2).reshape(rows.shape)
