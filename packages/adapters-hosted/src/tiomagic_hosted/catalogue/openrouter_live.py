"""OpenRouter's models with its newest list: prices of today, and limits before a run.

A list is fetched when a run is about to be made, at most once a day, and kept in the user's cache
folder with its day. Without one, and where nothing can be fetched, the shipped list holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.openrouter import CARDS, DEFAULT, ENDPOINTS, FPS
from tiomagic_hosted.catalogue.openrouter_listing import (
    ListedModel,
    Listing,
    read_listing,
    shipped_listing,
)
from tiomagic_hosted.catalogue.prices import PriceList
from tiomagic_hosted.kept import DailyList, Fetch, find_today

FILE_NAME: Final = "openrouter-models.json"


class ListingStore:
    """The newest list that is here.

    Args:
        folder: Of this user's cache; created with the first list. None to keep none.
        fetch: Asks OpenRouter for its list; None for a caller that may not.
        today: Returns the day, in UTC.
    """

    def __init__(
        self,
        folder: Path | None,
        fetch: Fetch | None,
        today: Callable[[], date] = find_today,
    ) -> None:
        file = None if folder is None else folder / FILE_NAME
        self._kept = DailyList(file, "data", _read, fetch, today)

    def find_newest(self) -> Listing:
        """Return the newest list, without any request."""
        kept, shipped = self._kept.find(), shipped_listing()
        return shipped if kept is None or kept.as_of < shipped.as_of else kept

    def refresh(self) -> None:
        """Fetch a list, unless there is one of today; what cannot be fetched is left alone."""
        self._kept.refresh()


def _read(document: Mapping[str, Any], as_of: date) -> Listing | None:
    listing = read_listing(document, as_of)
    return listing if listing.models else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCatalogue(Catalogue):
    """The models of OpenRouter, with the newest list that is here."""

    listings: ListingStore

    def find_prices(self, model: str, feature: Feature) -> PriceList | None:
        """Return the prices of the newest list; see the base."""
        endpoint = self.endpoints.get((model, feature))
        if endpoint is None:
            return None
        newest = self.listings.find_newest()
        return newest.find_prices(endpoint.path, feature) or endpoint.prices

    def ask_ahead(self, request: Request) -> None:
        """Fetch a list of today, and compare the call with it.

        Raises:
            APIError: when OpenRouter no longer lists the model.
            ValidationError: when the model no longer takes such a call.
        """
        self.listings.refresh()
        newest = self.listings.find_newest()
        path = self.endpoints[request.card.name, request.feature].path
        listed = newest.models.get(path)
        if listed is None:
            others = sorted(
                name
                for (name, feature), end in self.endpoints.items()
                if feature is request.feature and end.path in newest.models
            )
            raise APIError(
                f"OpenRouter no longer lists {path!r} (list of {newest.as_of}). "
                f"Its models for {request.feature.label}: {', '.join(others)}",
                details={"model": request.card.name, "known": others},
            )
        _compare(listed, request, newest.as_of)


def _compare(listed: ListedModel, request: Request, as_of: date) -> None:
    seconds = request.settings["num_frames"] // FPS
    if seconds not in listed.seconds:
        nearest = min(listed.seconds, key=lambda one: abs(one - seconds))
        _refuse("num_frames", f"{seconds} s", f"seconds={nearest}", listed, as_of)
    resolution = request.settings["resolution"]
    if resolution not in listed.resolutions:
        nearest_word = listed.resolutions[-1]
        _refuse("resolution", repr(resolution), f"resolution={nearest_word!r}", listed, as_of)


def _refuse(field: str, given: str, nearest: str, listed: ListedModel, as_of: date) -> None:
    raise ValidationError(
        f"{field}: {listed.model} at OpenRouter takes no {given} any more (list of {as_of}); "
        f"the nearest is {nearest}",
        details={"field": field},
    )


def build_catalogue(listings: ListingStore) -> LiveCatalogue:
    """Return OpenRouter's models.

    Args:
        listings: Where their newest list is.
    """
    return LiveCatalogue(default_model=DEFAULT, cards=CARDS, endpoints=ENDPOINTS, listings=listings)
