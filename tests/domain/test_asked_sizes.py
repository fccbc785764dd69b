"""Length and size in the user's terms become what the model makes, as asked for."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.catalogue.families.doodle import SIDE
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.requests.asked_sizes import (
    describe_sizes,
    offer_sizes,
    resolve_asked_sizes,
)
from tiomagic_domain.requests.rerun import build_rerun_call

T2V, I2V = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO


def size_of(model: str, feature: Feature = T2V, **asked: Any) -> tuple[Any, ...]:
    """Return width, height and frames that a call asks for."""
    sizes = resolve_asked_sizes(find_model(model), feature, {"prompt": "a", **asked})
    assert sizes.problems == ()
    return tuple(sizes.arguments.get(name) for name in ("width", "height", "num_frames"))


def submitted(parts: Any, model: str, feature: Feature = T2V, **given: Any) -> Any:
    """Return the job of a call."""
    parts.media.add("fox.png", width=1000, height=500)
    return parts.generation.submit(
        feature, provider="modal", model=model, arguments={"prompt": "a red circle", **given}
    )


def refused(model: str, feature: Feature = T2V, **asked: Any) -> dict[str, tuple[str, Any]]:
    """Return what is wrong with each term, and the nearest value."""
    sizes = resolve_asked_sizes(find_model(model), feature, asked)
    return {problem.field: (problem.message, problem.nearest) for problem in sizes.problems}


@pytest.mark.parametrize(
    ("model", "seconds", "frames"),
    [
        ("wan2.1-t2v-14b", 3, 49),  # 48 of 4k+1
        ("wan2.1-t2v-14b", 5, 81),
        ("ltx-2", 3, 73),  # 72 of 8k+1
        ("cogvideox-2b", 6, 49),  # 48 of 8k+1
        ("doodle", 1, 17),
        ("hunyuanvideo-1.5", 0.5, 13),  # 12 of 4k+1
    ],
)
def test_seconds_are_the_nearest_length(model: str, seconds: float, frames: int) -> None:
    """At the model's own rate."""
    assert size_of(model, seconds=seconds)[2] == frames


def test_seconds_are_those_of_the_chosen_rate() -> None:
    """Eight frames a second need half the frames of sixteen."""
    assert size_of("wan2.1-t2v-14b", seconds=5, fps=8)[2] == 41
    assert size_of("wan2.1-t2v-14b", seconds=5, fps="fast")[2] == 81


@pytest.mark.parametrize(
    ("model", "asked", "size"),
    [
        ("wan2.1-t2v-14b", {"resolution": "480p"}, (832, 480)),
        ("wan2.1-t2v-14b", {"resolution": "720p"}, (1280, 720)),
        ("wan2.1-t2v-14b", {"resolution": "720P", "aspect": "9:16"}, (720, 1280)),
        ("wan2.1-t2v-14b", {"resolution": "720"}, (1280, 720)),
        ("wan2.1-t2v-14b", {"resolution": 720}, (1280, 720)),
        ("wan2.1-t2v-14b", {"aspect": "16:9"}, (832, 480)),
        ("wan2.1-t2v-14b", {"aspect": "9:16"}, (480, 832)),
        ("wan2.1-t2v-14b", {"resolution": "480p", "aspect": "1:1"}, (640, 640)),
        ("wan2.1-t2v-14b", {"resolution": "1280x720"}, (1280, 720)),
        ("ltx-2", {"resolution": "720p"}, (1280, 704)),
        ("ltx-2", {"resolution": "480p"}, (768, 512)),
        ("cogvideox-2b", {"resolution": "480p"}, (720, 480)),
        ("wan2.2-ti2v-5b", {"resolution": "720p"}, (1280, 704)),
        ("skyreels-v2-t2v-14b-540p", {"resolution": "540p"}, (960, 544)),
        ("kandinsky5-lite", {"aspect": "2:3"}, (512, 768)),
        ("cogvideox1.5-5b", {"resolution": "720p"}, (1280, 720)),
        ("doodle", {"aspect": "1:1"}, (SIDE, SIDE)),
    ],
)
def test_well_known_words_are_well_known_sizes(
    model: str, asked: dict[str, Any], size: tuple[int, int]
) -> None:
    """What the models' own pages call 480p and 720p."""
    assert size_of(model, **asked)[:2] == size


def test_a_shape_beside_one_side_gives_the_other() -> None:
    """The given side stays."""
    assert size_of("wan2.1-t2v-14b", aspect="16x9", width=1280)[:2] == (1280, 720)
    assert size_of("wan2.1-t2v-14b", aspect="1/1", height=480)[:2] == (480, 480)


def test_the_picture_decides_the_shape(parts: Any) -> None:
    """A resolution alone is the picture's shape with so many pixels; a shape is taken as given."""
    job = submitted(parts, "wan2.1-i2v-14b-480p", I2V, image="fox.png", resolution="720p")
    assert (job.arguments["width"], job.arguments["height"]) == (1280, 640)
    square = submitted(parts, "wan2.1-i2v-14b-480p", I2V, image="fox.png", aspect="1:1")
    assert (square.arguments["width"], square.arguments["height"]) == (624, 624)
    alone = submitted(parts, "wan2.1-i2v-14b-480p", I2V, image="fox.png")
    assert (alone.arguments["width"], alone.arguments["height"]) == (864, 432)


def test_what_is_made_is_said_before_it_is_made() -> None:
    """Only of what was asked for in these terms, and only what is known without the picture."""
    card = find_model("wan2.1-t2v-14b")
    said = [
        describe_sizes(card, T2V, given)
        for given in (
            {"seconds": 3, "aspect": "9:16"},
            {"seconds": 3, "fps": 8},
            {"resolution": "720p"},
            {"num_frames": 49},
            {"seconds": 99},
        )
    ]
    assert said == [
        "480x832, 49 frames, 3.06 s",
        "25 frames, 3.12 s",
        "1280x720",
        None,
        None,
    ]
    pictured = find_model("wan2.1-i2v-14b-480p")
    assert describe_sizes(pictured, I2V, {"image": "fox.png", "resolution": "720p"}) is None


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"seconds": 3, "num_frames": 49}, ["seconds, num_frames"]),
        ({"resolution": "720p", "width": 64}, ["resolution, width"]),
        ({"resolution": "720p", "height": 64}, ["resolution, height"]),
        ({"aspect": "1:1", "width": 64, "height": 64}, ["aspect, width, height"]),
        ({"aspect": "1:1", "resolution": "1280x720"}, ["resolution, aspect"]),
        (
            {"seconds": 3, "num_frames": 49, "resolution": "720p", "width": 64},
            ["seconds, num_frames", "resolution, width"],
        ),
    ],
)
def test_what_says_it_twice_is_a_problem(
    parts: Any, given: dict[str, Any], fields: list[str]
) -> None:
    """One clear problem a pair, with all others of the call."""
    with pytest.raises(ValidationError) as caught:
        submitted(parts, "wan2.1-t2v-14b", guidance_scale=99, **given)
    assert [problem.field for problem in caught.value.problems] == [*fields, "guidance_scale"]
    assert "say the same thing" in caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        *({"seconds": value} for value in ("long", 0, -1, 1e300, True, None)),
        *({"aspect": value} for value in ("wide", "16", "0:9", "16:0", "16:9\n", 1.5, "-1:1")),
        *(
            {"resolution": value}
            for value in ("big", "p", "0p", "99999p", "x720", 0, 7.5, "720p\n")
        ),
    ],
)
def test_what_means_nothing_is_a_problem_of_its_field(parts: Any, given: dict[str, Any]) -> None:
    """Checked as every other parameter."""
    with pytest.raises(ValidationError) as caught:
        submitted(parts, "wan2.1-t2v-14b", **given)
    assert [problem.field for problem in caught.value.problems] == list(given)


def test_what_is_far_from_all_that_a_model_makes_is_refused() -> None:
    """More than a quarter off is another thing: the problem has the nearest value."""
    assert refused("doodle", seconds=5)["seconds"] == (
        "must be about 1.06 at 16 frames a second, not 5; nearest: 1.06",
        1.06,
    )
    assert refused("kandinsky5-lite", seconds=10)["seconds"][1] == 5.04
    assert refused("doodle", aspect="16:9")["aspect"] == (
        f"is too far from {SIDE}x{SIDE}, the nearest size that doodle makes; nearest: 1:1",
        "1:1",
    )
    assert refused("hunyuanvideo-1.5", resolution="720p")["resolution"] == (
        "is too far from 848x480, the nearest size that hunyuanvideo-1.5 makes; nearest: 480p",
        "480p",
    )
    fixed = "cogvideox-5b-image-to-video"
    assert refused(fixed, I2V, aspect="9:16")["aspect"][1] == "3:2"
    assert refused(fixed, I2V, resolution="720x1280")["resolution"][1] == "720x480"


def test_what_is_a_little_off_is_made_with_a_note(parts: Any) -> None:
    """Four seconds for five, and 3:2 for 16:9."""
    job = submitted(parts, "skyreels-v2-t2v-14b-540p", seconds=5)
    assert job.arguments["num_frames"] == 97
    assert job.facts["size_notes"] == ["seconds: 97 frames, 4.04 s, are the nearest length"]
    fixed = submitted(
        parts, "cogvideox-5b-image-to-video", I2V, image="fox.png", aspect="16:9", seconds=6
    )
    assert (fixed.arguments["width"], fixed.arguments["height"]) == (720, 480)
    assert fixed.facts["size_notes"] == [
        "aspect: 720x480 is the nearest to 16:9",
        "image: 25 % of its width is cut off, for it is 1000x500 and the video 720x480",
    ]
    assert "size_notes" not in submitted(parts, "wan2.1-t2v-14b", seconds=3).facts


def test_a_model_without_frames_or_sides_has_no_such_terms() -> None:
    """They stand for what a model takes, and are listed with it."""
    schema = find_model("wan2.1-t2v-14b").schema(T2V)
    assert [term.name for term in schema.sizes] == ["seconds", "aspect", "resolution"]
    assert "makes. 0.31 to 10.06 s at 16 frames a second." in schema["seconds"].description
    described = schema.to_json_schema()
    assert described["properties"]["resolution"]["examples"][0] == "480p"  # type: ignore[index]
    assert {"not": {"required": ["seconds", "num_frames"]}} in described["allOf"]  # type: ignore[operator]
    assert schema.to_dict()["optional"]["seconds"]["type"] is float
    bare = type(schema)(parameters=(schema["prompt"], schema["width"]))
    assert bare.sizes == ()
    assert "seconds" not in bare


def test_the_record_has_what_was_asked_for(parts: Any) -> None:
    """Frames and pixels are the run's, the terms are the user's."""
    job = submitted(parts, "wan2.1-t2v-14b", seconds=3, aspect="1:1", flow_shift=4)
    assert job.arguments["num_frames"] == 49
    assert not {"seconds", "aspect"} & set(job.arguments)
    assert job.chosen == Choices(
        names=("prompt", "flow_shift"), sizes={"seconds": 3.0, "aspect": "1:1"}
    )


def test_seconds_go_to_another_model_as_seconds(parts: Any) -> None:
    """Three seconds are 49 frames of Wan and 73 of LTX-2; a shape stays a shape."""
    recipe = build_recipe(
        submitted(parts, "wan2.1-t2v-14b", seconds=3, aspect="9:16"), versions={}, facts={}
    )
    job = parts.generation.rerun(recipe, overrides={}, model="ltx-2")
    assert job.arguments["num_frames"] == 73
    assert (job.arguments["width"], job.arguments["height"]) == (480, 832)
    assert job.chosen.sizes == {"seconds": 3.0, "aspect": "9:16"}
    call = build_rerun_call(recipe, find_model("doodle"), {})
    assert [str(change) for change in call.changes] == [
        "seconds=3.0 becomes 1.06: doodle: must be about 1.06 at 16 frames a second, not 3",
        (
            f"aspect='9:16' becomes '1:1': doodle: is too far from {SIDE}x{SIDE}, the nearest size "
            "that doodle makes"
        ),
    ]
    parts.generation.rerun(recipe, overrides={}, model="doodle")


@pytest.mark.parametrize(
    ("overrides", "size", "sizes"),
    [
        ({}, (480, 832, 49), {"seconds": 3.0, "aspect": "9:16"}),
        ({"seconds": 5}, (480, 832, 81), {"seconds": 5, "aspect": "9:16"}),
        ({"seconds": None}, (480, 832, 81), {"aspect": "9:16"}),
        ({"num_frames": 33}, (480, 832, 33), {"aspect": "9:16"}),
        ({"fps": 8}, (480, 832, 25), {"seconds": 3.0, "aspect": "9:16"}),
        ({"aspect": "16:9"}, (832, 480, 49), {"seconds": 3.0, "aspect": "16:9"}),
        (
            {"resolution": "720p"},
            (720, 1280, 49),
            {"seconds": 3.0, "aspect": "9:16", "resolution": "720p"},
        ),
        ({"resolution": "640x640"}, (640, 640, 49), {"seconds": 3.0, "resolution": "640x640"}),
        ({"width": 512}, (512, 832, 49), {"seconds": 3.0}),
    ],
)
def test_an_override_says_it_anew(
    parts: Any, overrides: dict[str, Any], size: tuple[int, int, int], sizes: dict[str, Any]
) -> None:
    """In whichever terms, what it does not speak of stays."""
    first = submitted(parts, "wan2.1-t2v-14b", seconds=3, aspect="9:16")
    again = parts.generation.rerun(build_recipe(first, versions={}, facts={}), overrides=overrides)
    made = tuple(again.arguments[name] for name in ("width", "height", "num_frames"))
    assert (made, again.chosen.sizes) == (size, sizes)


@given(st.sampled_from(sorted(models())), st.data())
def test_what_is_offered_is_made(model: str, data: st.DataObject) -> None:
    """Every offered shape and resolution gives a legal size, without a note."""
    card = find_model(model)
    feature = data.draw(st.sampled_from(sorted(card.features)))
    offered = {name: values for name, values in offer_sizes(card, feature).items() if values}
    asked = {name: data.draw(st.sampled_from(values)) for name, values in offered.items()}
    for name, value in asked.items():
        sizes = resolve_asked_sizes(card, feature, {name: value})
        schema = card.schema(feature)
        for side in {"width", "height"} & set(sizes.arguments):
            assert schema[side].problem(sizes.arguments[side]) is None
        rules = [rule for rule in schema.rules if hasattr(rule, "pixels")]
        assert not [p for rule in rules for p in rule.problems(sizes.arguments)]


@given(
    st.sampled_from(sorted(models())),
    st.floats(0.05, 60),
    st.floats(0.1, 10),
    st.integers(100, 2200),
)
@example("cogvideox1.5-5b-image-to-video", 1.0, 0.6875, 100)
def test_a_size_is_legal_or_a_problem(model: str, seconds: float, shape: float, lines: int) -> None:
    """Whatever is asked for; and the nearest value of a problem is none itself."""
    card = find_model(model)
    for feature, schema in card.features.items():
        asked: dict[str, Any] = {
            "seconds": seconds,
            "aspect": f"{shape:.2f}:1" if shape >= 1 else f"1:{1 / shape:.2f}",
            "resolution": f"{lines}p",
        }
        for _ in range(3):
            sizes = resolve_asked_sizes(card, feature, asked)
            asked |= {problem.field: problem.nearest for problem in sizes.problems}
        assert sizes.problems == ()
        for name in {"width", "height", "num_frames"} & set(sizes.arguments):
            assert schema[name].problem(sizes.arguments[name]) is None
        rules = [rule for rule in schema.rules if hasattr(rule, "pixels")]
        assert not [p for rule in rules for p in rule.problems(sizes.arguments)]
