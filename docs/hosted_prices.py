"""The prices of hosted models, from the lists of their vendors."""

from __future__ import annotations

import importlib

from tiomagic_domain.catalogue import ModelCard
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.openrouter_live import ListingStore, build_catalogue
from tiomagic_hosted.catalogue.prices import PriceList, Rate


def find_price_list(card: ModelCard) -> PriceList | None:
    """Return the price list of a model's first feature; None for a model without."""
    endpoints = _find_catalogue(str(card.vendor)).endpoints
    lists = (one.prices for (name, _), one in endpoints.items() if name == card.name)
    return next(lists, None)


def _find_catalogue(vendor: str) -> Catalogue:
    if vendor == "openrouter":
        return build_catalogue(ListingStore(None, None))  # Of the list that comes along.
    catalogue: Catalogue = importlib.import_module(f"tiomagic_hosted.catalogue.{vendor}").CATALOGUE
    return catalogue


def describe_prices(card: ModelCard) -> str:
    """Return what a model costs, in a few words."""
    prices = find_price_list(card)
    if prices is None:
        return "no list is known"
    if not prices.rates:
        return f"unknown, {prices.as_of}"
    amounts = [amount for rate in prices.rates for amount in _amounts(rate)]
    low, high = (end(amounts) * (prices.credit or 1.0) for end in (min, max))
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"{span} {prices.currency} a {prices.rates[0].unit}, {prices.as_of}"


def _amounts(rate: Rate) -> tuple[float, ...]:
    return (rate.amount,) if rate.up_to is None else (rate.amount, rate.up_to)
