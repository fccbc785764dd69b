"""Models at Runway: Gen-4.5 for words and pictures, Gen-4 Turbo, and Act-Two for pose guidance.

Runway has one word for shape and size, such as ``1280:720``, and takes whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.endpoints import Endpoint, Name
from tiomagic_hosted.catalogue.lengths import build_length, say_seconds
from tiomagic_hosted.catalogue.prices import PriceList, Rate
from tiomagic_hosted.catalogue.shapes import choose_shape

ENGINE: Final = "runway"
FPS: Final = 24
USD_A_CREDIT: Final = 0.01
"""github.com/runwayml/skills at c5674fd of 2026-04-21, rw-check-org-details; in the prose of
others the same for docs.dev.runwayml.com/guides/pricing, on 2026-05-26."""

_SDK = "the types of runwayml 5.24.0"

RATIOS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "16:9": "1280:720",
        "9:16": "720:1280",
        "1:1": "960:960",
        "4:3": "1104:832",
        "3:4": "832:1104",
        "21:9": "1584:672",
    }
)
"""Runway's word for each shape."""

TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="Runway sells it for commercial use under its terms of use, which forbid some "
    "contents.",
    source="runwayml.com/terms-of-use",
)


def _list_prices(credits_a_second: float) -> PriceList:
    return PriceList(
        rates=(Rate(amount=credits_a_second, unit=PriceUnit.SECOND),),
        source="Runway's github.com/runwayml/skills at c5674fd, rw-api-reference",
        as_of=date(2026, 4, 21),
        credit=USD_A_CREDIT,
    )


def _build_aspect(default: object, choices: tuple[str, ...], description: str) -> Parameter:
    return Parameter(
        name="aspect",
        kind=Kind.STRING,
        required=False,
        default=default,
        choices=choices,
        source=_SDK,
        description=description,
    )


_WORDS_ASPECT = _build_aspect("16:9", ("16:9", "9:16"), "Shape of the video, width to height.")
_PICTURE_ASPECT = _build_aspect(
    UNSET,
    tuple(RATIOS),
    "Shape of the video, width to height; if left out, the nearest to the picture's. Runway crops "
    "the picture to it.",
)
_LENGTH = build_length(fps=FPS, default=5, low=2, high=10, source=_SDK)


def choose_ratio(request: Request) -> dict[str, object]:
    """Return the shape of a video from a picture: the one that is asked for, else the nearest."""
    asked = request.settings.get("aspect")
    if asked is not None:
        return {"ratio": RATIOS[asked]}
    picture = request.media["image"]
    return {"ratio": RATIOS[choose_shape(picture.width, picture.height, RATIOS)]}


def _build_card(
    name: str, title: str, description: str, homepage: str, features: Mapping[Feature, Schema]
) -> ModelCard:
    return ModelCard(
        name=name,
        title=title,
        family="hosted",
        description=description,
        homepage=homepage,
        licence="Runway terms of use",
        terms=TERMS,
        engine=ENGINE,
        repository=None,
        features=MappingProxyType(dict(features)),
        fps=FPS,
        pixels=1280 * 720,
        weights_gib=0.0,
        largest_gib=0.0,
        gpu_memory_gib=0.0,
        # Runway takes 1,000 characters; about four make a token.
        prompt_tokens=250,
    )


_FROM_WORDS = Schema(
    parameters=(*INPUTS[Feature.TEXT_TO_VIDEO], _LENGTH, _WORDS_ASPECT, settings.SEED)
)
_FROM_PICTURE = Schema(
    parameters=(*INPUTS[Feature.IMAGE_TO_VIDEO], _LENGTH, _PICTURE_ASPECT, settings.SEED)
)

GEN_4_5 = _build_card(
    "runway-gen-4.5",
    "Gen-4.5 at Runway",
    "Video from words or from a picture, without a GPU.",
    "https://runwayml.com/research/introducing-runway-gen-4.5",
    {Feature.TEXT_TO_VIDEO: _FROM_WORDS, Feature.IMAGE_TO_VIDEO: _FROM_PICTURE},
)
GEN_4_TURBO = _build_card(
    "runway-gen-4-turbo",
    "Gen-4 Turbo at Runway",
    "Video from a picture, for less than half of the price of Gen-4.5, without a GPU.",
    "https://docs.dev.runwayml.com/guides/models/",
    {Feature.IMAGE_TO_VIDEO: _FROM_PICTURE},
)
ACT_TWO = _build_card(
    "runway-act-two",
    "Act-Two at Runway",
    "Gives the face, hands and body of a person in a video to the character of a picture, without "
    "a GPU. Runway takes no words for it: the prompt is only kept in the record.",
    "https://help.runwayml.com/hc/en-us/articles/42311337895827",
    {
        Feature.POSE_GUIDANCE: Schema(
            parameters=(
                *INPUTS[Feature.POSE_GUIDANCE],
                Parameter(
                    name="guiding_video",
                    kind=Kind.VIDEO,
                    source=_SDK,
                    description="A video of a person, 3 to 30 seconds, with the face in view; the "
                    "result is as long.",
                ),
                _PICTURE_ASPECT,
                settings.SEED,
            )
        )
    },
)

CARDS: Final = (GEN_4_5, GEN_4_TURBO, ACT_TWO)


def say_picture(address: str) -> dict[str, str]:
    """Return a picture as Runway's argument."""
    return {"type": "image", "uri": address}


def say_video(address: str) -> dict[str, str]:
    """Return a video as Runway's argument."""
    return {"type": "video", "uri": address}


_NAMES = {
    "prompt": Name(name="prompt_text"),
    "num_frames": Name(name="duration", say=say_seconds(FPS)),
    "seed": Name(name="seed"),
}


def _animate(model: str, credits_a_second: float) -> Endpoint:
    return Endpoint(
        path="image_to_video",
        names={**_NAMES, "image": Name(name="prompt_image")},
        fixed={"model": model},
        derive=choose_ratio,
        source=_SDK,
        prices=_list_prices(credits_a_second),
    )


CATALOGUE: Final = Catalogue(
    default_model=GEN_4_5.name,
    cards=CARDS,
    endpoints=MappingProxyType(
        {
            (GEN_4_5.name, Feature.TEXT_TO_VIDEO): Endpoint(
                path="text_to_video",
                names={**_NAMES, "aspect": Name(name="ratio", say=RATIOS.__getitem__)},
                fixed={"model": "gen4.5"},
                source=_SDK,
                prices=_list_prices(12),
            ),
            (GEN_4_5.name, Feature.IMAGE_TO_VIDEO): _animate("gen4.5", 12),
            (GEN_4_TURBO.name, Feature.IMAGE_TO_VIDEO): _animate("gen4_turbo", 5),
            (ACT_TWO.name, Feature.POSE_GUIDANCE): Endpoint(
                path="character_performance",
                names={
                    "image": Name(name="character", say=say_picture),
                    "guiding_video": Name(name="reference", say=say_video),
                    "seed": Name(name="seed"),
                },
                # Else only the face follows the video.
                fixed={"model": "act_two", "body_control": True},
                derive=choose_ratio,
                source=_SDK,
                prices=_list_prices(5),
            ),
        }
    ),
)
