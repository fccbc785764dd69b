"""Every model, on a tiny pipeline: what its schema takes is what it makes, at both ends."""

import pytest
from tests.catalogue import extremes
from tests.catalogue.extremes import CARDS, CASES, FEW_STEPS, name_of
from tests.catalogue.stage import request_for
from tests.tiny import TINY


def test_every_model_has_a_tiny_pipeline_and_every_tiny_pipeline_a_model():
    """A model without one would be a model that nobody has run."""
    assert {card.name for card in CARDS} == set(TINY)


@pytest.fixture(scope="module")
def seen():
    """Calls that were made (see ``TinyRuntime.call``), and schedulers that took many steps."""
    return set()


@pytest.mark.parametrize(("card", "feature"), CASES, ids=name_of)
def test_it_makes_what_was_asked(card, feature, wardrobe, studio, seen):
    """The tallest call, the widest and the longest run, at both ends of all other limits.

    In each of them what costs time is as small as can be but for what it is named by. The most
    steps are tried once with each scheduler, which is all that they are a matter of. Each call
    gives exactly the frames, the size and the rate that were asked for, and no library warns of
    anything that it did instead.
    """
    for number, (name, settings) in enumerate(extremes.large_calls(card.schema(feature))):
        steps = settings.get("num_inference_steps", 0)
        if steps > FEW_STEPS and (wardrobe.scheduler_of(card), steps) in seen:
            settings["num_inference_steps"] = FEW_STEPS
        request = request_for(card, feature, settings, studio)
        call = wardrobe.call(request, size_alone=number > 0)
        if call in seen:
            continue
        clip, warnings = wardrobe.run(request)
        asked = request.settings
        assert clip.frames.shape == (asked["num_frames"], asked["height"], asked["width"], 3), name
        assert clip.fps == asked["fps"], name
        assert warnings == [], name
        seen |= {call, (wardrobe.scheduler_of(card), steps)}
