"""The layer names of each family's authors, from those of diffusers.

The reverse of diffusers' conversions (``loaders/single_file_utils.py``, 0.42.1, and for
HunyuanVideo 1.5 ``scripts/convert_hunyuan_video1_5_to_diffusers.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """The names of one family."""

    renamed: Sequence[tuple[str, str]] = ()
    """Patterns of diffusers' names with the authors' replacements, in order."""
    stacked: Mapping[str, Sequence[str]] | None = None
    """Fused layers of the authors: the name, by a pattern of the first part, and the other
    parts."""
    halves: Mapping[str, str] | None = None
    """Layers whose halves diffusers has swapped: the authors' name by diffusers'."""
    related: Sequence[tuple[str, str]] = ()
    """Patterns with replacements that give the names of a related class, whose LoRAs fit too."""

    def authors(self, name: str) -> str:
        """Return the authors' name of a layer."""
        return _rename(name, self.renamed)

    def spellings(self, name: str) -> tuple[str, ...]:
        """Return every name of a layer, its own first."""
        return name, self.authors(name), _rename(name, self.related)

    def fused_layers(self, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield each fused layer of the authors, and its parts."""
        known = set(names)
        for first, (theirs, *others) in (self.stacked or {}).items():
            for name in known:
                found = re.fullmatch(first, name)
                if found is None:
                    continue
                parts = [name, *(found.expand(other) for other in others)]
                if known.issuperset(parts):
                    yield found.expand(theirs), parts

    def half_swapped_layers(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield each layer with swapped halves: the authors' name and diffusers'."""
        for name in names:
            if name in (self.halves or {}):
                yield (self.halves or {})[name], name


WAN = Family(
    renamed=(
        (r"^condition_embedder\.(time|text)_embedder\.linear_1", r"\1_embedding.0"),
        (r"^condition_embedder\.(time|text)_embedder\.linear_2", r"\1_embedding.2"),
        (r"^condition_embedder\.time_proj", "time_projection.1"),
        (r"^condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
        (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
        (r"^condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
        (r"^condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
        (r"^fps_projection\.net\.0\.proj$", "fps_projection.0"),
        (r"^fps_projection\.net\.2$", "fps_projection.2"),
        (r"\.attn1\.", ".self_attn."),
        (r"\.attn2\.", ".cross_attn."),
        (r"(_attn)\.to_out\.0$", r"\1.o"),
        (r"(_attn)\.to_([qkv])$", r"\1.\2"),
        (r"(_attn)\.add_([kv])_proj$", r"\1.\2_img"),
        (r"(_attn)\.norm_added_k$", r"\1.norm_k_img"),
        (r"\.ffn\.net\.0\.proj$", ".ffn.0"),
        (r"\.ffn\.net\.2$", ".ffn.2"),
        (r"^((?:vace_)?blocks\.\d+)\.norm2$", r"\1.norm3"),
        (r"^((?:vace_)?blocks\.\d+)\.scale_shift_table$", r"\1.modulation"),
        (r"^scale_shift_table$", "head.modulation"),
        (r"^proj_out$", "head.head"),
        (r"^(vace_blocks\.\d+)\.proj_in$", r"\1.before_proj"),
        (r"^(vace_blocks\.\d+)\.proj_out$", r"\1.after_proj"),
        (r"^face_adapter\.(\d+)\.to_q$", r"face_adapter.fuser_blocks.\1.linear1_q"),
        (r"^face_adapter\.(\d+)\.to_out$", r"face_adapter.fuser_blocks.\1.linear2"),
        (r"^face_adapter\.(\d+)\.norm_([qk])$", r"face_adapter.fuser_blocks.\1.\2_norm"),
        (r"^motion_encoder\.motion_network", "motion_encoder.enc.fc"),
    ),
    stacked={
        r"face_adapter\.(\d+)\.to_k": (
            r"face_adapter.fuser_blocks.\1.linear1_kv",
            r"face_adapter.\1.to_v",
        ),
    },
)

ANIMATE_2 = Family(
    renamed=WAN.renamed,
    # The library names most of its layers as the authors do, and those of Wan 2.1 by its own names.
    related=(
        (r"^(time|text)_embedding\.0$", r"condition_embedder.\1_embedder.linear_1"),
        (r"^(time|text)_embedding\.2$", r"condition_embedder.\1_embedder.linear_2"),
        (r"^time_projection\.1$", "condition_embedder.time_proj"),
        (r"^img_emb\.proj\.0$", "condition_embedder.image_embedder.norm1"),
        (r"^img_emb\.proj\.1$", "condition_embedder.image_embedder.ff.net.0.proj"),
        (r"^img_emb\.proj\.3$", "condition_embedder.image_embedder.ff.net.2"),
        (r"^img_emb\.proj\.4$", "condition_embedder.image_embedder.norm2"),
        (r"\.self_attn\.", ".attn1."),
        (r"\.cross_attn\.", ".attn2."),
        (r"\.ffn\.0$", ".ffn.net.0.proj"),
        (r"\.ffn\.2$", ".ffn.net.2"),
        (r"^(blocks\.\d+)\.norm3$", r"\1.norm2"),
        (r"^(blocks\.\d+)\.modulation$", r"\1.scale_shift_table"),
        (r"^head\.modulation$", "scale_shift_table"),
        (r"^head\.head$", "proj_out"),
    ),
)
"""Wan-Animate-2."""

HUNYUAN = Family(
    renamed=(
        (r"^(time_text_embed|time_embed)\.timestep_embedder\.linear_1", "time_in.mlp.0"),
        (r"^(time_text_embed|time_embed)\.timestep_embedder\.linear_2", "time_in.mlp.2"),
        (r"^time_text_embed\.guidance_embedder\.linear_1", "guidance_in.mlp.0"),
        (r"^time_text_embed\.guidance_embedder\.linear_2", "guidance_in.mlp.2"),
        (r"^time_text_embed\.text_embedder\.linear_1", "vector_in.in_layer"),
        (r"^time_text_embed\.text_embedder\.linear_2", "vector_in.out_layer"),
        (r"^x_embedder", "img_in"),
        (r"^proj_out$", "final_layer.linear"),
        (r"^cond_type_embed$", "cond_type_embedding"),
        (r"^context_embedder_2\.norm$", "byt5_in.layernorm"),
        (r"^context_embedder_2\.linear_(\d)$", r"byt5_in.fc\1"),
        (r"^image_embedder\.norm_in$", "vision_in.proj.0"),
        (r"^image_embedder\.linear_1$", "vision_in.proj.1"),
        (r"^image_embedder\.linear_2$", "vision_in.proj.3"),
        (r"^image_embedder\.norm_out$", "vision_in.proj.4"),
        (r"^context_embedder\.proj_in$", "txt_in.input_embedder"),
        (
            r"^context_embedder\.time_text_embed\.timestep_embedder\.linear_1",
            "txt_in.t_embedder.mlp.0",
        ),
        (
            r"^context_embedder\.time_text_embed\.timestep_embedder\.linear_2",
            "txt_in.t_embedder.mlp.2",
        ),
        (r"^context_embedder\.time_text_embed\.text_embedder", "txt_in.c_embedder"),
        (
            r"^context_embedder\.token_refiner\.refiner_blocks",
            "txt_in.individual_token_refiner.blocks",
        ),
        (r"^(txt_in\..*)\.norm_out\.linear$", r"\1.adaLN_modulation.1"),
        (r"^(txt_in\..*)\.attn\.to_out\.0$", r"\1.self_attn_proj"),
        (r"^(txt_in\..*)\.ff\.net\.0\.proj$", r"\1.mlp.fc1"),
        (r"^(txt_in\..*)\.ff\.net\.2$", r"\1.mlp.fc2"),
        (r"^transformer_blocks\.", "double_blocks."),
        (r"^single_transformer_blocks\.", "single_blocks."),
        (r"^(double_blocks\.\d+)\.norm1\.linear$", r"\1.img_mod.linear"),
        (r"^(double_blocks\.\d+)\.norm1_context\.linear$", r"\1.txt_mod.linear"),
        (r"^(double_blocks\.\d+)\.ff\.net\.0\.proj$", r"\1.img_mlp.fc1"),
        (r"^(double_blocks\.\d+)\.ff\.net\.2$", r"\1.img_mlp.fc2"),
        (r"^(double_blocks\.\d+)\.ff_context\.net\.0\.proj$", r"\1.txt_mlp.fc1"),
        (r"^(double_blocks\.\d+)\.ff_context\.net\.2$", r"\1.txt_mlp.fc2"),
        (r"^(double_blocks\.\d+)\.attn\.to_([qkv])$", r"\1.img_attn_\2"),
        (r"^(double_blocks\.\d+)\.attn\.add_([qkv])_proj$", r"\1.txt_attn_\2"),
        (r"^(double_blocks\.\d+)\.attn\.to_out\.0$", r"\1.img_attn_proj"),
        (r"^(double_blocks\.\d+)\.attn\.to_add_out$", r"\1.txt_attn_proj"),
        (r"^(double_blocks\.\d+)\.attn\.norm_([qk])$", r"\1.img_attn_\2_norm"),
        (r"^(double_blocks\.\d+)\.attn\.norm_added_([qk])$", r"\1.txt_attn_\2_norm"),
        (r"^(single_blocks\.\d+)\.norm\.linear$", r"\1.modulation.linear"),
        (r"^(single_blocks\.\d+)\.proj_out$", r"\1.linear2"),
        (r"^(single_blocks\.\d+)\.attn\.norm_([qk])$", r"\1.\2_norm"),
    ),
    stacked={
        r"transformer_blocks\.(\d+)\.attn\.to_q": (
            r"double_blocks.\1.img_attn_qkv",
            r"transformer_blocks.\1.attn.to_k",
            r"transformer_blocks.\1.attn.to_v",
        ),
        r"transformer_blocks\.(\d+)\.attn\.add_q_proj": (
            r"double_blocks.\1.txt_attn_qkv",
            r"transformer_blocks.\1.attn.add_k_proj",
            r"transformer_blocks.\1.attn.add_v_proj",
        ),
        r"single_transformer_blocks\.(\d+)\.attn\.to_q": (
            r"single_blocks.\1.linear1",
            r"single_transformer_blocks.\1.attn.to_k",
            r"single_transformer_blocks.\1.attn.to_v",
            r"single_transformer_blocks.\1.proj_mlp",
        ),
        r"context_embedder\.token_refiner\.refiner_blocks\.(\d+)\.attn\.to_q": (
            r"txt_in.individual_token_refiner.blocks.\1.self_attn_qkv",
            r"context_embedder.token_refiner.refiner_blocks.\1.attn.to_k",
            r"context_embedder.token_refiner.refiner_blocks.\1.attn.to_v",
        ),
    },
    halves={"norm_out.linear": "final_layer.adaLN_modulation.1"},
)

LTX = Family(
    renamed=(
        (r"^proj_in$", "patchify_proj"),
        (r"^time_embed\.", "adaln_single."),
        (r"\.norm_([qk])$", r".\1_norm"),
    )
)

LTX2 = Family(
    renamed=(
        (r"^(audio_)?proj_in$", r"\1patchify_proj"),
        (r"^(audio_)?time_embed\.", r"\1adaln_single."),
        (r"^(audio_)?prompt_adaln\.", r"\1prompt_adaln_single."),
        (r"^av_cross_attn_(video|audio)_scale_shift\.", r"av_ca_\1_scale_shift_adaln_single."),
        (r"^av_cross_attn_video_a2v_gate\.", "av_ca_a2v_gate_adaln_single."),
        (r"^av_cross_attn_audio_v2a_gate\.", "av_ca_v2a_gate_adaln_single."),
        (r"\.(video|audio)_a2v_cross_attn_scale_shift_table$", r".scale_shift_table_a2v_ca_\1"),
        (r"\.norm_([qk])$", r".\1_norm"),
    )
)

FAMILIES = {
    "WanAnimate2": ANIMATE_2,
    "Wan": WAN,
    "SkyReelsV2": WAN,
    "Hunyuan": HUNYUAN,
    "LTX2": LTX2,
    "LTX": LTX,
}
"""By the beginning of their class names."""


def naming_of(kind: str) -> Family:
    """Return the family of a class of transformers; without renamings for unknown ones."""
    return next((f for start, f in FAMILIES.items() if kind.startswith(start)), Family())


def _rename(name: str, patterns: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    return name
