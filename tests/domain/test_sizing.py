"""Sizes that follow a picture are legal, within the budget, and nearly of its shape."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.every import for_each

from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.settings import side
from tiomagic_domain.features import Feature
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.requests.defaults import SIZE_SOURCE_INPUTS, describe_crops, draw_seed_and_size
from tiomagic_domain.requests.sizing import fit_size
from tiomagic_domain.schema.schema import MaxPixels, Schema, ShorterSide

WIDTH = side("width", default=None, multiple_of=16, low=16, high=1280)
HEIGHT = side("height", default=None, multiple_of=16, low=16, high=1280)
SIZED = [
    (card, feature)
    for card in models().values()
    for feature, schema in card.features.items()
    if feature in SIZE_SOURCE_INPUTS and "width" in schema and "height" in schema
]


def picture(width, height, tmp_path=None):
    return Media(
        kind=MediaKind.IMAGE,
        sha256="0",
        path=tmp_path,
        media_type="image/png",
        width=width,
        height=height,
    )


def completed(card, feature, values, width, height):
    media = {SIZE_SOURCE_INPUTS[feature][-1]: picture(width, height)}
    return values | draw_seed_and_size(card, feature, values, media, lambda: 7)


@pytest.mark.parametrize(
    ("feature", "size", "given", "said"),
    [
        ("image_to_video", (832, 480), (640, 480), "image: 23 % of its height is cut off"),
        ("image_to_video", (480, 480), (640, 480), "image: 25 % of its width is cut off"),
        ("interpolate", (480, 480), (640, 480), "first_frame: 25 % of its width is cut off"),
        ("image_to_video", (640, 464), (640, 480), None),
        ("pose_guidance", (832, 480), (480, 832), None),
    ],
)
def test_a_picture_that_loses_a_part_is_named(feature, size, given, said):
    """With how much; a few rows that nobody misses are not, nor a picture that is shown whole."""
    values = dict(zip(("width", "height"), size, strict=True))
    media = {name: picture(*given) for name in ("image", "first_frame")}
    found = describe_crops(Feature(feature), values, media)
    assert [line.partition(", for")[0] for line in found] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("aspect", "pixels", "size"),
    [
        (832 / 480, 832 * 480, (832, 480)),
        (480 / 832, 832 * 480, (480, 832)),
        (1, 832 * 480, (624, 624)),
        (16 / 9, 1280 * 720, (1280, 720)),
        (100, 1280 * 720, (1280, 16)),
    ],
)
def test_well_known_shapes_get_well_known_sizes(aspect, pixels, size):
    """The sizes that the models were trained on come out for the pictures of their shape."""
    assert fit_size(aspect, pixels=pixels, width=WIDTH, height=HEIGHT) == size


@given(st.floats(0.05, 20), st.sampled_from([64 * 64, 256 * 256, 832 * 480, 1280 * 720]))
def test_a_fitted_size_is_legal_and_within_the_budget(aspect, pixels):
    """Both sides are legal, and their product is not beyond the budget."""
    wide, tall = fit_size(aspect, pixels=pixels, width=WIDTH, height=HEIGHT)
    assert WIDTH.check(wide) == wide
    assert HEIGHT.check(tall) == tall
    assert wide * tall <= pixels


@given(st.floats(1 / 3, 3), st.sampled_from([832 * 480, 1280 * 720]))
@example(0.96, 832 * 480)  # A small size has almost this shape, and a large one only nearly.
def test_a_usual_picture_loses_little(aspect, pixels):
    """Up to 3:1 the crop takes at most 2 % of a side, and most of the budget is used."""
    wide, tall = fit_size(aspect, pixels=pixels, width=WIDTH, height=HEIGHT)
    assert abs(math.log(wide / tall / aspect)) < 0.02
    side_limit = 1280 * 1280 / max(aspect, 1 / aspect)
    assert wide * tall > 0.9 * min(pixels, side_limit)


@given(st.floats(0.01, 100), st.integers(1, 4096))
def test_a_budget_below_the_smallest_size_still_gives_a_legal_one(aspect, pixels):
    """With large smallest sides the shape gives way, and the size stays legal."""
    wide_side = side("width", default=None, multiple_of=32, low=256, high=512)
    tall_side = side("height", default=None, multiple_of=32, low=256, high=512)
    wide, tall = fit_size(aspect, pixels=pixels * 64, width=wide_side, height=tall_side)
    wide_side.check(wide)
    tall_side.check(tall)
    assert wide * tall <= max(pixels * 64, 256 * 256)


@for_each(SIZED)
def test_the_budget_of_a_card_is_within_its_limit(card, feature):
    """A square picture fills the budget to the last pixel, which no rule of the card refuses."""
    limits = [rule.pixels for rule in card.schema(feature).rules if isinstance(rule, MaxPixels)]
    assert all(card.pixels <= limit for limit in limits)


@given(st.data())
def test_what_is_completed_is_legal(data):
    """Whatever the picture and whichever side was given, every card's rules accept the size."""
    card, feature = data.draw(st.sampled_from(SIZED))
    schema = card.schema(feature)
    given_sides = data.draw(st.sampled_from([(), ("width",), ("height",)]))
    values = {n: data.draw(st.sampled_from(schema[n].legal_values())) for n in given_sides}
    wide, tall = data.draw(st.integers(1, 9000)), data.draw(st.integers(1, 9000))
    result = completed(card, feature, values, wide, tall)
    sides = {name: result[name] for name in ("width", "height")}
    assert all(sides[name] == values[name] for name in given_sides)
    limits = tuple(rule for rule in schema.rules if isinstance(rule, MaxPixels | ShorterSide))
    sized = Schema(parameters=(schema["width"], schema["height"]), rules=limits)
    sized.validate(sides)


@pytest.mark.parametrize(
    ("wide", "tall", "size"),
    [
        (1000, 1000, (768, 768)),
        (1600, 1200, (1024, 768)),
        (1200, 1600, (768, 1024)),
        (2100, 900, (1360, 768)),
    ],
)
def test_a_fixed_shorter_side_takes_the_shape_of_the_picture(wide, tall, size):
    """CogVideoX1.5 I2V: 768 and as much more as the picture has, to 1360 (the authors' table)."""
    card = models()["cogvideox1.5-5b-image-to-video"]
    result = completed(card, Feature.IMAGE_TO_VIDEO, {}, wide, tall)
    assert (result["width"], result["height"]) == size


def test_one_side_decides_the_other():
    """The side that is missing follows the picture's shape, up to the limit of pixels."""
    card = models()["wan2.1-vace-14b"]
    feature = Feature.IMAGE_TO_VIDEO
    assert completed(card, feature, {"width": 640}, 2000, 1000)["height"] == 320
    assert completed(card, feature, {"height": 320}, 2000, 1000)["width"] == 640
    assert completed(card, feature, {"width": 1280}, 1000, 1000)["height"] == 720


def test_a_kept_background_decides_the_size():
    """The picture of the character does so when there is no background."""
    card = models()["wan2.2-animate-14b"]
    media = {"image": picture(1000, 1000), "background_video": picture(1600, 900)}

    def size(*names):
        given = {name: media[name] for name in names}
        return draw_seed_and_size(card, Feature.POSE_GUIDANCE, {"seed": 1}, given, lambda: 7)

    assert size("image") == {"width": 960, "height": 960}
    assert size("image", "background_video") == {"width": 1280, "height": 720}


def test_what_was_given_is_left_alone():
    """A given seed and a given size are not touched; an open seed is drawn."""
    card, feature = models()["wan2.1-vace-14b"], Feature.IMAGE_TO_VIDEO
    values = {"width": 640, "height": 640, "seed": 1}
    assert completed(card, feature, values, 2000, 1000) == values
    assert completed(card, feature, {}, 1, 1)["seed"] == 7
    assert draw_seed_and_size(card, Feature.TEXT_TO_VIDEO, {"width": 16}, {}, lambda: 7) == {
        "seed": 7
    }


def test_a_model_without_a_size_gets_none():
    """A model that has no width and no seed is completed with nothing."""
    card = models()["wan2.1-vace-14b"]
    bare = type(card)(
        **{name: getattr(card, name) for name in card.__dataclass_fields__}
        | {"features": {Feature.TEXT_TO_VIDEO: Schema(parameters=())}}
    )
    assert draw_seed_and_size(bare, Feature.TEXT_TO_VIDEO, {}, {}, lambda: 7) == {}
