"""Classifies the tensors of a LoRA file by their names: layer and role. Loads no torch.

A name is a layer and a role: ``blocks.0.attn1.to_q`` and ``lora_A.weight``. The roles are those of
peft, kohya's trainers (musubi-tuner among them), DiffSynth-Studio, ai-toolkit, LyCORIS and of files
that were extracted from two checkpoints:

==============  ==================================================================================
roles           change
==============  ==================================================================================
down, up, mid   LoRA: the product of two matrices, or of three in a convolution
hada_…          LoHa: the product, number by number, of two such products
lokr_…          LoKr: the Kronecker product of two matrices, each whole or a product
magnitude       DoRA: the length that each row or column has afterwards
diff, diff_b    the difference itself, of a weight (of a norm's as well) and of a bias
diff_m          the difference of a block's modulation
w_norm, b_norm  LyCORIS' names for the differences of a norm
set_…           the weight or bias that a layer has instead
==============  ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ADAPTER = r"(?:\.(?!weight$|bias$)[^.]+)?"
"""The name of a peft adapter, which may be part of a tensor's name."""

ROLES: Mapping[str, str] = {
    "down_bias": rf"\.lora_A{ADAPTER}\.bias",
    "up_bias": rf"\.lora_B{ADAPTER}\.bias",
    "magnitude": rf"\.(?:lora_magnitude_vector{ADAPTER}(?:\.weight)?|dora_scale|magnitude)",
    "down": rf"\.lora_A{ADAPTER}(?:\.weight)?",
    "up": rf"\.lora_B{ADAPTER}(?:\.weight)?",
    "down ": r"(?:\.lora_down|\.lora\.down|_lora\.down|\.lora_linear_layer\.down)(?:\.weight)?",
    "up ": r"(?:\.lora_up|\.lora\.up|_lora\.up|\.lora_linear_layer\.up)(?:\.weight)?",
    "mid": r"\.lora_mid(?:\.weight)?",
    "alpha": r"\.(?:lora_|network_)?alpha",
    "diff_b": r"\.diff_b",
    "diff_m": r"\.diff_m",
    "diff": r"\.diff",
    "w_norm": r"\.w_norm",
    "b_norm": r"\.b_norm",
    **{
        f"hada_{name}": rf"\.hada_{name}{ADAPTER}"
        for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")
    },
    **{
        f"lokr_{name}": rf"\.lokr_{name}{ADAPTER}"
        for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    },
    "set_weight": rf"\.(?:set_weight|modules_to_save{ADAPTER}\.weight)",
    "set_bias": rf"\.(?:set_bias|modules_to_save{ADAPTER}\.bias)",
}
"""Endings of names, by role."""

FOREIGN: Mapping[str, str] = {
    "OFT or BOFT": r"\.(?:b?oft_\w+|oft_R\..*|rescale)",
    "IA3": r"\.(?:ia3_l|on_input)(?:\..*)?",
    "GLoRA": r"\.(?:a1|a2|b1|b2|bm1|bm2)\.weight",
    "VeRA or RandLoRA": r"\.(?:vera|randlora)_\w+(?:\..*)?",
    "a LoRA of embeddings": r"\.lora_embedding_[AB](?:\..*)?",
    "a control LoRA of another size": r"\.reshape_weight",
    "LoRA with biases of its first matrix": rf"\.lora_A{ADAPTER}\.bias",
}
"""Endings of names of unsupported kinds."""

PLAIN = re.compile(r"(?P<layer>.+)\.(?P<kind>weight|bias)$")
"""The name of a model's own tensor."""

_ROLES = [(role.strip(), re.compile(rf"(?P<layer>.+?){end}$")) for role, end in ROLES.items()]
_FOREIGN = [(kind, re.compile(rf".+{end}$")) for kind, end in FOREIGN.items()]
_WRAPPERS = re.compile(
    r"(?<![^.])(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module|base_layer)\."
)
"""Insertions of compiling, checkpointing, sharding and adapters in layer names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The tensors of a file, sorted."""

    layers: Mapping[str, Mapping[str, str]]
    """Names of tensors by role, by layer; layers as named in the file."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """An example of each unsupported kind."""

    @property
    def has_lora_tensors(self) -> bool:
        """True when the file has any LoRA tensor."""
        return any(
            role not in ("set_weight", "set_bias", "alpha")
            for roles in self.layers.values()
            for role in roles
        )


def sort(names: Iterable[str]) -> Contents:
    """Classify the tensors of a file; see above."""
    layers: dict[str, dict[str, str]] = {}
    foreign: dict[str, str] = {}
    for name in names:
        bare = _WRAPPERS.sub("", name)
        kind = next((kind for kind, pattern in _FOREIGN if pattern.match(bare)), None)
        if kind is not None:
            foreign.setdefault(kind, name)
            continue
        layer, role = _role(bare)
        if role == "diff_m":
            # Named after the block, but for a parameter of it.
            layer, role = f"{layer}.modulation", "diff"
        layers.setdefault(layer, {})[role] = name
    return Contents(layers=layers, foreign=foreign)


def _role(name: str) -> tuple[str, str]:
    for role, pattern in _ROLES:
        found = pattern.match(name)
        if found is not None:
            return found["layer"], role
    plain = PLAIN.match(name)
    if plain is not None:
        return plain["layer"], f"set_{plain['kind']}"
    return name, "set_weight"
