"""Keyframes: pictures at moments of the video, checked against the grid of the model."""

from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature, InterpolateInputs
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import MediaKind
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.requests.received_recipes import check_inputs
from tiomagic_domain.requests.rerun import build_rerun_call
from tiomagic_domain.schema.keyframes import describe_keyframes

BETWEEN = Feature.INTERPOLATE
"""``doodle`` has 17 frames, 16 a second, and takes a picture at every fourth."""
ENDS = {"prompt": "a red circle moves right", "first_frame": "a.png", "last_frame": "z.png"}


def submitted(parts: Any, *keyframes: object, model: str = "doodle", **given: Any) -> Any:
    """Return the stored job of a call with these keyframes."""
    for name in ("a.png", "b.png", "c.png", "z.png"):
        parts.media.add(name, width=64, height=64)
    arguments = {**ENDS, "keyframes": list(keyframes), **given}
    return parts.generation.submit(BETWEEN, provider="modal", model=model, arguments=arguments)


def refused(parts: Any, *keyframes: object, **given: Any) -> dict[str, Any]:
    """Return the problems of such a call by their fields."""
    with pytest.raises(ValidationError) as caught:
        submitted(parts, *keyframes, **given)
    return {problem.field: problem for problem in caught.value.problems}


def at(moment: float, image: object = "b.png") -> dict[str, object]:
    """Return a keyframe at a time in seconds."""
    return {"image": image, "at": moment}


def frame(number: int, image: object = "b.png") -> dict[str, object]:
    """Return a keyframe at the number of a frame."""
    return {"image": image, "frame": number}


def test_a_moment_is_a_time_or_a_frame(parts: Any) -> None:
    """The engine gets the frame of each, whichever way the user said it."""
    submitted(parts, at(0.25), frame(12, "c.png"))
    inputs = parts.remote.submitted[-1].inputs
    assert isinstance(inputs, InterpolateInputs)
    assert [(one.frame, one.image.name) for one in inputs.keyframes] == [
        (4, "b.png"),
        (12, "c.png"),
    ]
    assert [media.name for media in inputs.frames(17).values()] == [
        "a.png",
        "b.png",
        "c.png",
        "z.png",
    ]
    assert list(inputs.frames(17)) == [0, 4, 12, 16]


def test_a_time_is_of_the_file(parts: Any) -> None:
    """At half the rate the same frame is shown at twice the time."""
    submitted(parts, at(0.5), fps=8)
    assert parts.remote.submitted[-1].inputs.keyframes[0].frame == 4


def test_the_nearest_frame_of_a_time_is_meant(parts: Any) -> None:
    """0.26 s of 16 frames a second is nearest to frame 4, and a recipe keeps what was said."""
    job = submitted(parts, at(0.26))
    assert parts.remote.submitted[-1].inputs.keyframes[0].frame == 4
    assert job.optional_args["keyframes"][0]["at"] == 0.26


@pytest.mark.parametrize(
    ("keyframe", "field", "nearest"),
    [
        (at(0.3), "keyframes[1].at", 0.25),
        (frame(7), "keyframes[1].frame", 4),
        (at(1.5), "keyframes[1].at", 0.75),
        (frame(400), "keyframes[1].frame", 12),
        (frame(0), "keyframes[1].frame", 4),
        (at(1.0), "keyframes[1].at", 0.75),
        (frame(8), "keyframes[1].frame", 4),
        (at(-1), "keyframes[1].at", 0),
        (frame(-4), "keyframes[1].frame", 0),
    ],
    ids=["grid", "grid-frame", "end", "end-frame", "first", "last", "twice", "minus", "minus-f"],
)
def test_the_nearest_free_moment_is_named(
    parts: Any, keyframe: dict[str, object], field: str, nearest: float
) -> None:
    """Off the grid, after the end, at a frame that another picture has, before the beginning."""
    problems = refused(parts, frame(8, "c.png"), keyframe)
    assert list(problems) == [field]
    assert problems[field].nearest == nearest


def test_the_error_says_who_has_the_frame_and_what_is_free(parts: Any) -> None:
    """In the unit that the user speaks."""
    problems = refused(parts, frame(4), at(0.25))
    assert problems["keyframes[1].at"].message == (
        "is frame 4, which keyframes[0] has; free for a picture: 0.5, 0.75 s; nearest: 0.5"
    )
    problems = refused(parts, frame(0), frame(16))
    assert "which first_frame has" in problems["keyframes[0].frame"].message
    assert "which last_frame has" in problems["keyframes[1].frame"].message


def test_a_long_video_says_its_grid(parts: Any) -> None:
    """Twenty moments are not listed one by one."""
    problems = refused(parts, frame(6), model="wan2.1-vace-1.3b")
    assert problems["keyframes[0].frame"].message == (
        "is frame 6; free for a picture is every 4th frame from 4 to 76; nearest: 4"
    )


def test_a_moment_is_said_once(parts: Any) -> None:
    """With both or neither, the field is named."""
    problems = refused(parts, {"image": "b.png", "at": 0.5, "frame": 8}, {"image": "c.png"})
    assert problems["keyframes[0].at"].message.startswith("is given beside frame")
    assert problems["keyframes[1].at"].message.startswith("is needed")


def test_every_problem_of_every_entry_is_named(parts: Any) -> None:
    """What is no dict, has no picture, an unknown field or another kind of value."""
    problems = refused(parts, "b.png", {"at": 0.5}, at(0.5, image=3), {**at(0.25), "hold": 1})
    assert {field: problem.kind.value for field, problem in problems.items()} == {
        "keyframes[0]": "value",
        "keyframes[1].image": "missing",
        "keyframes[2].image": "value",
        "keyframes[3].hold": "unknown",
    }
    assert "keyframes" in refused(parts, keyframes="b.png@1.5")


def test_a_missing_picture_is_named_beside_a_wrong_moment(parts: Any) -> None:
    """Both are found in one call."""
    problems = refused(parts, at(0.3), at(0.5, "nowhere.png"))
    assert list(problems) == ["keyframes[0].at", "keyframes[1].image"]
    parts.media.add("walk.mp4", MediaKind.VIDEO)
    assert list(refused(parts, at(0.5, "walk.mp4"))) == ["keyframes[0].image"]


def test_a_length_in_seconds_counts(parts: Any) -> None:
    """A video of 2 s has 33 frames, so 3 s is after its end."""
    problems = refused(parts, at(3), model="wan2.1-vace-1.3b", seconds=2)
    assert problems["keyframes[0].at"].nearest == 1.75


def test_a_model_without_them_refuses(parts: Any) -> None:
    """As it does any parameter that it lacks."""
    assert "keyframes" in refused(parts, at(1.0), model="wan2.1-flf2v-14b-720p")


def test_the_record_has_each_picture_by_its_hash(parts: Any) -> None:
    """Stored as the other inputs are, so that a worker and a rerun find it."""
    job = submitted(parts, at(0.25), frame(12, "c.png"))
    entries = job.optional_args["keyframes"]
    assert [(one["image"]["name"], len(one["image"]["sha256"])) for one in entries] == [
        ("b.png", 64),
        ("c.png", 64),
    ]
    request = parts.remote.submitted[-1]
    assert sorted(request.media) == [
        "first_frame",
        "keyframes[0].image",
        "keyframes[1].image",
        "last_frame",
    ]
    assert request.settings["picture_frames"] == [0, 4, 12, 16]
    assert "keyframes" not in request.settings
    restored = Preparation(parts.media, parts.clock).restore(job, request.card)
    assert restored.inputs == request.inputs


def test_a_rerun_has_the_same_pictures(parts: Any) -> None:
    """The references of a recipe are read back, and an override replaces the list."""
    recipe = build_recipe(submitted(parts, at(0.25)), versions={}, facts={})
    call = build_rerun_call(recipe, find_model("doodle"), {})
    again = parts.generation.submit(
        BETWEEN, provider="modal", model="doodle", arguments=call.arguments
    )
    assert again.optional_args["keyframes"] == recipe["optional_args"]["keyframes"]
    other = build_rerun_call(recipe, find_model("doodle"), {"keyframes": [frame(8, "c.png")]})
    assert other.arguments["keyframes"] == [frame(8, "c.png")]


def said(parts: Any, after: str, *keyframes: object, **given: Any) -> list[str]:
    """Return what is said when a call is carried to another model."""
    recipe = build_recipe(submitted(parts, *keyframes, **given), versions={}, facts={})
    return [str(one) for one in build_rerun_call(recipe, find_model(after), {}).changes]


def test_another_model_has_them_at_its_own_moments(parts: Any) -> None:
    """What is after its end is left out and said; what fits stays as it is."""
    vace = "wan2.1-vace-1.3b"
    changes = said(parts, "doodle", at(0.5), at(3.0, "c.png"), model=vace)
    assert changes == [
        "keyframes='3 s' is left out: doodle reads a picture at every 4th frame",
    ]
    assert not said(parts, vace, at(0.5), at(0.75, "c.png"))


def test_a_model_without_them_leaves_them_out(parts: Any) -> None:
    """And says so."""
    assert said(parts, "wan2.1-flf2v-14b-720p", at(0.5)) == [
        "keyframes='1 picture' is left out: wan2.1-flf2v-14b-720p has no such setting"
    ]


def test_a_recipe_of_somebody_else_names_no_file(parts: Any) -> None:
    """A path or an address in a keyframe is refused as one of any input."""
    recipe = build_recipe(submitted(parts, at(0.25)), versions={}, facts={})
    check_inputs(recipe, find_model("doodle"), BETWEEN)
    for source in ("/etc/passwd", "https://example.org/x.png"):
        recipe["optional_args"]["keyframes"] = [at(0.25, source)]
        with pytest.raises(ValidationError) as caught:
            check_inputs(recipe, find_model("doodle"), BETWEEN)
        assert caught.value.problems[0].field == "keyframes[0].image"
        check_inputs(recipe, find_model("doodle"), BETWEEN, replaced={"keyframes"})
    recipe["optional_args"]["keyframes"] = {"0": "/etc/passwd"}
    check_inputs(recipe, find_model("doodle"), BETWEEN)
    call = build_rerun_call(recipe, find_model("doodle"), {})
    with pytest.raises(ValidationError):
        parts.generation.submit(BETWEEN, provider="modal", model="doodle", arguments=call.arguments)


def test_a_line_says_which_picture_is_when(parts: Any) -> None:
    """For people; what has another form has no such line."""
    job = submitted(parts, at(0.5), frame(12, "c.png"))
    assert describe_keyframes(job.optional_args["keyframes"]) == "b.png at 0.5 s, c.png at frame 12"
    for other in ([], None, "b.png", ["b.png"], [{"image": "b.png"}], [{"at": 1}], {"image": {}}):
        assert describe_keyframes(other) is None


FREE = [name for name, card in models().items() if card.takes_last_alone]
FLF2V = "wan2.1-flf2v-14b-720p"


def call(parts: Any, model: str = "doodle", **arguments: Any) -> Any:
    """Return the stored job of a call with these pictures alone."""
    parts.media.add("wide.png", width=1280, height=640)
    for name in ("a.png", "b.png", "z.png"):
        parts.media.add(name, width=64, height=64)
    arguments = {"prompt": "a red circle", **arguments}
    return parts.generation.submit(
        BETWEEN, provider="modal", model=model, arguments=arguments, accepted=[model]
    )


def problems_of(parts: Any, model: str = "doodle", **arguments: Any) -> dict[str, str]:
    """Return what is said of each field of a call that is refused."""
    with pytest.raises(ValidationError) as caught:
        call(parts, model, **arguments)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_the_models_that_need_no_first_picture() -> None:
    """Those whose pipeline takes pictures at any of its places, and one that takes either end."""
    anywhere = {models()[name].engine for name in FREE if models()[name].takes_keyframes}
    assert anywhere == {"wan_vace", "ltx_condition", "ltx2", "ltx2_distilled", "pusa"}
    others = {models()[name].engine for name in FREE} - anywhere
    assert others == {"minimax_h3"}


@pytest.mark.parametrize("model", FREE)
def test_the_last_picture_alone_is_a_call(parts: Any, model: str) -> None:
    """The engine gets no other picture."""
    job = call(parts, model, last_frame="z.png")
    request = parts.remote.submitted[-1]
    count = job.optional_args["num_frames"]
    assert list(request.inputs.frames(count)) == [count - 1]
    assert request.inputs.first_frame is None
    if models()[model].takes_keyframes:
        assert request.settings["picture_frames"] == [count - 1]


@pytest.mark.parametrize("model", [name for name in FREE if models()[name].takes_keyframes])
def test_keyframes_alone_are_a_call(parts: Any, model: str) -> None:
    """The engine gets no other picture."""
    count = call(parts, model, keyframes=[frame(0), frame(8, "z.png")]).optional_args["num_frames"]
    request = parts.remote.submitted[-1]
    assert (request.inputs.first_frame, request.inputs.last_frame) == (None, None)
    assert list(request.inputs.frames(count)) == [0, 8]


def test_without_ends_their_frames_are_free(parts: Any) -> None:
    """Frame 0 and the last one take a keyframe, and so does the nearest of them."""
    call(parts, keyframes=[frame(0), frame(16)])
    said = problems_of(parts, keyframes=[frame(15)])["keyframes[0].frame"]
    assert said == "is frame 15; free for a picture: 0, 4, 8, 12, 16; nearest: 16"


def test_some_picture_is_after_the_first(parts: Any) -> None:
    """With none at all, either is asked for; with the first alone, the other feature is named."""
    for nothing in ({}, {"keyframes": []}):
        assert problems_of(parts, **nothing) == {
            "last_frame, keyframes": "give one of them, or both: neither was given"
        }
    said = problems_of(parts, first_frame="a.png")
    assert said == {
        "last_frame": "is needed, or keyframes; the first picture alone is for image_to_video"
    }
    # One that is refused is not missed as well.
    assert list(problems_of(parts, keyframes=[frame(3)])) == ["keyframes[0].frame"]
    assert list(problems_of(parts, keyframes="b.png@1")) == ["keyframes"]


def test_a_model_that_needs_the_first_names_those_that_do_not(parts: Any) -> None:
    """Once, and with everything else that is wrong."""
    said = problems_of(parts, FLF2V, last_frame="z.png", num_frames=4)
    assert list(said) == ["first_frame", "num_frames"]
    assert all(repr(name) in said["first_frame"] for name in FREE)
    assert set(problems_of(parts, FLF2V)) == {"first_frame", "last_frame"}


def test_the_first_picture_that_is_given_decides_the_size(parts: Any) -> None:
    """The last one where there is no first, a keyframe where there is neither."""
    wide = {"model": "wan2.1-vace-1.3b"}
    for arguments in ({"last_frame": "wide.png"}, {"keyframes": [frame(8, "wide.png")]}):
        made = call(parts, **wide, **arguments).optional_args
        assert made["width"] > 1.5 * made["height"], arguments
    job = call(parts, **wide, last_frame="wide.png", keyframes=[frame(8)])
    (note,) = job.facts["size_notes"]
    assert note.startswith("keyframes[0].image: 5")


def test_a_loop_begins_with_the_end_that_is_given(parts: Any) -> None:
    """Whichever it is; a loop of keyframes alone has none to begin and end with."""
    for end in ("first_frame", "last_frame"):
        call(parts, loop=True, **{end: "a.png"})
        inputs = parts.remote.submitted[-1].inputs
        assert (inputs.first_frame.name, inputs.last_frame.name) == ("a.png", "a.png")
    assert list(problems_of(parts, loop=True, keyframes=[frame(8)])) == ["first_frame"]
    assert list(problems_of(parts, loop=True)) == ["first_frame"]


def test_a_rerun_needs_no_first_picture_either(parts: Any) -> None:
    """From the recipe of one; a model that needs it says so."""
    recipe = build_recipe(call(parts, last_frame="z.png"), versions={}, facts={})
    assert "first_frame" not in {**recipe["required_args"], **recipe["optional_args"]}
    again = build_rerun_call(recipe, find_model("wan2.1-vace-1.3b"), {}).arguments
    assert again["last_frame"]["name"] == "z.png"
    call(parts, "wan2.1-vace-1.3b", **{k: v for k, v in again.items() if k != "prompt"})
    other = build_rerun_call(recipe, find_model(FLF2V), {}).arguments
    said = problems_of(parts, FLF2V, **{k: v for k, v in other.items() if k != "prompt"})
    assert list(said) == ["first_frame"]


def test_an_old_call_is_as_it_was(parts: Any) -> None:
    """Both ends in required_args, and schemas of models that need them."""
    job = submitted(parts)
    assert job.arguments["first_frame"]["name"] == "a.png"
    schema = find_model(FLF2V).schema(BETWEEN).to_dict()
    assert list(schema["required"]) == ["prompt", "first_frame", "last_frame"]


@pytest.mark.parametrize(
    "word", ["key_frames", "keyframe", "frames_at", "waypoints", "middle_frame", "conditions"]
)
def test_what_others_call_keyframes(parts: Any, word: str) -> None:
    """The name of ours is offered, also for the fields of an entry."""
    with pytest.raises(ValidationError) as caught:
        submitted(parts, **{word: []})
    (problem,) = caught.value.problems
    assert problem.nearest == "keyframes"
    said = problems_of(parts, keyframes=[{"picture": "b.png", "time": 0.5, "frame_index": 3}])
    assert "'image'" in said["keyframes[0].picture"]
    assert "'at'" in said["keyframes[0].time"]
    assert "'frame'" in said["keyframes[0].frame_index"]
