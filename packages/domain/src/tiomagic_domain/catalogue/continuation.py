"""The parameters of shots that go on: ``continued_video`` and ``loop``.

Neither is a setting of a model: the call becomes one of image to video or of interpolation, and
what is made is joined or closed afterwards. Every model that can gets them, so cards need not
declare them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from tiomagic_domain.features import Feature
from tiomagic_domain.schema.kinds import unwrap
from tiomagic_domain.schema.parameter import Kind, Parameter

CONTINUED_VIDEO_ARGUMENT: Final = "continued_video"
LOOP_ARGUMENT: Final = "loop"
CONTINUATION_ARGUMENTS: Final = (CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT)
"""Arguments that no engine sees."""

CONTINUED_VIDEO: Final = Parameter(
    name=CONTINUED_VIDEO_ARGUMENT,
    kind=Kind.VIDEO,
    required=False,
    description="A video that goes on, in place of image.",
)
LOOP: Final = Parameter(
    name=LOOP_ARGUMENT,
    kind=Kind.BOOLEAN,
    required=False,
    description="Make a video that repeats without a cut: it ends with its first picture.",
)


def continuation_parameters(feature: Feature, features: Collection[Feature]) -> Iterator[Parameter]:
    """Give the parameters of a model's feature for shots that go on.

    Args:
        feature: Which one.
        features: All that the model has. It needs interpolation to end where it began.
    """
    if feature is Feature.IMAGE_TO_VIDEO:
        yield CONTINUED_VIDEO
    if feature is Feature.INTERPOLATE or (
        feature is Feature.IMAGE_TO_VIDEO and Feature.INTERPOLATE in features
    ):
        yield LOOP


def wants_loop(arguments: Mapping[str, object]) -> bool:
    """Return whether a call, checked or not, is for a loop."""
    return unwrap(arguments.get(LOOP_ARGUMENT)) is True
