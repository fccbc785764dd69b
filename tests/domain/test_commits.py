"""The commits of the repositories that a model is made of, and other ones for a call."""

from dataclasses import replace

import pytest

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature

OTHER = "a" * 40


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("wan2.2-ti2v-5b", 1),
        ("framepack-i2v-hy", 3),  # its parts
        ("pusa-v1", 2),  # its LoRA
        ("wan2.1-t2v-14b", 2),  # the few-step weights
        ("doodle", 0),
    ],
)
def test_every_repository_of_a_model_can_be_had_at_another_commit(name, count):
    """Whatever it is made of, the card of the call says the commit, and the model's card stays."""
    card = find_model(name)
    assert len(card.repositories) == count
    for repository in card.repositories:
        at = card.at({repository: OTHER})
        assert at.repositories == {**card.repositories, repository: OTHER}
        assert OTHER not in card.repositories.values()
        assert replace(at, **{k: getattr(card, k) for k in FROM_HUB}) == card
    assert card.at({}) is card


FROM_HUB = ("revision", "parts", "loras", "turbo")


def test_only_the_repositories_of_the_model_can_be_named():
    """Another name is refused with those that are; a model that comes with tiomagic has none."""
    card = find_model("framepack-i2v-hy")
    schema = card.schema(Feature.IMAGE_TO_VIDEO)
    inputs = {"prompt": "a fox", "image": "fox.png"}
    given = {"lllyasviel/FramePackI2V_HY": OTHER}
    assert schema.validate({**inputs, "revisions": given})["revisions"] == given
    with pytest.raises(ValidationError, match=r"no field 'a/b'.*lllyasviel/FramePackI2V_HY"):
        schema.validate({**inputs, "revisions": {"a/b": OTHER}})
    with pytest.raises(ValidationError, match="must be a commit"):
        schema.validate({**inputs, "revisions": {"lllyasviel/FramePackI2V_HY": " "}})
    for other in models().values():
        for wanted in other.features.values():
            assert ("revisions" in wanted) == bool(other.repositories)
