"""What goes from one form to the next: what somebody chose, and no model's defaults."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.every import for_each

from tiomagic import TioMagic
from tiomagic.ui.choosing import FormChooser, FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.fields import Field, entries_of, resting_entries
from tiomagic.ui.form.shapes import lengths_of, shapes_of
from tiomagic.ui.models.samples import SAMPLE_FILES, samples_of
from tiomagic.ui.web.uploads import FormFile
from tiomagic.wiring.provider_names import BUILT_IN_PROVIDERS
from tiomagic.wiring.session import Session
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import INPUTS, Feature

WAN = "wan2.1-t2v-1.3b"


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[PageController]:
    """The use cases of a page over an empty store."""
    with closing(TioMagic(working_dir=tmp_path)) as tm:
        yield PageController(tm.session)


@pytest.fixture
def desk(controller: PageController) -> FormChooser:
    """What its forms are about."""
    return controller.chooser


def draft(model: str, **values: Any) -> str:
    """What a browser has kept of the form of a model."""
    choice = {"provider": "local", "feature": "text_to_video", "model": model}
    return json.dumps({"choice": choice, "values": values})


def field(desk: FormChooser, choice: FormState, name: str) -> Field:
    """A field of a form."""
    return next(one for one in desk.fields(choice) if one.name == name)


def default_of(desk: FormChooser, model: str, name: str = "negative_prompt") -> Any:
    """What a model has when nobody chooses."""
    return field(desk, desk.choose("local", "text_to_video", model), name).default


@pytest.mark.parametrize("model", ["doodle", "ltx-2", "cogvideox-2b"])
def test_the_default_of_a_model_goes_to_no_other(desk: FormChooser, model: str) -> None:
    """Even from a draft that holds it: the next form has its own, and sends nothing."""
    kept = draft(WAN, prompt="a fox", negative_prompt=default_of(desk, WAN))
    choice, left_out = desk.switch("local", "text_to_video", model, kept)
    assert choice["values"] == {"prompt": "a fox"}
    assert left_out == []
    box = field(desk, choice, "negative_prompt")
    assert box.value == box.default == default_of(desk, model)


def test_what_was_typed_goes_along(desk: FormChooser) -> None:
    """A negative prompt of one's own, and one that was emptied."""
    for typed in ("rain", ""):
        kept = draft(WAN, negative_prompt=typed)
        choice, _ = desk.switch("local", "text_to_video", "ltx-2", kept)
        assert field(desk, choice, "negative_prompt").value == typed


def test_settings_go_along_where_the_other_model_takes_them(desk: FormChooser) -> None:
    """A size becomes the nearest legal one; what is left out is said in the words of the page."""
    kept = draft(WAN, num_inference_steps=20, flow_shift=4.0, width=464, height=832)
    choice, left_out = desk.switch("local", "text_to_video", "ltx-2", kept)
    assert choice["values"]["num_inference_steps"] == 20
    assert choice["values"]["width"] % 32 == choice["values"]["height"] % 32 == 0
    assert "flow_shift" not in choice["values"]
    assert any("Flow shift" in line and "flow_shift" not in line for line in left_out)


def kept_by_the_browser(desk: FormChooser, choice: FormState, **changed: Any) -> str:
    """What a browser keeps of a form that was changed, or only looked at."""
    chosen = {
        name: value
        for one in desk.fields(choice)
        for name, value, resting in zip(one.entries, one.initial, one.resting, strict=True)
        if value != resting
    }
    values = {name: value for name, value in (chosen | changed).items() if value is not None}
    return json.dumps({"choice": {**choice, "values": {}}, "values": values})


def sizes_of(desk: FormChooser, choice: FormState) -> list[Any]:
    """Width, height and frames that a form shows."""
    return [field(desk, choice, name).value for name in ("width", "height", "num_frames")]


OTHERS = ["doodle", "ltx-2", "cogvideox-2b", "hunyuanvideo-1.5"]


def test_looking_at_other_models_changes_nothing(desk: FormChooser) -> None:
    """1:1 and 3 s of Wan are 624 pixels and 49 frames again, whatever other models made of them.

    So is a setting that they lack. Reloads between do not matter.
    """
    choice = desk.choose("local", "text_to_video", WAN)
    for shape in ("1:1", "3s"):
        choice = desk.fill_shape(choice, kept_by_the_browser(desk, choice), shape)
    kept = kept_by_the_browser(desk, choice, flow_shift=4.0, num_inference_steps=20)
    for other in OTHERS:
        for name in (other, WAN):
            choice, _ = desk.switch("local", "text_to_video", name, kept)
            kept = kept_by_the_browser(desk, desk.restore_draft(kept_by_the_browser(desk, choice)))
        assert sizes_of(desk, choice) == [624, 624, 49], other
        assert field(desk, choice, "flow_shift").value == 4.0, other
        assert field(desk, choice, "num_inference_steps").value == 20, other


def test_a_length_is_fitted_to_the_frames_a_second_of_each_model(desk: FormChooser) -> None:
    """3 s are 49 frames at 16 a second, and 73 at 24: not the same frames."""
    choice = desk.fill_shape(desk.choose("local", "text_to_video", WAN), draft(WAN), "3s")
    choice, _ = desk.switch("local", "text_to_video", "ltx-2", kept_by_the_browser(desk, choice))
    assert field(desk, choice, "num_frames").value == 73


def test_what_is_changed_on_the_way_is_a_new_choice(desk: FormChooser) -> None:
    """Another width in the second form counts in the third, and in the first again."""
    choice = desk.fill_shape(desk.choose("local", "text_to_video", WAN), draft(WAN), "1:1")
    choice, _ = desk.switch("local", "text_to_video", "ltx-2", kept_by_the_browser(desk, choice))
    kept = kept_by_the_browser(desk, choice, width=1024, height=576)
    choice, _ = desk.switch("local", "text_to_video", WAN, kept)
    width, height, _ = sizes_of(desk, choice)
    assert (width, height) == (1024, 576)
    choice, _ = desk.switch("local", "text_to_video", "ltx-2", kept_by_the_browser(desk, choice))
    assert sizes_of(desk, choice)[:2] == [1024, 576]


def test_a_size_that_is_taken_back_stays_away(desk: FormChooser) -> None:
    """Back on the first model the usual size stands there, not the choice of before."""
    choice = desk.fill_shape(desk.choose("local", "text_to_video", WAN), draft(WAN), "1:1")
    choice, _ = desk.switch("local", "text_to_video", "ltx-2", kept_by_the_browser(desk, choice))
    choice = desk.fill_shape(choice, kept_by_the_browser(desk, choice), "own")
    choice, _ = desk.switch("local", "text_to_video", WAN, kept_by_the_browser(desk, choice))
    assert sizes_of(desk, choice)[:2] == [832, 480]


@pytest.mark.parametrize(
    "odd", [7, [7], [{}], [{"model": WAN, "values": {"image": {"path": "/etc/x"}}, "shown": {}}]]
)
def test_odd_first_choices_of_a_draft_are_ignored(desk: FormChooser, odd: Any) -> None:
    """They come from a browser."""
    choice = {"provider": "local", "feature": "text_to_video", "model": WAN, "first_choices": odd}
    kept = json.dumps({"choice": choice, "values": {"prompt": "a fox"}})
    found, _ = desk.switch("local", "image_to_video", "wan2.1-vace-14b", kept)
    assert found["values"] == {"prompt": "a fox"}


def test_the_settings_of_a_job_bring_no_defaults(controller: PageController) -> None:
    """Take over a doodle's settings, go on to another model: it has its own negative prompt."""
    desk = controller.chooser
    job = controller.session.generation.plan(
        Feature.TEXT_TO_VIDEO, provider="local", model="doodle", arguments={"prompt": "a fox"}
    ).job
    taken = desk.settings_of(job)
    shown = {one.name: one.value for one in desk.fields(taken) if not one.is_media}
    choice, _ = desk.switch("local", "text_to_video", "ltx-2", draft("doodle", **shown))
    assert set(choice["values"]) == {"prompt", "seed"}


def test_a_draft_comes_back_as_it_was_left(desk: FormChooser) -> None:
    """A reload shows the choice with what was chosen."""
    kept = draft(WAN, prompt="a fox", num_inference_steps=7)
    choice = desk.restore_draft(kept)
    assert choice["model"] == WAN
    assert field(desk, choice, "num_inference_steps").value == 7


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("16:9", {"width": 832, "height": 480}),
        ("9:16", {"width": 480, "height": 832}),
        ("1:1", {"width": 624, "height": 624}),
        ("5s", {"num_frames": 81}),
        ("2s", {"num_frames": 33}),
        ("5:4", {}),
        ("7s", {}),
    ],
)
def test_a_shape_or_a_length_becomes_legal_values(
    desk: FormChooser, shape: str, expected: dict[str, int]
) -> None:
    """At the pixels and the frame rate of the model; what is no button changes nothing."""
    choice = desk.choose("local", "text_to_video", WAN)
    assert desk.fill_shape(choice, draft(WAN), shape)["values"] == expected


def test_a_shape_is_taken_back(desk: FormChooser) -> None:
    """The usual size of the model comes back, and what else was typed stays."""
    choice = desk.choose("local", "text_to_video", WAN)
    kept = draft(WAN, prompt="a fox", negative_prompt="", width=464, height=832)
    values = desk.fill_shape(choice, kept, "own")["values"]
    assert values == {"prompt": "a fox", "negative_prompt": ""}


def test_doodle_has_one_shape_and_one_length() -> None:
    """No button promises another one."""
    card = models()["doodle"]
    for feature in Feature:
        assert shapes_of(card, feature) == []
        assert lengths_of(card, feature) == []


@for_each([(feature, name) for name, card in models().items() for feature in card.features])
def test_each_sample_works_with_its_model(feature: Feature, name: str) -> None:
    """In words that the model knows, with files that are there, and one for each input."""
    card = models()[name]
    samples = samples_of(card, feature)
    assert samples
    for sample in samples:
        assert card.unknown_words(sample.prompt) == []
        assert all(SAMPLE_FILES[file].is_file() for file in sample.inputs.values())
    if name == "doodle":
        needed = {p.name for p in INPUTS[feature] if p.kind.is_media}
        assert needed <= samples[0].inputs.keys()


def test_a_sample_fills_the_form_with_its_files(desk: FormChooser) -> None:
    """A prompt and its pictures, in the place of an address that stood there."""
    choice = desk.choose("local", "image_to_video", "doodle")
    kept = draft("doodle", image_url="https://example.org/a.png", seed="7")
    filled = desk.fill_sample(choice, kept, "0")
    assert filled["values"]["prompt"] == "a blue square moves up on a white background"
    assert filled["values"]["image"].file_id == "sample/square.png"
    assert filled["values"]["seed"] == "7"
    assert "image_url" not in filled["values"]
    for number in ("9", "-1", "x", ""):
        assert "image" not in desk.fill_sample(choice, kept, number)["values"]


def test_a_provider_that_is_not_installed_cannot_be_chosen(tmp_path: Path) -> None:
    """The page says how to install it; the first model is one that needs nothing."""

    class Missing(Session):
        def missing(self, name: str) -> str | None:
            return f"{name} needs an extra" if name == "modal" else None

    session = Missing(tmp_path, {"provider": "modal"}, {})
    desk = PageController(session).chooser
    assert desk.providers() == [name for name in BUILT_IN_PROVIDERS if name != "modal"]
    assert desk.missing_providers() == ["modal needs an extra"]
    assert desk.choose("modal")["provider"] == "local"
    assert desk.choose()["model"] == "doodle"
    session.close()


@pytest.fixture
def picture(controller: PageController) -> FormFile:
    """A picture that a visitor may give."""
    found = controller.files.find("sample/square.png")
    assert found is not None
    return found


def between(model: str, **values: Any) -> dict[str, Any]:
    """What a browser has kept of the form of a model that interpolates."""
    choice = {"provider": "local", "feature": "interpolate", "model": model}
    return {"choice": choice, "values": values}


def look_at(desk: FormChooser, model: str, kept: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return what a browser keeps of the form of the next model, and what it was told."""
    choice, notes = desk.switch("local", "interpolate", model, json.dumps(kept))
    fields = desk.fields(choice)
    began = dict(zip(entries_of(fields), (v for f in fields for v in f.initial), strict=True))
    resting = dict(zip(entries_of(fields), resting_entries(fields), strict=True))
    values = {name: value for name, value in began.items() if value != resting[name]}
    about = {"provider": "local", "feature": "interpolate", "model": model}
    first = {"first_choices": choice["first_choices"]}
    return {"choice": about | first, "values": {**kept["values"], **values}}, notes


def rows(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what the rows of keyframes hold, files by their ids."""
    return {
        name.removeprefix("keyframes-"): value["path"] if isinstance(value, dict) else value
        for name, value in kept["values"].items()
        if name.startswith("keyframes-")
    }


def test_keyframes_go_along_at_the_moments_of_each_model(
    desk: FormChooser, picture: FormFile
) -> None:
    """Fitted to each model from what was chosen first, also across one that takes none."""
    file = picture.as_entry()
    chosen = {
        "0-image": picture.file_id,
        "0-at": "0.5",
        "1-image": picture.file_id,
        "1-frame": "12",
    }
    entered = {"keyframes-0-image": file, "keyframes-0-at": "0.5"}
    entered |= {"keyframes-1-image": file, "keyframes-1-frame": "12"}
    kept = between("doodle", prompt="a fox", **entered)
    kept, notes = look_at(desk, "ltx-video-0.9.8-distilled", kept)
    # 30 frames a second, every eighth.
    assert rows(kept) == {**chosen, "0-at": "0.533", "1-frame": "8"}
    assert len([note for note in notes if "Pictures between" in note]) == 2
    kept, notes = look_at(desk, "wan2.1-flf2v-14b-720p", kept)
    assert any("Pictures between" in note and "2 pictures" in note for note in notes)
    kept, _ = look_at(desk, "doodle", kept)
    assert rows(kept) == chosen


def test_a_keyframe_that_is_begun_goes_along(desk: FormChooser, picture: FormFile) -> None:
    """A picture without a moment, or a moment without a picture, waits in the next form."""
    entered = {"keyframes-1-image": picture.as_entry(), "keyframes-3-at": "half"}
    kept, notes = look_at(desk, "ltx-2", between("doodle", prompt="a fox", **entered))
    assert notes == []
    first = [value for name, value in rows(kept).items() if name.startswith("0-")]
    assert first == [picture.file_id]
    assert rows(kept)["1-at"] == "half"


def test_a_draft_of_keyframes_comes_back_in_its_rows(desk: FormChooser, picture: FormFile) -> None:
    """A row that is empty stays empty, and a file of nobody is none."""
    entered = {"keyframes-1-image": picture.as_entry(), "keyframes-1-at": "0.5"}
    entered["keyframes-2-image"] = {"path": "/etc/passwd"}
    choice = desk.restore_draft(json.dumps(between("doodle", **entered)))
    held = field(desk, choice, "keyframes")
    shown = dict(zip(held.entries, held.initial, strict=True))
    assert {name for name, value in shown.items() if value} == {
        "keyframes-1-image",
        "keyframes-1-at",
    }
