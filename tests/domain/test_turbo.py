"""Few steps: which models have them, what they set, and what is said where there are none."""

from __future__ import annotations

from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model, models, shipped_engines
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.carrying import guess_choices
from tiomagic_domain.requests.defaults import apply_few_step_settings
from tiomagic_domain.requests.rerun import drop_other_settings

MODEL = "wan2.1-vace-14b"
CARD = find_model(MODEL)
SCHEMA = CARD.schema(Feature.TEXT_TO_VIDEO)
NAMES = ("num_inference_steps", "guidance_scale", "flow_shift")
TURBO, EXACT = (4, 1.0, 5.0), (50, 5.0, 16.0)


def settled(**arguments: Any) -> dict[str, Any]:
    """Return the values of a call."""
    return SCHEMA.validate(apply_few_step_settings(CARD.turbo, {"prompt": "a fox", **arguments}))


def chosen(values: dict[str, Any]) -> tuple[Any, ...]:
    """Return steps, guidance and shift."""
    return tuple(values[name] for name in NAMES)


@pytest.mark.parametrize("asked", ["turbo", {"few_steps": True}])
def test_a_call_gets_the_settings_of_the_weights(asked: object) -> None:
    """By the word and by the object; other calls have the model's own."""
    assert chosen(settled(acceleration=asked)) == TURBO
    for other in ("exact", "fast", {"few_steps": False}, {}):
        assert chosen(settled(acceleration=other)) == EXACT


def test_what_a_call_says_stands() -> None:
    """Eight steps are eight steps."""
    values = settled(acceleration="turbo", num_inference_steps=8)
    assert chosen(values) == (8, 1.0, 5.0)


def test_those_who_have_them_are_named_to_those_who_ask_another() -> None:
    """The list is the catalogue's, and a model made from another one does not inherit them."""
    few = {card.name for card in models().values() if card.turbo}
    assert {"wan2.1-t2v-14b", "wan2.2-vace-fun-a14b"} <= few
    for card in models().values():
        if card.engine not in shipped_engines():
            continue  # A vendor runs it.
        for feature, schema in card.features.items():
            offered = "turbo" in schema["acceleration"].choices
            assert offered == (card.turbo is not None), (card.name, feature)
    schema = find_model("wan2.1-t2v-1.3b").schema(Feature.TEXT_TO_VIDEO)
    with pytest.raises(ValidationError) as caught:
        schema.validate({"prompt": "a fox", "acceleration": "turbo"})
    said = str(caught.value).partition("These have: ")[2].partition(". Models")[0]
    assert set(said.split(", ")) == few


def test_the_settings_are_legal_and_the_weights_are_safe() -> None:
    """Each setting is one of the model's and passes its check; no file is pickled."""
    for card in models().values():
        if card.turbo is None:
            continue
        for schema in card.features.values():
            for name, value in card.turbo.settings.items():
                assert schema[name].check(value) == value
        for lora in card.turbo.loras:
            assert lora.weight_name is not None
            assert lora.weight_name.endswith(".safetensors")
    experts = find_model("wan2.2-t2v-a14b").turbo
    assert experts is not None
    assert [lora.component for lora in experts.loras] == ["transformer", "transformer_2"]
    assert experts.settings["guidance_scale_2"] == 1.0


class TestAgain:
    """A record has every setting; what nobody chose does not outlive the change of the word."""

    def again(self, first: dict[str, Any], **overrides: Any) -> tuple[Any, ...]:
        """Return steps, guidance and shift of a call that repeats another one with changes."""
        guessed = guess_choices(first, Feature.TEXT_TO_VIDEO, CARD)
        kept = drop_other_settings(CARD.turbo, first, guessed, overrides) | overrides
        return chosen(SCHEMA.validate(apply_few_step_settings(CARD.turbo, kept)))

    def test_there_and_back(self) -> None:
        """To few steps and away from them."""
        assert self.again(settled(), acceleration="turbo") == TURBO
        assert self.again(settled(acceleration="turbo"), acceleration="exact") == EXACT

    def test_what_was_chosen_is_kept(self) -> None:
        """In the first call, and in the change."""
        first = settled(num_inference_steps=20, acceleration="exact")
        assert self.again(first, acceleration="turbo") == (20, 1.0, 5.0)
        assert self.again(first, acceleration="turbo", flow_shift=3.0) == (20, 1.0, 3.0)

    def test_without_the_change_all_is_kept(self) -> None:
        """Another seed is another seed and nothing else."""
        assert self.again(settled(acceleration="turbo"), seed=1) == TURBO
        assert self.again(settled(), acceleration="fast") == EXACT
