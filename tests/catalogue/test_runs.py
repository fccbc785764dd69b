"""Every model, on a tiny pipeline: what its schema takes is what it makes, at both ends."""

import pytest
from tests.catalogue import extremes
from tests.catalogue.extremes import CASES, name_of
from tests.catalogue.stage import request_for
from tests.tiny import TINY

from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import models


def test_every_model_has_a_tiny_pipeline_and_every_tiny_pipeline_a_model():
    """A model without one would be a model that nobody has run."""
    assert set(models()) == set(TINY)


@pytest.fixture(scope="module")
def seen():
    """Calls that were made: see ``Wardrobe.call``."""
    return set()


@pytest.mark.parametrize(("card", "feature"), CASES, ids=name_of)
def test_it_makes_what_was_asked(card, feature, wardrobe, studio, seen):
    """The tallest call, the widest, the longest and the one with most steps run.

    In each of them all else is as small as can be; the call that is small in everything is made by
    ``test_modal``. Each gives exactly the frames, the size and the rate that were asked for, and no
    library warns of anything that it did instead.
    """
    assert "modal" in providers_of(card), "nobody makes its smallest call"
    for number, (name, settings) in enumerate(extremes.large_calls(card.schema(feature))):
        request = request_for(card, feature, settings, studio)
        call = wardrobe.call(request, size_alone=number > 0)
        if call in seen:
            continue
        clip, warnings = wardrobe.run(request)
        asked = request.settings
        assert clip.frames.shape == (asked["num_frames"], asked["height"], asked["width"], 3), name
        assert clip.fps == asked["fps"], name
        assert warnings == [], name
        seen.add(call)
