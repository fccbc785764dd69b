"""Models at fal: MiniMax H3 Max for words and pictures, Wan Motion and Kling for pose guidance.

The vendor sizes the videos by two words, a shape and a resolution, and takes whole seconds.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Final

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.catalogue.endpoints import Endpoint, Name
from tiomagic_hosted.catalogue.lengths import build_length, say_seconds
from tiomagic_hosted.catalogue.prices import PriceList, Rate

ENGINE: Final = "fal"
FPS: Final = 24

_H3 = "fal.ai/models/minimax/h3-max/{}/llms.txt, as of 2026-09-28"
_WAN_MOTION = "fal.ai/models/fal-ai/wan-motion/llms.txt"
_KLING = "fal.ai/docs/model-api-reference/video-generation-api/kling-video-v3-standard.md"

TERMS = LicenceTerms(
    use=LicenceUse.LIMITED,
    publishing="fal sells it for commercial use under its terms of service; the maker's own terms "
    "apply beside them.",
    source="fal.ai/terms and the model's page",
)

_READ_ON = date(2026, 9, 28)
_H3_PRICES = PriceList(
    rates=tuple(
        Rate(amount=amount, unit=PriceUnit.SECOND, when={"resolution": resolution})
        for resolution, amount in (("480p", 0.05), ("768p", 0.08), ("1080p", 0.16))
    ),
    source="fal.ai/models/minimax/h3-max",
    as_of=_READ_ON,
)
_WAN_MOTION_PRICES = PriceList(
    rates=(Rate(amount=0.06, unit=PriceUnit.SECOND),),
    source="fal.ai/models/fal-ai/wan-motion",
    as_of=_READ_ON,
)

# Read by others on the models' pages.
_KLING_READ_ON = date(2026, 9, 12)

_RESOLUTION = Parameter(
    name="resolution",
    kind=Kind.STRING,
    required=False,
    default="768p",
    choices=("480p", "768p", "1080p"),
    source=_H3.format("text-to-video"),
    description="The short side of the video; the price grows with it.",
)
_ASPECT = Parameter(
    name="aspect",
    kind=Kind.STRING,
    required=False,
    default="16:9",
    choices=("21:9", "16:9", "4:3", "1:1", "3:4", "9:16"),
    source=_H3.format("text-to-video"),
    description="Shape of the video, width to height.",
)
_LENGTH = build_length(fps=FPS, default=5, low=5, high=15, source=_H3.format("text-to-video"))

_H3_NAMES = {
    "prompt": Name(name="prompt"),
    "num_frames": Name(name="duration", say=say_seconds(FPS)),
    "resolution": Name(name="resolution", say=str.upper),
    "seed": Name(name="seed"),
}
# The vendor would rewrite the prompt by itself; a recipe must say what was asked.
_H3_FIXED = {"prompt_expansion_mode": "disabled"}


def _h3_schema(feature: Feature) -> Schema:
    shape = (_ASPECT,) if feature is Feature.TEXT_TO_VIDEO else ()  # Else the picture's.
    return Schema(
        parameters=(
            *INPUTS[feature],
            _LENGTH,
            _RESOLUTION,
            *shape,
            settings.SEED,
            settings.fps(default=FPS),
        )
    )


_H3_FEATURES = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)

H3_MAX = ModelCard(
    name="fal-h3-max",
    title="MiniMax H3 Max at fal",
    family="hosted",
    description="Video with sound from words, from a picture, or between two, without a GPU.",
    homepage="https://fal.ai/models/minimax/h3-max/text-to-video",
    licence="fal terms of service",
    terms=TERMS,
    engine=ENGINE,
    repository=None,
    features=MappingProxyType({feature: _h3_schema(feature) for feature in _H3_FEATURES}),
    fps=FPS,
    pixels=1344 * 768,
    weights_gib=0.0,
    largest_gib=0.0,
    gpu_memory_gib=0.0,
    # The vendor takes 50,000 characters; about four make a token.
    prompt_tokens=12_500,
)

WAN_MOTION = ModelCard(
    name="fal-wan-motion",
    title="Wan Motion at fal",
    family="hosted",
    description="Moves the character of a picture like the person in a video, without a GPU.",
    homepage="https://fal.ai/models/fal-ai/wan-motion",
    licence="fal terms of service",
    terms=TERMS,
    engine=ENGINE,
    repository=None,
    features=MappingProxyType(
        {
            Feature.POSE_GUIDANCE: Schema(
                parameters=(
                    *INPUTS[Feature.POSE_GUIDANCE],
                    Parameter(
                        name="guiding_video",
                        kind=Kind.VIDEO,
                        description="A video of a moving person; the result is as long.",
                    ),
                    settings.SEED,
                )
            )
        }
    ),
    fps=FPS,
    pixels=1280 * 720,
    weights_gib=0.0,
    largest_gib=0.0,
    gpu_memory_gib=0.0,
    prompt_tokens=512,
)

_ORIENTATION = Parameter(
    name="orientation",
    kind=Kind.STRING,
    required=False,
    default="video",
    choices=("video", "image"),
    source=_KLING,
    description="Where the character faces: as in the guiding video, which suits large motions and "
    "may be 30 s long, or as in the picture, which keeps its framing and may be 10 s long.",
)


def _build_kling(tier: str, title: str, pixels: int) -> ModelCard:
    return ModelCard(
        name=f"fal-kling-v3-motion-{tier}",
        title=f"Kling 3.0 Motion Control, {title}, at fal",
        family="hosted",
        description="Moves the character of a picture like the person in a video, without a GPU.",
        homepage=f"https://fal.ai/models/fal-ai/kling-video/v3/{tier}/motion-control",
        licence="fal terms of service",
        terms=TERMS,
        engine=ENGINE,
        repository=None,
        features=MappingProxyType(
            {
                Feature.POSE_GUIDANCE: Schema(
                    parameters=(
                        *INPUTS[Feature.POSE_GUIDANCE],
                        Parameter(
                            name="guiding_video",
                            kind=Kind.VIDEO,
                            source=_KLING,
                            description="A video of a moving person, the head and at least the "
                            "upper body in view; the result is as long.",
                        ),
                        _ORIENTATION,
                    )
                )
            }
        ),
        fps=FPS,
        pixels=pixels,
        weights_gib=0.0,
        largest_gib=0.0,
        gpu_memory_gib=0.0,
        # Kling takes 2,500 characters; about four make a token.
        prompt_tokens=625,
    )


KLING_STANDARD = _build_kling("standard", "standard", 1280 * 720)
KLING_PRO = _build_kling("pro", "pro", 1920 * 1080)


def _build_kling_endpoint(tier: str, price: float) -> Endpoint:
    path = f"fal-ai/kling-video/v3/{tier}/motion-control"
    return Endpoint(
        path=path,
        names={
            "prompt": Name(name="prompt"),
            "image": Name(name="image_url"),
            "guiding_video": Name(name="video_url"),
            "orientation": Name(name="character_orientation"),
        },
        # The sound of somebody's dance is not part of the motion.
        fixed={"keep_original_sound": False},
        source=_KLING,
        prices=PriceList(
            rates=(Rate(amount=price, unit=PriceUnit.SECOND),),
            source=f"fal.ai/models/{path}",
            as_of=_KLING_READ_ON,
        ),
    )


CARDS: Final = (H3_MAX, WAN_MOTION, KLING_STANDARD, KLING_PRO)

CATALOGUE: Final = Catalogue(
    default_model=H3_MAX.name,
    cards=CARDS,
    endpoints=MappingProxyType(
        {
            (H3_MAX.name, Feature.TEXT_TO_VIDEO): Endpoint(
                path="minimax/h3-max/text-to-video",
                names={**_H3_NAMES, "aspect": Name(name="aspect_ratio")},
                fixed=_H3_FIXED,
                source=_H3.format("text-to-video"),
                prices=_H3_PRICES,
            ),
            (H3_MAX.name, Feature.IMAGE_TO_VIDEO): Endpoint(
                path="minimax/h3-max/image-to-video",
                names={**_H3_NAMES, "image": Name(name="image_url")},
                fixed=_H3_FIXED,
                source=_H3.format("image-to-video"),
                prices=_H3_PRICES,
            ),
            (H3_MAX.name, Feature.INTERPOLATE): Endpoint(
                path="minimax/h3-max/image-to-video",
                names={
                    **_H3_NAMES,
                    "first_frame": Name(name="image_url"),
                    "last_frame": Name(name="end_image_url"),
                },
                fixed=_H3_FIXED,
                source=_H3.format("image-to-video"),
                prices=_H3_PRICES,
            ),
            (WAN_MOTION.name, Feature.POSE_GUIDANCE): Endpoint(
                path="fal-ai/wan-motion",
                names={
                    "prompt": Name(name="prompt"),
                    "image": Name(name="image_url"),
                    "guiding_video": Name(name="video_url"),
                    "seed": Name(name="seed"),
                },
                source=_WAN_MOTION,
                prices=_WAN_MOTION_PRICES,
            ),
            (KLING_STANDARD.name, Feature.POSE_GUIDANCE): _build_kling_endpoint("standard", 0.126),
            (KLING_PRO.name, Feature.POSE_GUIDANCE): _build_kling_endpoint("pro", 0.168),
        }
    ),
)
