"""Models at Luma: Ray 2 and Ray Flash 2, for words, a picture, or two pictures.

Luma sizes the videos by two words, a shape and a resolution, and makes 5 or 9 seconds.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.endpoints import Endpoint, Name
from tiomagic_hosted.catalogue.lengths import build_length, say_seconds
from tiomagic_hosted.catalogue.prices import PriceList

ENGINE: Final = "luma"
FPS: Final = 24
"""docs.lumalabs.ai/docs/modify-video: its prices are counted at this rate."""

_SDK = "the types of lumaai 1.21.0"

TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="Luma sells it for commercial use under its terms of service.",
    source="lumalabs.ai/legal/tos",
)

PRICES = PriceList(
    rates=(),
    source="lumalabs.ai/api/pricing, which has other models only",
    as_of=date(2026, 8, 13),
)

_LENGTH = build_length(fps=FPS, default=5, low=5, high=9, step=4, source=_SDK)
_RESOLUTION = Parameter(
    name="resolution",
    kind=Kind.STRING,
    required=False,
    default="720p",
    choices=("540p", "720p", "1080p", "4k"),
    source=_SDK,
    description="The short side of the video; the price grows with it.",
)
_ASPECT = Parameter(
    name="aspect",
    kind=Kind.STRING,
    required=False,
    default="16:9",
    choices=("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21"),
    source=_SDK,
    description="Shape of the video, width to height.",
)

_FEATURES = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)


def _build_schema(feature: Feature) -> Schema:
    shape = (_ASPECT,) if feature is Feature.TEXT_TO_VIDEO else ()  # Else the picture's.
    return Schema(parameters=(*INPUTS[feature], _LENGTH, _RESOLUTION, *shape))


def _build_card(name: str, title: str, description: str) -> ModelCard:
    return ModelCard(
        name=name,
        title=title,
        family="hosted",
        description=f"{description} Pictures are given by their https address.",
        homepage="https://docs.lumalabs.ai/docs/video-generation",
        licence="Luma terms of service",
        terms=TERMS,
        engine=ENGINE,
        repository=None,
        features=MappingProxyType({feature: _build_schema(feature) for feature in _FEATURES}),
        fps=FPS,
        pixels=1280 * 720,
        weights_gib=0.0,
        largest_gib=0.0,
        gpu_memory_gib=0.0,
        # No limit is documented; one that no prompt reaches.
        prompt_tokens=1250,
    )


RAY_2 = _build_card(
    "luma-ray-2",
    "Ray 2 at Luma",
    "Video from words, from a picture, or between two, without a GPU.",
)
RAY_FLASH_2 = _build_card(
    "luma-ray-flash-2",
    "Ray Flash 2 at Luma",
    "The faster and cheaper Ray 2: from words, from a picture, or between two, without a GPU.",
)

CARDS: Final = (RAY_2, RAY_FLASH_2)


def say_duration(frames: int) -> str:
    """Return a length as Luma's word for it, such as ``5s``."""
    return f"{say_seconds(FPS)(frames)}s"


_NAMES = {
    "prompt": Name(name="prompt"),
    "num_frames": Name(name="duration", say=say_duration),
    "resolution": Name(name="resolution"),
}
_OWN_NAMES = MappingProxyType(
    {
        Feature.TEXT_TO_VIDEO: {"aspect": Name(name="aspect_ratio")},
        Feature.IMAGE_TO_VIDEO: {"image": Name(name="frame0")},
        Feature.INTERPOLATE: {
            "first_frame": Name(name="frame0"),
            "last_frame": Name(name="frame1"),
        },
    }
)


def _build_endpoint(model: str, feature: Feature) -> Endpoint:
    return Endpoint(
        path="generations",
        names={**_NAMES, **_OWN_NAMES[feature]},
        fixed={"model": model},
        source=_SDK,
        prices=PRICES,
    )


CATALOGUE: Final = Catalogue(
    default_model=RAY_2.name,
    cards=CARDS,
    endpoints=MappingProxyType(
        {
            (card.name, feature): _build_endpoint(card.name.removeprefix("luma-"), feature)
            for card in CARDS
            for feature in _FEATURES
        }
    ),
)
