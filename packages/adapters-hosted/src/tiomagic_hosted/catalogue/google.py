"""Models at Google: Gemini Omni by a key, Veo by a project of Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.errors import AuthenticationError, ConfigurationError
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.endpoints import Endpoint, Name
from tiomagic_hosted.catalogue.lengths import build_length, say_seconds
from tiomagic_hosted.catalogue.prices import PriceList, Rate
from tiomagic_hosted.catalogue.shapes import ShapedEndpoint, build_sound

ENGINE: Final = "google"
FPS: Final = 24
OMNI: Final = "omni/"
"""What the path of a model of the Gemini API begins with."""
KEY_VARIABLES: Final = "GEMINI_API_KEY or GOOGLE_API_KEY"
PROJECT_VARIABLE: Final = "GOOGLE_CLOUD_PROJECT"

TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="Google sells it for commercial use under its terms of service; videos carry an "
    "invisible mark.",
    source="ai.google.dev/gemini-api/terms and cloud.google.com/terms/service-terms",
)

_OMNI_SOURCE: Final = (
    "google-genai 3.6.1 (types of interactions); 3 to 15 seconds: "
    "vercel.com/changelog/gemini-omni-1-2-flash-now-available-on-ai-gateway"
)
_VEO_SOURCE: Final = (
    "google-genai 3.6.1 (README and types); 4, 6 or 8 seconds for Veo 3, 5 to 8 for Veo 2: "
    "github.com/deepnoodle-ai/dive, release of 2026-10-26"
)
_SHAPES: Final = ("16:9", "9:16")
_ALL: Final = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)

_OMNI_PRICES = PriceList(
    rates=tuple(
        Rate(amount=amount, unit=PriceUnit.SECOND, when={"resolution": resolution})
        for resolution, amount in (
            ("360p", 0.0232),
            ("720p", 0.0695),
            ("1080p", 0.1043),
            ("4k", 0.2085),
        )
    ),
    source="inference.sh, which sells it on; without the words of the prompt",
    as_of=date(2026, 11, 6),
)


def _price_veo(*rates: tuple[str, float, float]) -> PriceList:
    """Return the prices of a Veo: for each resolution with and without sound."""
    return PriceList(
        rates=tuple(
            Rate(
                amount=amount,
                unit=PriceUnit.SECOND,
                when={"resolution": resolution, "sound": sound},
            )
            for resolution, loud, silent in rates
            for sound, amount in ((True, loud), (False, silent))
        ),
        source="as OpenRouter passes Google's prices on",
        as_of=date(2026, 9, 8),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A model, as it is offered here."""

    name: str
    title: str
    description: str
    path: str
    homepage: str
    features: tuple[Feature, ...]
    seconds: tuple[int, int, int, int]
    """The usual length, the shortest, the longest, and the step between."""
    resolutions: tuple[str, ...]
    has_sound: bool
    """Whether it can be asked for, or left out."""
    has_seed: bool
    prices: PriceList | None
    source: str
    words: bool = False
    """True where a length is said as ``5s``."""


_OFFERS: Final = (
    _Offer(
        name="gemini-omni-1.2-flash",
        title="Gemini Omni 1.2 Flash",
        description="Google's model for videos with sound by a key of the Gemini API.",
        path=f"{OMNI}gemini-omni-1.2-flash",
        homepage="https://ai.google.dev/gemini-api/docs/video",
        features=(Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO),
        seconds=(5, 3, 15, 1),
        resolutions=("360p", "720p", "1080p", "4k"),
        has_sound=False,
        has_seed=False,
        prices=_OMNI_PRICES,
        source=_OMNI_SOURCE,
        words=True,
    ),
    _Offer(
        name="veo-3.1-fast-generate-001",
        title="Veo 3.1 Fast",
        description="Google's faster Veo, by a project of Google Cloud.",
        path="veo-3.1-fast-generate-001",
        homepage="https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/veo/"
        "3-1-generate",
        features=_ALL,
        seconds=(4, 4, 8, 2),
        resolutions=("720p", "1080p", "4k"),
        has_sound=True,
        has_seed=True,
        prices=_price_veo(("720p", 0.10, 0.08), ("1080p", 0.12, 0.10), ("4k", 0.30, 0.25)),
        source=_VEO_SOURCE,
    ),
    _Offer(
        name="veo-3.1-generate-001",
        title="Veo 3.1",
        description="Google's best Veo, by a project of Google Cloud.",
        path="veo-3.1-generate-001",
        homepage="https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/veo/"
        "3-1-generate",
        features=_ALL,
        seconds=(4, 4, 8, 2),
        resolutions=("720p", "1080p", "4k"),
        has_sound=True,
        has_seed=True,
        prices=_price_veo(("720p", 0.40, 0.20), ("1080p", 0.40, 0.20), ("4k", 0.60, 0.40)),
        source=_VEO_SOURCE,
    ),
    _Offer(
        name="veo-2.0-generate-001",
        title="Veo 2",
        description="The Veo of tiomagic 1.0.0. Google's page names 2026-06-30 as its last day: if "
        "it answers that there is no such model, veo-3.1-generate-001 is what the page advises.",
        path="veo-2.0-generate-001",
        homepage="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/veo/"
        "2-0-generate",
        features=(Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO),
        seconds=(5, 5, 8, 1),
        resolutions=("720p",),
        has_sound=False,
        has_seed=True,
        # Google lists no price for a model that it no longer sells.
        prices=None,
        source=_VEO_SOURCE,
    ),
)

_PIXELS: Final = 1280 * 720


def _build_schema(offer: _Offer, feature: Feature) -> Schema:
    usual, low, high, step = offer.seconds
    parameters = [
        *INPUTS[feature],
        build_length(fps=FPS, default=usual, low=low, high=high, step=step, source=offer.source),
        Parameter(
            name="resolution",
            kind=Kind.STRING,
            required=False,
            default="720p",
            choices=offer.resolutions,
            source=offer.source,
            description="The short side of the video; the price grows with it.",
        ),
        Parameter(
            name="aspect",
            kind=Kind.STRING,
            required=False,
            choices=_SHAPES,
            default="16:9" if feature is Feature.TEXT_TO_VIDEO else UNSET,
            source=offer.source,
            description="Shape of the video, width to height.",
        ),
    ]
    if offer.has_sound:
        parameters.append(build_sound(offer.source))
    if offer.has_seed:
        parameters.append(settings.SEED)
    return Schema(parameters=tuple(parameters))


def _build_card(offer: _Offer) -> ModelCard:
    return ModelCard(
        name=offer.name,
        title=f"{offer.title} at Google",
        family="hosted",
        description=offer.description,
        homepage=offer.homepage,
        licence="Google terms of service",
        terms=TERMS,
        engine=ENGINE,
        repository=None,
        features=MappingProxyType(
            {feature: _build_schema(offer, feature) for feature in offer.features}
        ),
        fps=FPS,
        pixels=_PIXELS,
        weights_gib=0.0,
        largest_gib=0.0,
        gpu_memory_gib=0.0,
        # Veo's limit; Omni takes far longer ones.
        prompt_tokens=1024,
    )


def _say_words(frames: int) -> str:
    return f"{frames // FPS}s"


def _build_endpoint(offer: _Offer) -> Endpoint:
    names = {
        "prompt": Name(name="prompt"),
        "resolution": Name(name="resolution"),
        "aspect": Name(name="aspect_ratio"),
        "image": Name(name="image"),
    }
    if offer.words:
        names["num_frames"] = Name(name="duration", say=_say_words)
    else:
        names |= {
            "num_frames": Name(name="duration_seconds", say=say_seconds(FPS)),
            "sound": Name(name="generate_audio"),
            "seed": Name(name="seed"),
            "first_frame": Name(name="image"),
            "last_frame": Name(name="last_frame"),
        }
    if not offer.has_seed:
        names.pop("seed", None)
    if len(offer.resolutions) == 1:
        del names["resolution"]  # Veo 2 has one size, and no word for it.
    return ShapedEndpoint(
        path=offer.path, names=names, source=offer.source, prices=offer.prices, aspects=_SHAPES
    )


CARDS: Final = tuple(_build_card(offer) for offer in _OFFERS)
ENDPOINTS: Final = MappingProxyType(
    {
        (offer.name, feature): _build_endpoint(offer)
        for offer in _OFFERS
        for feature in offer.features
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleCatalogue(Catalogue):
    """The models of Google, of which each needs a key or a project."""

    has_key: bool
    has_project: bool

    def check(self, request: Request) -> None:
        """Check for what the model needs; see the base."""
        path = self.endpoints[request.card.name, request.feature].path
        if path.startswith(OMNI):
            if not self.has_key:
                raise AuthenticationError(
                    f"{request.card.name} at Google needs a key: set {KEY_VARIABLES} "
                    "(aistudio.google.com/api-keys)",
                    details={"variable": "GEMINI_API_KEY"},
                )
        elif not self.has_project:
            raise ConfigurationError(
                f"{request.card.name} at Google runs in a project of Google Cloud: set "
                f"{PROJECT_VARIABLE}, and sign in with gcloud auth application-default login. With "
                f"a key alone, use {CARDS[0].name!r}, or Veo at the provider 'openrouter'",
                details={"variable": PROJECT_VARIABLE},
            )


def build_catalogue(*, has_key: bool, has_project: bool) -> GoogleCatalogue:
    """Return Google's models.

    Args:
        has_key: Whether there is a key of the Gemini API.
        has_project: Whether there is a project of Google Cloud.
    """
    usual = CARDS[0] if has_key or not has_project else CARDS[1]
    return GoogleCatalogue(
        default_model=usual.name,
        cards=CARDS,
        endpoints=ENDPOINTS,
        has_key=has_key,
        has_project=has_project,
    )


CATALOGUE: Final = build_catalogue(has_key=True, has_project=True)
"""All models, for who only reads about them."""
