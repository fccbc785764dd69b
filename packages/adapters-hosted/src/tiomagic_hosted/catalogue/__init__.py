"""The models of each vendor: their cards, and how a call is said to the vendor.

``endpoints``   What runs a feature of a model at the vendor, and the names of its arguments.
``fal``         Models at fal; ``fal_live`` asks for prices and arguments of the day, which
                ``fal_schema`` reads.
``google``      Models at Google.
``lengths``     Lengths that vendors name in whole seconds, as frames.
``luma``        Models at Luma.
``openrouter``  Models at OpenRouter: ``openrouter_listing`` reads its list of models, which comes
                with this package; ``openrouter_live`` puts a newer one in its place.
``prices``      Price lists of vendors, and what a call costs by them.
``runway``      Models at Runway.
``shapes``      Shapes and sound, which many vendors name with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.money.listed_price import ListedPrice
from tiomagic_domain.ports.provider import Request
from tiomagic_hosted.catalogue.endpoints import Endpoint
from tiomagic_hosted.catalogue.prices import PriceList
from tiomagic_hosted.service import Order

__all__ = ["Catalogue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The models of one vendor."""

    default_model: str
    cards: tuple[ModelCard, ...]
    endpoints: Mapping[tuple[str, Feature], Endpoint]
    """By the model's name and the feature."""

    def has(self, card: ModelCard) -> bool:
        """Say whether a model is one of the vendor's."""
        return any(card.name == known.name for known in self.cards)

    def find_other_defaults(self) -> dict[Feature, str]:
        """Return the first model for each feature that the default one cannot do."""
        return {
            feature: card.name
            for card in reversed(self.cards)
            for feature in card.features
            if (self.default_model, feature) not in self.endpoints
        }

    def build_order(self, request: Request) -> Order:
        """Return a call in the vendor's words; see :meth:`Endpoint.build_order`."""
        return self.endpoints[request.card.name, request.feature].build_order(request)

    def find_prices(self, model: str, feature: Feature) -> PriceList | None:
        """Return the vendor's price list for a feature of a model; None where none is known."""
        endpoint = self.endpoints.get((model, feature))
        return None if endpoint is None else endpoint.prices

    def quote(self, request: Request, *, today: date) -> Estimate | None:
        """Return what a call costs by the vendor's price list; None where no list is known.

        Args:
            request: The call.
            today: The day of the estimate.
        """
        prices = self.find_prices(request.card.name, request.feature)
        return None if prices is None else prices.quote(request, today=today)

    def list_prices(self, card: ModelCard, feature: Feature) -> list[ListedPrice]:
        """Return the vendor's prices for a feature of a model; empty where no list is known."""
        prices = self.find_prices(card.name, feature)
        return [] if prices is None else prices.list_prices()

    def check(self, request: Request) -> None:
        """Check that the vendor can be asked for a model, where its models need different keys.

        Raises:
            AuthenticationError, ConfigurationError: with advice.
        """

    def ask_ahead(self, request: Request) -> None:
        """Find out whether the vendor still takes a call, where it has a list to ask for.

        May ask the vendor, for a few seconds at most.

        Args:
            request: What is about to run.

        Raises:
            APIError, ValidationError: when it does not.
        """
