"""Models with their sizes, lengths and features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, Field

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.money.listed_price import ListedPrice, PriceUnit
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.schema.sizes import ASPECT, ASPECTS, RESOLUTION

KNOWN_SINCE: Final = 1764460800
"""Unix time of the first version of this catalogue, 2025-11-30: a card has no date of its own."""
PRICED_BY: Final = {PriceUnit.SECOND: "duration_seconds", PriceUnit.RUN: "video"}
"""What a price is for, as it begins the name of one."""
SOUND: Final = "sound"
"""The argument that says whether a video has sound."""
MOST_LENGTHS: Final = 60
"""Most whole seconds that are listed."""


class ServedModel(BaseModel):
    """A model that this server runs, in OpenRouter's words and in ours."""

    id: str = Field(description="What a request names as model")
    canonical_slug: str = Field(description="The same name")
    name: str = Field(description="Its name for people")
    description: str = Field(description="What it is, in a sentence or two")
    created: int = Field(description="Unix time in seconds of the catalogue, the same for all")
    hugging_face_id: str | None = Field(
        description="The repository of its weights; null where they are not public"
    )
    supported_resolutions: list[str] | None = Field(
        description="Such as 720p; null where a size is said by width and height alone"
    )
    supported_aspect_ratios: list[str] | None = Field(
        description="Such as 16:9; null where it takes none"
    )
    supported_sizes: list[str] | None = Field(
        description="The size that it was trained on, width x height in pixels; it makes others "
        "too, as parameters says. Null where it has resolutions"
    )
    supported_durations: list[int] | None = Field(
        description="The whole seconds that are nearest to a length that it makes, 60 of them at "
        "most; null where its lengths are said otherwise"
    )
    supported_frame_images: list[str] | None = Field(
        description="first_frame, last_frame or both; null where it takes no picture"
    )
    generate_audio: bool | None = Field(
        description="True if a video may have sound; null if it has none"
    )
    seed: bool | None = Field(description="True if it takes a seed, by which a video is repeated")
    creativity: list[int] | None = Field(
        default=None, description="Always null: a field of OpenRouter for models that enlarge"
    )
    upscale_factor: dict[str, float] | None = Field(
        default=None, description="Always null: a field of OpenRouter for models that enlarge"
    )
    pricing_skus: dict[str, str] | None = Field(
        description="Prices in USD by the kind of call, such as duration_seconds_720p; "
        "null where nothing is billed by a list"
    )
    allowed_passthrough_parameters: list[str] = Field(
        description="Names of all its parameters; each is a field of a request"
    )
    features: list[str] = Field(description="What it can do, in tiomagic's words")
    licence: str = Field(description="Of its weights")
    parameters: dict[str, Any] = Field(
        description="For each feature the JSON Schema of its parameters (draft 2020-12)"
    )


class ServedModels(BaseModel):
    """All models of this server."""

    data: list[ServedModel] = Field(description="The models")


def to_served_model(
    card: ModelCard, prices: Mapping[Feature, Sequence[ListedPrice]]
) -> ServedModel:
    """Return a card as clients read it.

    Args:
        card: The model.
        prices: What its runs cost, by feature; empty where nothing is billed by a list.
    """
    schemas = card.features
    main = schemas.get(Feature.TEXT_TO_VIDEO) or next(iter(schemas.values()))
    names = {p.name for schema in schemas.values() for p in (*schema.parameters, *schema.sizes)}
    return ServedModel(
        id=card.name,
        canonical_slug=card.name,
        name=card.title,
        description=card.description,
        created=KNOWN_SINCE,
        hugging_face_id=card.repository,
        supported_resolutions=_choices(main, RESOLUTION),
        supported_aspect_ratios=_choices(main, ASPECT)
        or (list(ASPECTS) if ASPECT in main else None),
        supported_sizes=_default_size(main),
        supported_durations=_whole_seconds(main) or None,
        supported_frame_images=_frame_images(schemas) or None,
        generate_audio="generate_audio" in names or None,
        seed="seed" in names,
        pricing_skus=name_prices(prices) or None,
        allowed_passthrough_parameters=sorted(names),
        features=[feature.value for feature in schemas],
        licence=card.licence,
        parameters={
            feature.value: schema.to_json_schema(title=f"{feature.value} with {card.name}")
            for feature, schema in schemas.items()
        },
    )


def list_served(
    cards: Iterable[ModelCard], find_prices: Callable[[ModelCard, Feature], Sequence[ListedPrice]]
) -> ServedModels:
    """Return cards as clients read them, with their prices."""
    return ServedModels(data=[_serve(card, find_prices) for card in cards])


def _serve(
    card: ModelCard, find_prices: Callable[[ModelCard, Feature], Sequence[ListedPrice]]
) -> ServedModel:
    return to_served_model(card, {one: find_prices(card, one) for one in card.features})


def name_prices(prices: Mapping[Feature, Sequence[ListedPrice]]) -> dict[str, str]:
    """Return prices by names as OpenRouter forms them.

    A feature stands in a name only where features of a model cost different amounts. Prices in
    another currency than USD are left out: the form has no room for one.

    Args:
        prices: Of one model, by feature.
    """
    named = {feature.value: _name_prices(listed) for feature, listed in prices.items()}
    different = [one for one in named.values() if one]
    if all(one == different[0] for one in different):
        return different[0] if different else {}
    return {
        f"{feature}_{name}": amount
        for feature, priced in named.items()
        for name, amount in priced.items()
    }


def _name_prices(listed: Iterable[ListedPrice]) -> dict[str, str]:
    return {
        _name_price(one): f"{one.amount:.12f}".rstrip("0").rstrip(".")
        for one in listed
        if one.currency == "USD"
    }


def _name_price(price: ListedPrice) -> str:
    sound: dict[object, list[str]] = {True: ["with_audio"], False: ["without_audio"]}
    others = [str(value) for name, value in price.when.items() if name != SOUND]
    return "_".join([PRICED_BY[price.unit], *sound.get(price.when.get(SOUND), []), *others])


def _choices(schema: Schema, name: str) -> list[str] | None:
    if name not in schema:
        return None
    return [str(choice) for choice in schema[name].choices or schema[name].examples] or None


def _default_size(schema: Schema) -> list[str] | None:
    """Return the size that it was trained on; it makes others too, as its parameters say."""
    if "width" not in schema or "height" not in schema:
        return None
    sides = schema["width"].default, schema["height"].default
    return [f"{sides[0]}x{sides[1]}"] if all(isinstance(side, int) for side in sides) else None


def _whole_seconds(schema: Schema) -> list[int]:
    """Return the whole seconds that are nearest to a length that it makes."""
    if "num_frames" not in schema or "fps" not in schema:
        return []
    frames, fps = schema["num_frames"], schema["fps"].default
    if not isinstance(fps, int) or frames.minimum is None or frames.maximum is None:
        return []
    seconds = {round(count / fps) for count in frames.legal_values()}
    return sorted(second for second in seconds if second > 0)[:MOST_LENGTHS]


def _frame_images(schemas: Mapping[Feature, Schema]) -> list[str]:
    first = Feature.IMAGE_TO_VIDEO in schemas or Feature.INTERPOLATE in schemas
    last = Feature.INTERPOLATE in schemas
    return [*(["first_frame"] if first else []), *(["last_frame"] if last else [])]
