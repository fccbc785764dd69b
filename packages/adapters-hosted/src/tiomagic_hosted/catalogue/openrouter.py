"""Models at OpenRouter, from its own list: what they take, and what they cost.

The vendor sizes the videos by two words, a shape and a resolution, and takes whole seconds. The
limits are those of the shipped list; before a run they are compared with a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_hosted.catalogue.endpoints import Name
from tiomagic_hosted.catalogue.lengths import build_length, say_seconds
from tiomagic_hosted.catalogue.openrouter_listing import (
    FIRST,
    LAST,
    PIXELS,
    SOURCE,
    ListedModel,
    shipped_listing,
)
from tiomagic_hosted.catalogue.shapes import ShapedEndpoint, build_sound

ENGINE: Final = "openrouter"
FPS: Final = 24
"""Frames that a second counts as in a call. The list has no frames a second; the makers' own pages
say 24 for most, and what arrives has its own."""

_SOURCE: Final = f"{SOURCE}, as of {shipped_listing().as_of}"

TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="OpenRouter sells it under its terms of service; the maker's own terms apply beside "
    "them.",
    source="openrouter.ai/terms and the model's page",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What is not in the list."""

    model: str
    """OpenRouter's name."""
    title: str
    description: str
    resolution: str = "720p"
    seconds: int = 5

    @property
    def name(self) -> str:
        """Our name."""
        return f"openrouter-{self.model.partition('/')[2]}"


_OFFERS: Final = (
    _Offer(
        model="google/veo-3.1-lite",
        title="Veo 3.1 Lite",
        description="Google's cheapest Veo, with sound.",
        seconds=4,
    ),
    _Offer(
        model="google/veo-3.1-fast",
        title="Veo 3.1 Fast",
        description="Google's faster Veo, with sound.",
        seconds=4,
    ),
    _Offer(
        model="google/veo-3.1",
        title="Veo 3.1",
        description="Google's best Veo, with sound, to 4K.",
        seconds=4,
    ),
    _Offer(
        model="kwaivgi/kling-v3.0-std",
        title="Kling 3.0 Standard",
        description="Kuaishou's Kling, with sound, of 3 to 15 seconds.",
    ),
    _Offer(
        model="kwaivgi/kling-v3.0-pro",
        title="Kling 3.0 Pro",
        description="Kuaishou's better Kling, with sound, of 3 to 15 seconds.",
    ),
    _Offer(
        model="bytedance/seedance-2.0",
        title="Seedance 2.0",
        description="ByteDance's Seedance, with sound, to 4K.",
    ),
    _Offer(
        model="bytedance/seedance-2.5",
        title="Seedance 2.5",
        description="ByteDance's newer Seedance, with sound, to 30 seconds.",
    ),
    _Offer(
        model="alibaba/wan-2.7",
        title="Wan 2.7",
        description="Alibaba's Wan with a last picture, with sound.",
    ),
    _Offer(
        model="alibaba/wan-3.0",
        title="Wan 3.0",
        description="Alibaba's newer Wan, with sound, to 30 seconds.",
    ),
    _Offer(
        model="minimax/hailuo-3",
        title="Hailuo 3",
        description="MiniMax's Hailuo, with sound, at 2K.",
        resolution="2k",
    ),
    _Offer(
        model="runway/gen-4.5",
        title="Runway Gen-4.5",
        description="Runway's Gen-4.5, without sound.",
    ),
)


def _features(listed: ListedModel) -> tuple[Feature, ...]:
    found = [Feature.TEXT_TO_VIDEO]
    if FIRST in listed.frames:
        found.append(Feature.IMAGE_TO_VIDEO)
    if {FIRST, LAST} <= listed.frames:
        found.append(Feature.INTERPOLATE)
    return tuple(found)


def _build_schema(offer: _Offer, listed: ListedModel, feature: Feature) -> Schema:
    parameters = [
        *INPUTS[feature],
        build_length(
            fps=FPS,
            default=offer.seconds,
            low=listed.seconds[0],
            high=listed.seconds[-1],
            step=listed.seconds[1] - listed.seconds[0],
            source=_SOURCE,
        ),
        Parameter(
            name="resolution",
            kind=Kind.STRING,
            required=False,
            default=offer.resolution,
            choices=listed.resolutions,
            source=_SOURCE,
            description="The short side of the video; the price grows with it.",
        ),
        Parameter(
            name="aspect",
            kind=Kind.STRING,
            required=False,
            choices=listed.aspects,
            source=_SOURCE,
            default="16:9" if feature is Feature.TEXT_TO_VIDEO else UNSET,
            description="Shape of the video, width to height.",
        ),
    ]
    if listed.has_sound:
        parameters.append(build_sound(_SOURCE))
    if listed.has_seed:
        parameters.append(settings.SEED)
    return Schema(parameters=tuple(parameters))


def _build_card(offer: _Offer, listed: ListedModel) -> ModelCard:
    return ModelCard(
        name=offer.name,
        title=f"{offer.title} at OpenRouter",
        family="hosted",
        description=f"{offer.description} Without a GPU.",
        homepage=f"https://openrouter.ai/{offer.model}",
        licence="OpenRouter terms of service",
        terms=TERMS,
        engine=ENGINE,
        repository=None,
        features=MappingProxyType(
            {feature: _build_schema(offer, listed, feature) for feature in _features(listed)}
        ),
        fps=FPS,
        pixels=PIXELS[offer.resolution],
        weights_gib=0.0,
        largest_gib=0.0,
        gpu_memory_gib=0.0,
        # The shortest limit that one of the makers names: 1,024 tokens, of Veo.
        prompt_tokens=1024,
    )


def _say_resolution(value: str) -> str:
    return value.upper() if value.endswith("k") else value


_NAMES: Final[Mapping[str, Name]] = MappingProxyType(
    {
        "prompt": Name(name="prompt"),
        "num_frames": Name(name="duration", say=say_seconds(FPS)),
        "resolution": Name(name="resolution", say=_say_resolution),
        "aspect": Name(name="aspect_ratio"),
        "sound": Name(name="generate_audio"),
        "seed": Name(name="seed"),
        "image": Name(name=FIRST),
        "first_frame": Name(name=FIRST),
        "last_frame": Name(name=LAST),
    }
)

_LISTED: Final = {offer: shipped_listing().models[offer.model] for offer in _OFFERS}

CARDS: Final = tuple(_build_card(offer, listed) for offer, listed in _LISTED.items())

DEFAULT: Final = CARDS[0].name
"""The cheapest that does all three features."""

ENDPOINTS: Final = MappingProxyType(
    {
        (offer.name, feature): ShapedEndpoint(
            path=offer.model,
            names=_NAMES,
            source=_SOURCE,
            prices=shipped_listing().find_prices(offer.model, feature),
            aspects=listed.aspects,
        )
        for offer, listed in _LISTED.items()
        for feature in _features(listed)
    }
)
