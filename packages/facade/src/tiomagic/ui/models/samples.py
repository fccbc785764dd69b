"""Prompts and pictures to try, which work with the chosen model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tiomagic.demo import DEMO_INPUTS, DEMO_MODEL, EXAMPLES
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Something to try."""

    prompt: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """File names of :data:`SAMPLE_FILES` by parameter."""


SAMPLE_FILES: Final[Mapping[str, Path]] = MappingProxyType(
    {name: DEMO_INPUTS / name for example in EXAMPLES for name in example.inputs.values()}
)
"""The pictures and videos of the samples by name; a form may hold them."""

MORE_OF_DEMO_MODEL: Final[Mapping[Feature, tuple[str, ...]]] = MappingProxyType(
    {
        Feature.TEXT_TO_VIDEO: (
            "a purple person walks left on a sky background",
            "a green triangle spins on a grey background",
        )
    }
)
"""Further prompts of the model that comes along, in its few words."""

PROMPTS: Final[Mapping[Feature, tuple[str, ...]]] = MappingProxyType(
    {
        Feature.TEXT_TO_VIDEO: (
            "A red fox runs through fresh snow, hand-drawn animation, side view, morning light",
            "A paper boat sails down a rainy street, stop motion, close-up, the camera follows it",
            "A small robot waters a plant on a windowsill, 3D animation, warm evening light",
        ),
        Feature.IMAGE_TO_VIDEO: (
            "The character turns its head, blinks and smiles; the camera stays still",
            "The camera moves slowly closer while leaves drift through the picture",
        ),
        Feature.INTERPOLATE: (
            "The first picture turns smoothly into the last one, even movement, still camera",
        ),
        Feature.POSE_GUIDANCE: (
            "The character follows the movement on a plain background, 2D animation",
        ),
    }
)
"""Prompts for models of open language."""


def samples_of(card: ModelCard, feature: Feature) -> list[Sample]:
    """Return what to try with a model, in words that it knows."""
    if card.name == DEMO_MODEL:
        shown = [
            Sample(prompt=example.prompt, inputs=example.inputs)
            for example in EXAMPLES
            if example.feature == feature.value
        ]
        more = MORE_OF_DEMO_MODEL.get(feature, ())
        return shown + [Sample(prompt=prompt) for prompt in more]
    if card.vocabulary:
        example = card.example_prompt
        return [Sample(prompt=example)] if example and not card.unknown_words(example) else []
    return [Sample(prompt=prompt) for prompt in PROMPTS.get(feature, ())]
