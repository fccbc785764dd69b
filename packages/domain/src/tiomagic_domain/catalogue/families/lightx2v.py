"""LoRAs of the LightX2V team for Wan: four steps without guidance instead of fifty with it.

They were distilled at the time steps 1000, 937.5, 833.3 and 625 of 1000, which are four even steps
with a shift of 5, and with plain Euler steps. Wan 2.2 has one for each expert; both experts get two
steps.

VACE is Wan's text model with blocks beside it, and takes that model's LoRA, as public recipes do:
there is no distilled VACE, and no distilled VACE-Fun. The 1.3B models are left out: the recipes for
their LoRA agree neither on the steps (8 to 16) nor on its strength (0.4 to 1).

The result with VACE is less certain: the authors distilled the text model, and do not mention VACE.
The files are the first ones, of which the recipes above are known; LightX2V has newer repositories
(Wan2.1-Distill-Loras, Wan2.2-Distill-Loras) whose recipes have not been compared.

No commit of the Wan 2.1 repositories is known to be good: the first that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT, FewStepWeights
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.settings import TURBO_ACCELERATION
from tiomagic_domain.schema.schema import Schema

SOURCE = "the LightX2V team's inference configurations (github.com/ModelTC/LightX2V)"
FOUR_STEPS = MappingProxyType({"num_inference_steps": 4, "guidance_scale": 1.0, "flow_shift": 5.0})
LIGHTNING = "lightx2v/Wan2.2-Lightning"
LIGHTNING_REVISION = "18bccf8884ec0a078eed79785eb4ef13ea16ce1e"


def _distilled(model: str, file: str) -> FewStepWeights:
    repository = f"lightx2v/Wan2.1-{model}-StepDistill-CfgDistill-Lightx2v"
    lora = Lora(source=repository, weight_name=f"loras/{file}")
    return FewStepWeights(loras=(lora,), settings=FOUR_STEPS, source=SOURCE)


def _lightning(folder: str) -> FewStepWeights:
    """Return the two LoRAs of a model with two experts."""
    loras = tuple(
        Lora(
            source=LIGHTNING,
            weight_name=f"{folder}/{noise}_noise_model.safetensors",
            component=component,
            revision=LIGHTNING_REVISION,
        )
        for noise, component in (("high", "transformer"), ("low", "transformer_2"))
    )
    settings = MappingProxyType({**FOUR_STEPS, "guidance_scale_2": 1.0})
    return FewStepWeights(loras=loras, settings=settings, source=SOURCE)


T2V_14B = _distilled("T2V-14B", "Wan21_T2V_14B_lightx2v_cfg_step_distill_lora_rank64.safetensors")
I2V_480P = _distilled(
    "I2V-14B-480P", "Wan21_I2V_14B_lightx2v_cfg_step_distill_lora_rank64.safetensors"
)
I2V_720P = _distilled(
    "I2V-14B-720P", "Wan21_I2V_14B_lightx2v_cfg_step_distill_lora_rank64.safetensors"
)
T2V_A14B = _lightning("Wan2.2-T2V-A14B-4steps-lora-rank64-Seko-V1.1")
I2V_A14B = _lightning("Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1")


def with_turbo(card: ModelCard, turbo: FewStepWeights) -> ModelCard:
    """Return a card whose calls may ask for few steps.

    The given card is unchanged, because other models are made from it.
    """
    features = {feature: _may_be_turbo(schema) for feature, schema in card.features.items()}
    return replace(card, turbo=turbo, features=MappingProxyType(features))


def _may_be_turbo(schema: Schema) -> Schema:
    parameters = tuple(
        TURBO_ACCELERATION if parameter.name == ACCELERATION_ARGUMENT else parameter
        for parameter in schema.parameters
    )
    return replace(schema, parameters=parameters)
