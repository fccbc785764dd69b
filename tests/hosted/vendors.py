"""The vendors that the tests of every hosted provider go through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from google.oauth2.credentials import Credentials
from tests.hosted.fal_simulator import FalSimulator
from tests.hosted.google_simulator import PROJECT, GoogleSimulator
from tests.hosted.luma_simulator import LumaSimulator
from tests.hosted.openrouter_simulator import OpenRouterSimulator
from tests.hosted.runway_simulator import RunwaySimulator

from tiomagic_domain.catalogue import ModelCard
from tiomagic_hosted.catalogue import Catalogue, fal, google, luma, openrouter, runway
from tiomagic_hosted.catalogue.openrouter_live import ListingStore, build_catalogue
from tiomagic_hosted.service import HostedService
from tiomagic_hosted.services.fal import FalService
from tiomagic_hosted.services.google import GoogleService
from tiomagic_hosted.services.luma import LumaService
from tiomagic_hosted.services.openrouter import OpenRouterService
from tiomagic_hosted.services.runway import RunwayService

if TYPE_CHECKING:
    from tests.hosted.simulator import Simulator


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor, and what is its own."""

    name: str
    """The provider's name."""
    label: str = ""
    """What tests call it, if its provider has two APIs."""
    simulator: type[Simulator]
    build_service: Callable[[str | None, Callable[[], datetime]], HostedService]
    """From a key and a clock."""
    catalogue: Catalogue
    card: ModelCard
    """A model of text to video and image to video."""
    key_variable: str
    stops_runs: bool = True
    """False where no request stops a run."""
    finds_lost: bool = False
    """True where a run whose answer was lost is found."""
    picture: object = b"one"
    """A picture that it can read."""
    moderation_code: str | None = None
    """The vendor's code of a video that its checks refuse."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    """What a small call has beside its prompt."""

    def __str__(self) -> str:
        return self.label or self.name


FAL = Vendor(
    name="fal",
    simulator=FalSimulator,
    build_service=lambda key, _now: FalService(key),
    catalogue=fal.CATALOGUE,
    card=fal.H3_MAX,
    key_variable="FAL_KEY",
    moderation_code="content_policy_violation",
)
OPENROUTER = Vendor(
    name="openrouter",
    simulator=OpenRouterSimulator,
    build_service=lambda key, _now: OpenRouterService(key),
    catalogue=build_catalogue(ListingStore(None, None)),
    card=openrouter.CARDS[0],
    key_variable="OPENROUTER_API_KEY",
    stops_runs=False,
)

RUNWAY = Vendor(
    name="runway",
    simulator=RunwaySimulator,
    build_service=lambda key, _now: RunwayService(key),
    catalogue=runway.CATALOGUE,
    card=runway.GEN_4_5,
    key_variable="RUNWAYML_API_SECRET",
    moderation_code="SAFETY.OUTPUT",
)
LUMA = Vendor(
    name="luma",
    simulator=LumaSimulator,
    build_service=lambda key, now: LumaService(key, now=now),
    catalogue=luma.CATALOGUE,
    card=luma.RAY_2,
    key_variable="LUMAAI_API_KEY",
    stops_runs=False,
    finds_lost=True,
    picture="https://example.com/first.png",
)
OMNI = Vendor(
    name="google",
    label="omni",
    simulator=GoogleSimulator,
    build_service=lambda key, _now: GoogleService(key),
    catalogue=google.build_catalogue(has_key=True, has_project=True),
    card=google.CARDS[0],
    key_variable="GEMINI_API_KEY",
    stops_runs=False,
    moderation_code="safety",
)
VEO = Vendor(
    name="google",
    label="veo",
    simulator=GoogleSimulator,
    build_service=lambda key, _now: GoogleService(None, PROJECT, credentials=Credentials(key)),
    catalogue=OMNI.catalogue,
    card=google.CARDS[1],
    key_variable="GEMINI_API_KEY",
    stops_runs=False,
    moderation_code="rai_media_filtered",
)

VENDORS: tuple[Any, ...] = (FAL, OPENROUTER, RUNWAY, LUMA, OMNI, VEO)
WITH_FILES: tuple[Any, ...] = (FAL, OPENROUTER, RUNWAY, LUMA, OMNI)
"""Vendors whose finished videos are files; Veo's are in the answer about the run."""
BY_KEY = WITH_FILES
"""Vendors that ask for a key; Veo asks for a project of Google Cloud."""
