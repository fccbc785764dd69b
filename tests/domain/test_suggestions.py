"""Did-you-mean, and values in error texts."""

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.suggestions import (
    SYNONYMS,
    closest,
    did_you_mean,
    list_names,
    shorten_repr,
)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("num_steps", "num_inference_steps"),
        ("PROMPT", "prompt"),
        ("negativ_prompt", "negative_prompt"),
        ("xyz", None),
        (7, None),
    ],
)
def test_the_name_that_was_meant_is_found(given, meant):
    """A slip of a few letters or of the case finds the name; nonsense finds none."""
    known = ["num_inference_steps", "prompt", "negative_prompt", "seed"]
    assert closest(given, known) == meant
    assert did_you_mean(given, known) == (f" Did you mean {meant!r}?" if meant else "")


def test_names_are_listed_in_order():
    """Lists in messages are sorted and quoted, and an empty one is said."""
    assert list_names(["b", "a"]) == "'a', 'b'"
    assert list_names([]) == "none"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        pytest.param(b"\x00" * 5_000_000, "5,000,000 bytes", id="picture"),
        (bytearray(3), "3 bytes"),
        pytest.param(10**5000, "int that is too long to be shown", id="huge"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_is_told_briefly(value, text):
    """What was given is shown, and what is too long for a sentence is not."""
    assert shorten_repr(value) == text


def test_a_long_text_is_cut():
    """A text is cut to the limit and marked."""
    told = shorten_repr("a" * 10_000)
    assert len(told) == 80
    assert told.endswith("…")


T2V = ["prompt", "num_frames", "num_inference_steps", "guidance_scale", "flow_shift", "seed", "fps"]
T2V += ["negative_prompt", "width", "height", "memory", "acceleration", "loras", "revisions"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *(("duration", "num_frames"), ("seconds", "num_frames"), ("length", "num_frames")),
        *(("steps", "num_inference_steps"), ("stepps", "num_inference_steps")),
        *(("resolution", "width"), ("size", "width"), ("aspect_ratio", "width")),
        *(("generator", "seed"), ("cfg", "guidance_scale"), ("guidance", "guidance_scale")),
        *(("frame_rate", "fps"), ("negative", "negative_prompt"), ("Num-Frames", "num_frames")),
        *(("lora", "loras"), ("teacache", "acceleration"), ("sample_shift", "flow_shift")),
        *(("input_image", None), ("strength", None), ("sampler", None), ("scheduler", None)),
    ],
)
def test_the_words_of_other_tools_are_known(given, meant):
    """What a call cannot take is answered with nothing, and never with a far-fetched name."""
    assert closest(given, T2V) == meant


def test_the_first_name_that_a_call_has_is_meant():
    """A picture to start from is an image or a first frame, and a length may be in seconds."""
    assert closest("start_image", ["first_frame", "last_frame"]) == "first_frame"
    assert closest("end_image", ["first_frame", "last_frame"]) == "last_frame"
    assert closest("duration", [*T2V, "seconds"]) == "seconds"
    assert closest("aspect_ratio", [*T2V, "aspect"]) == "aspect"
    assert closest("video", ["guiding_video", "pose_video"]) == "guiding_video"


MODELS = ["cogvideox-2b", "doodle", "hunyuanvideo-1.5", "ltx-video", "wan2.1-t2v-1.3b"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("veo-2", None), ("sora", None), ("doodel", "doodle"), ("wan-1.3b", "wan2.1-t2v-1.3b")],
)
def test_a_model_of_somebody_else_is_none_of_ours(given, meant):
    """Two letters in common are no likeness; all parts of a name are."""
    assert closest(given, MODELS) == meant


def test_every_synonym_leads_to_a_name_that_exists():
    """A parameter of a model or a call, a feature, or a setting: no word leads nowhere."""
    taken = [p for card in models().values() for s in card.features.values() for p in s.parameters]
    names = {one.name for parameter in taken for one in (parameter, *parameter.fields)}
    names |= {feature.value for feature in Feature} | {"seconds", "aspect", "resolution"}
    names |= {"weights_dir", "output_dir"}
    targets = {name for found in SYNONYMS.values() for name in found}
    assert targets - names == set()
