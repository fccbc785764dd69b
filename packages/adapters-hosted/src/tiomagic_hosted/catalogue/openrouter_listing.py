"""OpenRouter's list of models for videos, as ``GET /api/v1/videos/models`` gives it.

The list that is shipped is one day's answer to that request, without what is not used here. A newer
one can take its place: :mod:`tiomagic_hosted.catalogue.openrouter_live`.

A price is named by what it depends on. These are the names that are read, the most exact first:

===========================================  ===================================================
``duration_seconds_with_audio_1080p``        USD a second, with sound (``without_audio``: without)
``duration_seconds_with_audio``              the same at any resolution that has none of its own
``text_to_video_duration_seconds_720p``      USD a second of that feature
``duration_seconds_720p``                    USD a second
``duration_seconds``                         USD a second
``cents_per_second_output``                  cents a second
``video_tokens_1080p``                       USD a token: width x height x seconds x 24 / 1024
===========================================  ===================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from tiomagic_domain.features import Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_hosted.catalogue.prices import PriceList, Rate

SOURCE: Final = "openrouter.ai/api/v1/videos/models"
SHIPPED: Final = "openrouter_models.json"
FIRST, LAST = "first_frame", "last_frame"

PIXELS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "480p": 864 * 496,
        "720p": 1280 * 720,
        "1080p": 1920 * 1080,
        "2k": 2560 * 1440,
        "4k": 3840 * 2160,
    }
)
"""Pixels of a resolution at 16:9, by the sizes that the client's types name. Other shapes of the
same resolution have up to two per cent more."""
TOKEN_FPS, TOKEN_PIXELS = 24, 1024
"""A video has this many frames a second for its price, and one token for so many pixels."""
OTHER_SHAPES: Final = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model as it is listed."""

    model: str
    """OpenRouter's name of it."""
    seconds: tuple[int, ...]
    """The lengths that it makes, in seconds, the shortest first."""
    resolutions: tuple[str, ...]
    """In lower case, as ours are."""
    aspects: tuple[str, ...]
    frames: frozenset[str]
    """Which pictures it takes: ``first_frame``, ``last_frame``."""
    has_sound: bool
    has_seed: bool
    prices: Mapping[str, float]
    """By the names above, in USD or cents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The models of a day."""

    as_of: date
    models: Mapping[str, ListedModel]
    """By OpenRouter's names."""

    def find_prices(self, model: str, feature: Feature) -> PriceList | None:
        """Return what a feature of a model costs; None when nothing is listed that is known."""
        listed = self.models.get(model)
        rates = () if listed is None else tuple(_find_rates(listed, feature))
        return PriceList(rates=rates, source=SOURCE, as_of=self.as_of) if rates else None


def read_listing(document: Mapping[str, Any], as_of: date) -> Listing:
    """Return the models of an answer; an entry that is not of the known form is left out.

    Args:
        document: The answer, plain data.
        as_of: The day of the answer.
    """
    models = {}
    for entry in document.get("data") or ():
        try:
            listed = _read_model(entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # One odd entry costs one model, not the list.
        models[listed.model] = listed
    return Listing(as_of=as_of, models=MappingProxyType(models))


@lru_cache(maxsize=1)
def shipped_listing() -> Listing:
    """Return the list that came with this package."""
    text = files(__package__).joinpath(SHIPPED).read_text(encoding="utf-8")
    document = json.loads(text)
    return read_listing(document, date.fromisoformat(document["as_of"]))


def _read_model(entry: Mapping[str, Any]) -> ListedModel:
    return ListedModel(
        model=str(entry["id"]),
        seconds=tuple(sorted(int(one) for one in entry["supported_durations"])),
        resolutions=tuple(str(one).lower() for one in entry["supported_resolutions"]),
        aspects=tuple(str(one) for one in entry["supported_aspect_ratios"]),
        frames=frozenset(entry.get("supported_frame_images") or ()),
        has_sound=bool(entry.get("generate_audio")),
        has_seed=bool(entry.get("seed")),
        prices={name: float(said) for name, said in (entry.get("pricing_skus") or {}).items()},
    )


def _find_rates(listed: ListedModel, feature: Feature) -> Iterator[Rate]:
    for resolution in listed.resolutions:
        for sound in (True, False) if listed.has_sound else (False,):
            kind: dict[str, object] = {"resolution": resolution}
            if listed.has_sound:
                kind["sound"] = sound
            per_second = _find_price(
                listed.prices, _names_by_second(feature, resolution, sound=sound)
            )
            if per_second is not None:
                yield Rate(amount=per_second, unit=PriceUnit.SECOND, when=kind)
                continue
            per_token = _find_price(listed.prices, _names_by_token(resolution, sound=sound))
            if per_token is not None and resolution in PIXELS:
                amount = per_token * PIXELS[resolution] * TOKEN_FPS / TOKEN_PIXELS
                yield Rate(
                    amount=amount, up_to=amount * OTHER_SHAPES, unit=PriceUnit.SECOND, when=kind
                )


def _names_by_second(feature: Feature, resolution: str, *, sound: bool) -> Iterator[str]:
    audio = "with_audio" if sound else "without_audio"
    # A picture at each end is priced like one at the beginning.
    of = "text_to_video" if feature is Feature.TEXT_TO_VIDEO else "image_to_video"
    yield f"duration_seconds_{audio}_{resolution}"
    yield f"duration_seconds_{audio}"
    yield f"{of}_duration_seconds_{resolution}"
    yield f"duration_seconds_{resolution}"
    yield "duration_seconds"
    yield f"cents_per_second_output_{resolution}"
    yield "cents_per_second_output"


def _names_by_token(resolution: str, *, sound: bool) -> Iterator[str]:
    yield f"video_tokens_{resolution}"
    if not sound:
        yield "video_tokens_without_audio"
    yield "video_tokens"


def _find_price(prices: Mapping[str, float], names: Iterable[str]) -> float | None:
    for name in names:
        if name in prices:
            return prices[name] / 100 if name.startswith("cents_") else prices[name]
    return None
