"""An input that a model does not take: the error says what it takes, and which models take it."""

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.requests.lacking_inputs import explain_lacking_inputs

POSE, BETWEEN, WORDS = Feature.POSE_GUIDANCE, Feature.INTERPOLATE, Feature.TEXT_TO_VIDEO


@pytest.mark.parametrize(
    ("model", "given", "taken", "able"),
    [
        ("wan2.1-vace-1.3b", "background_video", "pose_video", {"wan2.2-animate-14b"}),
        ("wan2.2-animate-2-14b", "pose_video", "guiding_video", {"doodle", "wan2.1-vace-14b"}),
        ("doodle", "mask_video", "guiding_video", {"wan2.2-animate-14b"}),
        ("doodle", "control", "guiding_video", {"ltx-2", "ltx-2.3", "ltx-2.3-distilled"}),
        ("wan2.2-animate-14b", "control_video", "mask_video", {"ltx-2"}),
    ],
)
def test_the_error_names_the_inputs_and_the_models(model, given, taken, able):
    """Those of the model, and all that take the one that was given, and no other one."""
    (problem,) = explain_lacking_inputs(models()[model], POSE, {given: "clip.mp4"})
    says, _, named = problem.message.partition("; models that take it: ")
    assert problem.field == given
    assert model in says
    assert repr(taken) in says
    takers = {card.name for card in models().values() if _takes(card, given)}
    assert {name.strip("'") for name in named.split(", ")} == takers
    assert able <= takers


def _takes(card, name):
    return POSE in card.features and name in card.schema(POSE)


@pytest.mark.parametrize(
    ("given", "meant"), [("masks", "mask_video"), ("background", "background_video")]
)
def test_a_word_of_other_tools_is_answered_with_our_name(given, meant):
    """Only where the model has no such input; one that has it is asked whether it is meant."""
    (problem,) = explain_lacking_inputs(models()["doodle"], POSE, {given: "clip.mp4"})
    assert problem.message.startswith(f"{meant!r} is no input of pose_guidance with doodle")
    assert explain_lacking_inputs(models()["wan2.2-animate-14b"], POSE, {given: "x"}) == []


def test_an_input_of_other_features_names_those():
    """A picture for words alone."""
    (problem,) = explain_lacking_inputs(models()["doodle"], WORDS, {"image": "a.png"})
    assert "which takes words alone" in problem.message
    assert "features that take it: image_to_video, pose_guidance" in problem.message


@pytest.mark.parametrize("name", ["flow_shift", "sampler", "negativ_prompt", "image"])
def test_what_is_no_lacking_input_is_left_to_the_schema(name):
    """Settings, nonsense, slips of a model's own names, and what it takes."""
    assert explain_lacking_inputs(models()["doodle"], POSE, {name: 1}) == []


def test_a_call_reports_each_lacking_input_once(parts):
    """Together with what is missing, and without the list of all parameters."""
    image = INPUTS[POSE][1].name
    given = {"prompt": "a fox", image: b"picture", "pose_video": b"skeletons"}
    with pytest.raises(ValidationError) as caught:
        parts.generation.plan(POSE, provider="modal", model="wan2.2-animate-2-14b", arguments=given)
    fields = [problem.field for problem in caught.value.problems]
    assert sorted(fields) == ["guiding_video", "pose_video"]
    assert "known:" not in str(caught.value)
