"""FusionX: Wan 2.1 with a few-step LoRA, at about 12 times the speed.

The LoRA was mixed from several distilled ones: it needs few steps and no guidance, and with the
base model's settings the picture is overexposed. These models do not run without it. Its repository
names no licence.

8 steps, guidance 1 and a shift of 2 are what public recipes for these files agree on. No commit of
the repository is known to be good: the first one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue.families.wan import T2V_14B, VACE_14B
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.schema import Schema

REPOSITORY = "vrgamedevgirl84/Wan14BT2VFusioniX"
SOURCE = "public recipes for the FusionX LoRAs"
LORA_GIB = 0.3
"""Rank 32 to 64 on every layer of a 14B transformer, computed from the shapes."""

TERMS = LicenceTerms(
    use=LicenceUse.RESEARCH,
    publishing="The LoRA names no licence, and one of its sources, CausVid, is probably "
    "for non-commercial use only (CC BY-NC 4.0): ask its author before you earn money with a "
    "video. Wan 2.1 itself is Apache-2.0.",
    source=f"huggingface.co/{REPOSITORY}, which names none",
)

RECIPE = {"num_inference_steps": 8, "guidance_scale": 1.0, "flow_shift": 2.0}


def _schema(base: Schema) -> Schema:
    """Return the parameters of the base model with the recipe of the LoRA as defaults."""
    parameters = tuple(
        replace(p, default=RECIPE[p.name], source=SOURCE) if p.name in RECIPE else p
        for p in base.parameters
    )
    return replace(base, parameters=parameters)


def _lora(file: str) -> tuple[Lora, ...]:
    return (Lora(source=REPOSITORY, weight_name=f"FusionX_LoRa/{file}"),)


T2V = replace(
    T2V_14B,
    name="wan2.1-14b-t2v-fusionx",
    title="Wan 2.1 text to video 14B, FusionX",
    description="The large text model in 8 steps without guidance: about 12 times faster.",
    homepage=f"https://huggingface.co/{REPOSITORY}",
    licence="Apache-2.0 (Wan 2.1); the LoRA names none",
    terms=TERMS,
    loras=_lora("Wan2.1_T2V_14B_FusionX_LoRA.safetensors"),
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: _schema(T2V_14B.schema(Feature.TEXT_TO_VIDEO))}
    ),
    weights_gib=T2V_14B.weights_gib + LORA_GIB,
    largest_gib=T2V_14B.largest_gib + LORA_GIB,
)

VACE_I2V = replace(
    VACE_14B,
    name="wan2.1-vace-14b-i2v-fusionx",
    title="Wan 2.1 VACE 14B image to video, FusionX",
    description="Brings one picture to life in 8 steps without guidance.",
    homepage=T2V.homepage,
    licence=T2V.licence,
    terms=TERMS,
    # The LoRA was made for Wan's image-to-video model: its layers that VACE lacks are skipped, the
    # 40 blocks that both have are changed.
    loras=_lora("Wan2.1_I2V_14B_FusionX_LoRA.safetensors"),
    features=MappingProxyType(
        {Feature.IMAGE_TO_VIDEO: _schema(VACE_14B.schema(Feature.IMAGE_TO_VIDEO))}
    ),
    weights_gib=VACE_14B.weights_gib + LORA_GIB,
    largest_gib=VACE_14B.largest_gib + LORA_GIB,
)

VACE_PHANTOM = replace(
    VACE_I2V,
    name="wan2.1-vace-14b-phantom-fusionx",
    title="Wan 2.1 VACE 14B text to video, Phantom FusionX",
    description="Video from words in 8 steps without guidance, steady in its subjects.",
    loras=_lora("Phantom_Wan_14B_FusionX_LoRA.safetensors"),
    features=MappingProxyType(
        {Feature.TEXT_TO_VIDEO: _schema(VACE_14B.schema(Feature.TEXT_TO_VIDEO))}
    ),
)

MODELS = (T2V, VACE_I2V, VACE_PHANTOM)
