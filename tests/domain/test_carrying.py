"""What the user chose is kept apart from defaults, and is carried over to another model."""

from dataclasses import replace
from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.families.doodle import SIDE
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.recipe import build_recipe, read_recipe
from tiomagic_domain.media import MediaKind
from tiomagic_domain.requests.rerun import build_rerun_call

T2V, I2V, POSE = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.POSE_GUIDANCE


def recorded(parts: Any, model: str, feature: Feature = T2V, **given: Any) -> dict[str, Any]:
    """Return the recipe of a job with these arguments."""
    parts.media.add("fox.png", width=1000, height=500)
    parts.media.add("bones.mp4", MediaKind.VIDEO)
    job = parts.generation.submit(
        feature, provider="modal", model=model, arguments={"prompt": "a red circle", **given}
    )
    return build_recipe(job, versions={}, facts={})


def without_choices(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe as a version without choices wrote it."""
    return {name: value for name, value in recipe.items() if name != "chosen"}


def carried(recipe: dict[str, Any], model: str, **overrides: Any) -> dict[str, Any]:
    """Return the arguments of the same call on another model."""
    return dict(build_rerun_call(recipe, find_model(model), overrides).arguments)


def said(recipe: dict[str, Any], model: str, **overrides: Any) -> list[str]:
    """Return what is said about choices that another model does not take."""
    return [str(one) for one in build_rerun_call(recipe, find_model(model), overrides).changes]


def test_a_job_knows_what_was_chosen(parts: Any) -> None:
    """Not the defaults, the drawn seed, the size from the picture, or few-step settings."""
    recipe = recorded(
        parts, "wan2.1-i2v-14b-480p", I2V, image="fox.png", acceleration="turbo", flow_shift=4
    )
    assert recipe["chosen"] == {
        "names": ["prompt", "image", "acceleration", "flow_shift"],
        "sizes": {},
    }
    assert {"seed", "width", "num_inference_steps"} <= set(recipe["optional_args"])


def test_an_old_name_is_chosen_under_its_new_one(parts: Any) -> None:
    """A parameter of 1.0.0 that is translated counts under the name that it has here."""
    recipe = recorded(parts, "cogvideox-2b", negative_prompt="blur", max_sequence_length=226)
    assert recipe["chosen"]["names"] == ["prompt", "negative_prompt"]


@pytest.mark.parametrize("model", ["wan2.1-vace-14b", "ltx-2", "cogvideox-2b"])
@pytest.mark.parametrize("old", [False, True])
def test_a_draft_is_finished_on_a_large_model(parts: Any, model: str, old: bool) -> None:
    """Doodle's size, length and steps are not asked of another model: prompt and seed are."""
    recipe = recorded(parts, "doodle", seed=7)
    recipe = without_choices(recipe) if old else recipe
    assert carried(recipe, model) == {"prompt": "a red circle", "seed": 7}
    assert said(recipe, model) == []


def test_the_same_model_gets_every_setting(parts: Any) -> None:
    """A rerun is exact, and what was chosen stays what was chosen."""
    recipe = recorded(parts, "doodle", flow_shift=4.0)
    call = build_rerun_call(recipe, find_model("doodle"), {})
    assert call.arguments == recipe["required_args"] | recipe["optional_args"]
    assert call.chosen == Choices(names=("prompt", "flow_shift"))
    again = parts.generation.rerun(recipe, overrides={"guidance_scale": 3.0, "flow_shift": None})
    assert again.chosen == Choices(names=("prompt", "guidance_scale"))


@pytest.mark.parametrize("old", [False, True])
def test_chosen_values_go_along_and_others_are_said(parts: Any, old: bool) -> None:
    """Steps and negative prompt exist everywhere; LTX-2 has no flow shift."""
    recipe = recorded(parts, "doodle", num_inference_steps=8, flow_shift=4.0, negative_prompt="x")
    recipe = without_choices(recipe) if old else recipe
    seed = recipe["optional_args"]["seed"]
    assert carried(recipe, "ltx-2") == {
        "prompt": "a red circle",
        "seed": seed,
        "num_inference_steps": 8,
        "negative_prompt": "x",
    }
    assert said(recipe, "ltx-2") == ["flow_shift=4.0 is left out: ltx-2 has no such setting"]
    assert said(recipe, "ltx-2", flow_shift=None) == []


def test_a_default_that_was_given_is_chosen(parts: Any) -> None:
    """Who writes guidance_scale=2.5 means it, also where another model has 5."""
    recipe = recorded(parts, "doodle", guidance_scale=2.5)
    assert carried(recipe, "wan2.1-vace-14b")["guidance_scale"] == 2.5
    assert "guidance_scale" not in carried(without_choices(recipe), "wan2.1-vace-14b")


def test_the_only_value_of_a_model_was_no_choice(parts: Any) -> None:
    """Doodle makes one size: they are not asked of a model that makes 832."""
    recipe = recorded(parts, "doodle", width=SIDE, num_frames=17)
    seed = recipe["optional_args"]["seed"]
    assert carried(recipe, "wan2.1-t2v-14b") == {"prompt": "a red circle", "seed": seed}
    assert said(recipe, "wan2.1-t2v-14b")[0] == (
        f"width={SIDE} is left out: doodle makes nothing else, "
        "so it says nothing about wan2.1-t2v-14b"
    )


def test_what_is_illegal_becomes_the_nearest_value(parts: Any) -> None:
    """Numbers are rounded as for a call by hand, a size as a whole, and each is said."""
    recipe = recorded(parts, "wan2.1-t2v-14b", num_frames=81, width=1280, height=720)
    assert carried(recipe, "ltx-2")["num_frames"] == 81
    assert carried(recipe, "cogvideox-2b") | {"seed": 0} == {
        "prompt": "a red circle",
        "num_frames": 49,
        "width": 704,
        "height": 400,
        "seed": 0,
    }
    assert said(recipe, "cogvideox-2b") == [
        "num_frames=81 becomes 49: cogvideox-2b: must be of the form 8k+1 between 9 and 49, not 81",
        (
            "width, height='1280x720' becomes '704x400': cogvideox-2b: must be a multiple of 16 "
            "between 16 and 720, not 1280"
        ),
    ]
    tall = recorded(parts, "wan2.1-t2v-14b", width=720, height=1280)
    shape = carried(tall, "cogvideox-2b")
    assert (shape["width"], shape["height"]) == (400, 720)
    one = recorded(parts, "wan2.1-t2v-14b", width=1280)
    assert said(one, "cogvideox-2b")[0].startswith("width='1280' becomes '720': cogvideox-2b: must")
    large = recorded(parts, "ltx-2", width=1536, height=1024)
    assert carried(large, "skyreels-v2-t2v-14b-540p") | {"seed": 0} == {
        "prompt": "a red circle",
        "width": 880,
        "height": 592,
        "seed": 0,
    }


def test_words_have_no_nearest_one(parts: Any) -> None:
    """A model without few-step weights leaves turbo out, and makes its own steps."""
    recipe = recorded(parts, "wan2.1-t2v-14b", acceleration="turbo")
    assert "acceleration" not in carried(recipe, "wan2.1-t2v-1.3b")
    assert said(recipe, "wan2.1-t2v-1.3b")[0].startswith("acceleration='turbo' is left out")
    other = parts.generation.rerun(recipe, overrides={}, model="wan2.1-vace-14b")
    assert other.arguments["num_inference_steps"] == 4
    assert other.arguments["acceleration"] == "turbo"


def test_weights_stay_with_their_model(parts: Any) -> None:
    """A LoRA of one model is left out on another, and that is said."""
    recipe = recorded(parts, "wan2.1-t2v-14b", loras=[{"source": "owner/name"}])
    assert "loras" not in carried(recipe, "wan2.1-vace-14b")
    assert said(recipe, "wan2.1-vace-14b") == [
        "loras=[{'source': 'owner/name', 'scale': 1.0,… is left out: weights are for one model only"
    ]


@pytest.mark.parametrize("old", [False, True])
def test_pictures_and_videos_go_along(parts: Any, old: bool) -> None:
    """The inputs are the same files, and the other model makes its own size of them."""
    recipe = recorded(parts, "doodle", POSE, image="fox.png", pose_video="bones.mp4", seed=3)
    recipe = without_choices(recipe) if old else recipe
    arguments = carried(recipe, "wan2.1-vace-14b")
    assert set(arguments) == {"prompt", "image", "pose_video", "seed"}
    assert arguments["pose_video"] == recipe["optional_args"]["pose_video"]
    job = parts.generation.rerun(recipe, overrides={}, model="wan2.1-vace-14b")
    assert (job.arguments["width"], job.arguments["height"]) == (864, 432)


def test_rules_between_values_hold(parts: Any) -> None:
    """A guidance of 1 that turns it off in one expert turns it off in the other."""
    recipe = recorded(parts, "wan2.1-t2v-14b", guidance_scale=1.0)
    assert carried(recipe, "wan2.2-t2v-a14b")["guidance_scale_2"] == 1.0
    parts.generation.rerun(recipe, overrides={}, model="wan2.2-t2v-a14b")


def test_the_new_job_says_what_it_did_not_take(parts: Any) -> None:
    """The record has it, for every surface."""
    recipe = recorded(parts, "doodle", flow_shift=4.0)
    job = parts.generation.rerun(recipe, overrides={}, model="ltx-2")
    assert job.facts["changed_choices"] == [
        {
            "name": "flow_shift",
            "given": 4.0,
            "used": None,
            "reason": "ltx-2 has no such setting",
        }
    ]
    assert job.chosen == Choices(names=("prompt",))


def test_a_model_that_is_gone_gives_what_fits(parts: Any) -> None:
    """Without the first model's defaults every value that the other one takes may be a choice."""
    recipe = {**without_choices(recorded(parts, "doodle", seed=1)), "model": "gone"}
    assert carried(recipe, "wan2.1-vace-14b")["num_frames"] == 17
    chosen = {**recipe, "chosen": {"names": ["prompt", "flow_shift"], "sizes": {}}}
    assert set(carried(chosen, "wan2.1-vace-14b")) == {"prompt", "seed", "flow_shift"}


@pytest.mark.parametrize(
    "chosen",
    [
        [],
        {},
        {"names": "prompt", "sizes": {}},
        {"names": [1], "sizes": {}},
        {"names": [], "sizes": {"image": "/etc/passwd"}},
        {"names": [], "sizes": {"seconds": [3]}},
        {"names": [], "sizes": {"seconds": float("inf")}},
        {"names": ["x" * 201], "sizes": {}},
        {"names": ["a"] * 201, "sizes": {}},
    ],
)
def test_choices_that_nobody_wrote_are_refused(parts: Any, chosen: object) -> None:
    """A recipe may come from anybody: no value passes the checks by this way."""
    recipe = {**recorded(parts, "doodle"), "chosen": chosen}
    with pytest.raises(ValidationError, match="chosen"):
        read_recipe(recipe)


@pytest.mark.parametrize("side", ["wide", 0, -5, True, 1.5, 10**400, None, []])
def test_a_picture_of_no_size_decides_none(parts: Any, side: object) -> None:
    """A reference from anybody's file is no reason to fail."""
    recipe = without_choices(recorded(parts, "wan2.1-i2v-14b-480p", I2V, image="fox.png"))
    picture = {**recipe["required_args"]["image"], "width": side}
    recipe = {**recipe, "required_args": {**recipe["required_args"], "image": picture}}
    assert carried(recipe, "wan2.2-i2v-a14b")["image"] == picture


def test_a_job_without_choices_is_one_of_before(parts: Any) -> None:
    """Its recipe has none either."""
    job = parts.generation.submit(
        T2V, provider="modal", model="doodle", arguments={"prompt": "a red circle"}
    )
    old = replace(job, chosen=None)
    assert "chosen" not in build_recipe(old, versions={}, facts={})
    assert old.to_dict()["chosen"] is None
