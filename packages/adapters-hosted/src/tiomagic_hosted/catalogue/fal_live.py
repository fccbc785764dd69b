"""fal's models with its prices of the day, and its arguments before a run.

fal serves a price and an OpenAPI document for each endpoint. Both are fetched when a run is about
to be made, at most once a day, and kept in the user's cache folder with their day. Without them,
and where nothing can be fetched, the shipped prices and names hold.

A price is one figure for an endpoint, in the endpoint's own unit. Where a price list has several
rates, that is its lowest: fal bills 768p of MiniMax H3 Max as 1.6 times the seconds of 480p. So the
other rates keep their proportion to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_domain.ports.provider import Request
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.endpoints import Endpoint
from tiomagic_hosted.catalogue.fal import CATALOGUE, FPS
from tiomagic_hosted.catalogue.fal_schema import EndpointInputs, read_inputs
from tiomagic_hosted.catalogue.prices import PriceList
from tiomagic_hosted.kept import DailyList, Fetch, find_today

PRICES_FILE: Final = "fal-prices.json"
SCHEMAS_FILE: Final = "fal-schemas.json"
PRICES_SOURCE: Final = "api.fal.ai/v1/models/pricing"
ENDPOINTS: Final = tuple(sorted({one.path for one in CATALOGUE.endpoints.values()}))
"""What fal is asked about."""

# fal's words in its documents and in answers that others have published. Its "compute seconds" are
# those of a GPU: how many a run takes is not known before.
_UNITS: Final = MappingProxyType(
    {
        "second": PriceUnit.SECOND,
        "seconds": PriceUnit.SECOND,
        "video": PriceUnit.RUN,
        "videos": PriceUnit.RUN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice:
    """What fal asks for one unit of an endpoint."""

    amount: float
    unit: PriceUnit
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FalPrices:
    """fal's prices of a day."""

    as_of: date
    units: Mapping[str, UnitPrice]
    """By the endpoint's path; without those in other units."""

    def update(self, path: str, shipped: PriceList) -> PriceList:
        """Return a price list with the price of the day; the list itself where that is not known.

        Args:
            path: The endpoint's.
            shipped: Its list, which comes with this package.
        """
        one = self.units.get(path)
        if (
            one is None
            or self.as_of < shipped.as_of
            or one.currency != shipped.currency
            or any(rate.unit is not one.unit for rate in shipped.rates)
        ):
            return shipped
        lowest = min(rate.amount for rate in shipped.rates)
        rates = tuple(
            replace(rate, amount=one.amount * (rate.amount / lowest)) for rate in shipped.rates
        )
        others = f", in the proportions of {shipped.source}" if len(rates) > 1 else ""
        return replace(shipped, rates=rates, source=f"{PRICES_SOURCE}{others}", as_of=self.as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class FalSchemas:
    """What fal's endpoints take on a day."""

    as_of: date
    inputs: Mapping[str, EndpointInputs]
    """By the endpoint's path; without those that cannot be read."""


def read_prices(document: Mapping[str, Any], as_of: date) -> FalPrices | None:
    """Return the prices of an answer; None for one without any that is known."""
    units = {}
    for one in _entries(document, "prices"):
        amount, unit = one.get("unit_price"), _UNITS.get(str(one.get("unit")))
        if unit is None or isinstance(amount, bool) or not isinstance(amount, int | float):
            continue
        if math.isfinite(amount) and amount > 0:
            currency = str(one.get("currency"))
            units[one["endpoint_id"]] = UnitPrice(amount=amount, unit=unit, currency=currency)
    return FalPrices(as_of=as_of, units=units) if units else None


def read_schemas(document: Mapping[str, Any], as_of: date) -> FalSchemas | None:
    """Return the arguments in an answer; None for one without any that is known."""
    read = {
        one["endpoint_id"]: read_inputs(one.get("openapi")) for one in _entries(document, "models")
    }
    inputs = {path: known for path, known in read.items() if known is not None}
    return FalSchemas(as_of=as_of, inputs=inputs) if inputs else None


def _entries(document: object, key: str) -> list[dict[str, Any]]:
    listed = document.get(key) if isinstance(document, dict) else None
    entries = listed if isinstance(listed, list) else []
    return [
        one for one in entries if isinstance(one, dict) and isinstance(one.get("endpoint_id"), str)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalCatalogue(Catalogue):
    """The models of fal, with its newest answers that are here."""

    prices: DailyList[FalPrices]
    schemas: DailyList[FalSchemas]

    def find_prices(self, model: str, feature: Feature) -> PriceList | None:
        """Return the prices of the newest day; see the base."""
        endpoint = self.endpoints.get((model, feature))
        if endpoint is None or endpoint.prices is None:
            return None
        newest = self.prices.find()
        return endpoint.prices if newest is None else newest.update(endpoint.path, endpoint.prices)

    def ask_ahead(self, request: Request) -> None:
        """Fetch prices and arguments of today, and compare the call with the arguments.

        Raises:
            APIError: when fal no longer has an argument that every call has.
            ValidationError: when it no longer takes something of this call.
        """
        self.prices.refresh()
        self.schemas.refresh()
        newest = self.schemas.find()
        endpoint = self.endpoints[request.card.name, request.feature]
        known = None if newest is None else newest.inputs.get(endpoint.path)
        if newest is not None and known is not None:
            _compare(request, endpoint, known, newest.as_of)


def _compare(request: Request, endpoint: Endpoint, known: EndpointInputs, as_of: date) -> None:
    # Pictures have no address yet: of them only the argument's name is compared.
    order = endpoint.build_order(replace(request, urls=dict.fromkeys(request.media, "")))
    ours = {theirs.name: name for name, theirs in endpoint.names.items()}
    where = f"{request.card.name} at fal"
    for name, value in order.arguments.items():
        field = ours.get(name)
        if name not in known.properties:
            if field is None:
                raise APIError(
                    f"fal no longer has {name!r} at {endpoint.path!r} (schema of {as_of}), which "
                    "every call of this version has: a newer tiomagic may know the new form. "
                    "Nothing was started",
                    details={"model": request.card.name, "argument": name},
                )
            raise ValidationError(
                f"{field}: {where} has no such argument any more (schema of {as_of}); it has "
                f"{', '.join(sorted(known.properties))}",
                details={"field": field},
            )
        takes = None if field in request.media else known.find_refusal(name, value)
        if takes is not None:
            said = _say(field, value)
            raise ValidationError(
                f"{field or name}: {where} takes no {said} any more (schema of {as_of}); "
                f"it takes {takes}{_find_nearest(request, endpoint, known, field)}",
                details={"field": field or name},
            )


def _say(field: str | None, value: object) -> str:
    if field == "num_frames":
        return f"{value} s"
    text = repr(value)
    return text if len(text) < 40 else f"{len(text) - 2} characters"


def _find_nearest(
    request: Request, endpoint: Endpoint, known: EndpointInputs, field: str | None
) -> str:
    """Return the nearest value of ours that fal takes, as a part of a sentence; empty for none."""
    if field is None or field not in request.settings:
        return ""
    theirs, given = endpoint.names[field], request.settings[field]
    parameter = request.card.schema(request.feature)[field]

    def fits(one: object) -> bool:
        return known.find_refusal(theirs.name, theirs.say(one)) is None

    if field == "num_frames":
        low, high = int(parameter.minimum or FPS), int(parameter.maximum or given)
        lengths = range(low, high + 1, FPS)
        nearest = min(filter(fits, lengths), key=lambda one: abs(one - given), default=None)
        return "" if nearest is None else f"; the nearest is seconds={nearest // FPS}"
    choice = next(filter(fits, parameter.choices or ()), None)
    return "" if choice is None else f"; for example {field}={choice!r}"


def build_catalogue(
    folder: Path | None,
    fetch_prices: Fetch | None,
    fetch_schemas: Fetch | None,
    today: Callable[[], date] = find_today,
) -> FalCatalogue:
    """Return fal's models.

    Args:
        folder: Of this user's cache; created with the first answer. None to keep none.
        fetch_prices: Asks fal for the prices of `ENDPOINTS`; None for a caller that may not.
        fetch_schemas: Asks fal for their documents; None for a caller that may not.
        today: Returns the day, in UTC.
    """
    prices_file = None if folder is None else folder / PRICES_FILE
    schemas_file = None if folder is None else folder / SCHEMAS_FILE
    return FalCatalogue(
        default_model=CATALOGUE.default_model,
        cards=CATALOGUE.cards,
        endpoints=CATALOGUE.endpoints,
        prices=DailyList(prices_file, "prices", read_prices, fetch_prices, today),
        schemas=DailyList(schemas_file, "models", read_schemas, fetch_schemas, today),
    )
