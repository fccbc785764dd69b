"""The one model of the service: a ball that bounces in the colour of the prompt."""

from __future__ import annotations

from types import MappingProxyType

from tiomagic_domain.catalogue import ModelCard, settings
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.schema import Schema

PROVIDER = "drawing"

BALL = ModelCard(
    name="bouncing-ball",
    title="Bouncing ball",
    family="drawing",
    description="A ball whose colour comes from the prompt and whose way comes from the seed.",
    homepage="https://example.org/bouncing-ball",
    licence="MIT",
    engine="drawing",
    repository=None,
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: Schema(
                parameters=(
                    *INPUTS[Feature.TEXT_TO_VIDEO],
                    settings.side("width", default=128, multiple_of=16, low=32, high=512),
                    settings.side("height", default=96, multiple_of=16, low=32, high=512),
                    settings.num_frames(
                        default=24, low=1, high=7200, multiple_of=1, offset=0, source="one second"
                    ),
                    settings.fps(default=24),
                    settings.SEED,
                )
            )
        }
    ),
    fps=24,
    pixels=128 * 96,
    weights_gib=0,
    largest_gib=0,
    gpu_memory_gib=0,
    prompt_tokens=1000,
)

MODELS = MappingProxyType({BALL.name: BALL})
"""Everything that can be asked of this service."""
