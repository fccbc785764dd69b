"""The vendors that the tests of every hosted provider go through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.hosted.fal_simulator import FalSimulator
from tests.hosted.openrouter_simulator import OpenRouterSimulator

from tiomagic_domain.catalogue import ModelCard
from tiomagic_hosted.catalogue import Catalogue, fal, openrouter
from tiomagic_hosted.catalogue.openrouter_live import ListingStore, build_catalogue
from tiomagic_hosted.service import HostedService
from tiomagic_hosted.services.fal import FalService
from tiomagic_hosted.services.openrouter import OpenRouterService

if TYPE_CHECKING:
    from tests.hosted.simulator import Simulator


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor, and what is its own."""

    name: str
    simulator: type[Simulator]
    build_service: Callable[[str | None], HostedService]
    """From a key."""
    catalogue: Catalogue
    card: ModelCard
    """A model of text to video and image to video."""
    key_variable: str
    no_credit: str = "ConfigurationError"
    """The error for an account without credit."""
    stops_runs: bool = True
    """False where no request stops a run."""
    moderation_code: str | None = None
    """The vendor's code of a video that its checks refuse."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    """What a small call has beside its prompt."""

    def __str__(self) -> str:
        return self.name


FAL = Vendor(
    name="fal",
    simulator=FalSimulator,
    build_service=FalService,
    catalogue=fal.CATALOGUE,
    card=fal.H3_MAX,
    key_variable="FAL_KEY",
    no_credit="AuthenticationError",
    moderation_code="content_policy_violation",
)
OPENROUTER = Vendor(
    name="openrouter",
    simulator=OpenRouterSimulator,
    build_service=OpenRouterService,
    catalogue=build_catalogue(ListingStore(None, None)),
    card=openrouter.CARDS[0],
    key_variable="OPENROUTER_API_KEY",
    stops_runs=False,
)

VENDORS: tuple[Any, ...] = (FAL, OPENROUTER)
