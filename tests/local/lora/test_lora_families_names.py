"""The authors' names of layers, against the conversions that diffusers has for their files."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from accelerate import init_empty_weights
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
from tests.local.lora.bench import HUNYUAN

from tiomagic_local.lora import families
from tiomagic_local.lora.naming import LayerFinder, Slot

WAN = {"num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32}
LTX = {"num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 8}
MODELS: dict[str, dict[str, Any]] = {
    "WanTransformer3DModel": {**WAN, "image_dim": 8, "added_kv_proj_dim": 24},
    "WanVACETransformer3DModel": {**WAN, "vace_layers": [0]},
    "WanAnimateTransformer3DModel": {**WAN, "image_dim": 8, "added_kv_proj_dim": 24},
    "SkyReelsV2Transformer3DModel": {**WAN, "inject_sample_info": False},
    "LTXVideoTransformer3DModel": {**LTX, "cross_attention_dim": 16, "caption_channels": 8},
    "LTX2VideoTransformer3DModel": {"num_layers": 1},
    "HunyuanVideoTransformer3DModel": {**HUNYUAN, "num_layers": 2},
}
MOTION = "motion_encoder."
"""A network of Animate that no LoRA is trained on; most of its names are diffusers' alone here."""


def built(kind: str) -> Any:
    """Return a transformer without values."""
    with init_empty_weights():
        return getattr(diffusers, kind)(**MODELS[kind])


def split(name: str) -> tuple[str, str]:
    """Return the layer of a tensor and what of it the tensor is."""
    layer, _, last = name.rpartition(".")
    return (layer, f".{last}") if last in ("weight", "bias") else (name, "")


@pytest.mark.parametrize("kind", MODELS)
def test_they_become_ours_by_diffusers_own_conversion(kind: str) -> None:
    """Each layer's name in the authors' files is converted to the layer that we say it is."""
    model = built(kind)
    state = {name: tensor for name, tensor in model.state_dict().items() if MOTION not in name}
    family = families.naming_of(kind)
    layers = sorted({split(name)[0] for name in state})
    fused = {part for _alias, parts in family.fused_layers(layers) for part in parts}
    theirs = {}
    for name, tensor in state.items():
        layer, rest = split(name)
        if layer not in fused and layer not in (family.halves or {}):
            theirs[family.authors(layer) + rest] = torch.empty_like(tensor, device="meta")
    # Of several that are one, and of turned halves, whole tensors are made.
    for alias, parts in family.fused_layers(layers):
        for rest in (".weight", ".bias"):
            if parts[0] + rest in state:
                stacked = [torch.empty_like(state[part + rest], device="meta") for part in parts]
                theirs[alias + rest] = torch.cat(stacked)
    for alias, layer in family.half_swapped_layers(layers):
        for rest in (".weight", ".bias"):
            theirs[alias + rest] = torch.empty_like(state[layer + rest], device="meta")
    if kind.startswith("Hunyuan"):
        # The conversion knows one width alone.
        theirs = {n: t for n, t in theirs.items() if ".linear1." not in n}
        state = {
            n: t
            for n, t in state.items()
            if "single" not in n or not any(w in n for w in ("to_q", "to_k", "to_v", "proj_mlp"))
        }
    convert = SINGLE_FILE_LOADABLE_CLASSES[kind]["checkpoint_mapping_fn"]
    made = convert(checkpoint=theirs, config=dict(model.config))
    pictures = "condition_embedder.image_embedder.pos_embed"
    assert {n: tuple(t.shape) for n, t in made.items() if n != pictures} == {
        n: tuple(t.shape) for n, t in state.items() if n != pictures
    }


@pytest.mark.parametrize("kind", MODELS)
def test_every_layer_is_found_by_all_of_its_names(kind: str) -> None:
    """By diffusers' name and the authors', dotted and joined; none leads to another layer."""
    model = built(kind)
    names = LayerFinder(model)
    family = families.naming_of(kind)
    for tensor in model.state_dict():
        layer = split(tensor)[0]
        for alias in (layer, family.authors(layer)):
            for spelt in (
                alias,
                f"diffusion_model.{alias}",
                "lora_unet_" + alias.replace(".", "_"),
            ):
                place = names.find(spelt)
                assert [slot.name for slot in place.slots] == [layer], spelt
                assert place.slots == (Slot(layer),), spelt


def test_animate_2_takes_the_names_of_its_authors_and_of_wan_2_1() -> None:
    """Each layer of Wan 2.1's picture model is one layer here, by both of its names."""
    with init_empty_weights():
        model = diffusers.WanAnimate2Transformer3DModel(
            in_dim=36, dim=24, ffn_dim=32, freq_dim=64, text_dim=16, out_dim=16, num_heads=2,
            num_layers=2,
        )  # fmt: skip
    names, wan = LayerFinder(model), built("WanTransformer3DModel")
    layers = {split(tensor)[0] for tensor in wan.state_dict()}
    for spell in (str, families.WAN.authors):
        found = {layer: names.find(f"diffusion_model.{spell(layer)}").slots for layer in layers}
        assert all(len(slots) == 1 for slots in found.values()), found
        assert {slots[0].name for slots in found.values()} == {
            split(tensor)[0] for tensor in model.state_dict()
        }
    assert names.find("blocks.0.attn1.to_out.0").slots == (Slot("blocks.0.self_attn.to_out.0"),)
    assert names.find("blocks.1.norm2").slots == (Slot("blocks.1.norm3"),)


@pytest.mark.parametrize("kind", ["CogVideoXTransformer3DModel", "Kandinsky5Transformer3DModel"])
def test_families_without_other_names(kind: str) -> None:
    """Their LoRAs have diffusers' names, with any prefix."""
    with init_empty_weights():
        model = getattr(diffusers, kind)()
    names = LayerFinder(model)
    for tensor in model.state_dict():
        layer = split(tensor)[0]
        for spelt in (f"transformer.{layer}", "lora_unet_" + layer.replace(".", "_")):
            assert names.find(spelt).slots == (Slot(layer),), spelt
