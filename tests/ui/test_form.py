"""The form of every model, without a browser."""

import re
import subprocess
import sys

import pytest
from tests.every import for_each

from tiomagic.ui.form.arguments import chosen_entries, collect_arguments
from tiomagic.ui.form.fields import Field, Widget, entries_of, fields_of, resting_entries
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema

PAIRS = [(feature, name) for name, card in models().items() for feature in card.features]


def schema_of(feature: Feature, name: str) -> Schema:
    return models()[name].schema(feature)


def filled(fields: list[Field]) -> dict[str, object]:
    """What somebody enters who leaves all settings alone."""
    entered: dict[str, object] = {field.name: field.value for field in fields}
    for field in fields:
        if field.is_media and (field.required or field.name in {"guiding_video", "last_frame"}):
            entered[field.name] = f"/uploads/{field.name}"
    return {**entered, "prompt": "a fox"}


@for_each(PAIRS)
def test_a_form_can_be_filled_for_every_model(feature: Feature, name: str) -> None:
    """Each form has an entry for each parameter, and as it comes it makes a legal call."""
    schema = schema_of(feature, name)
    fields = fields_of(schema)
    assert {field.name for field in fields} == {p.name for p in schema.parameters}
    given = collect_arguments(fields, filled(fields))
    assert set(given) <= {"prompt"} | {field.name for field in fields if field.is_media}
    schema.validate(given)


@for_each(PAIRS)
def test_both_ends_of_each_slider_are_legal(feature: Feature, name: str) -> None:
    """A slider meets legal values only, and can rest on its default."""
    schema = schema_of(feature, name)
    for field in fields_of(schema):
        if field.widget is not Widget.SLIDER:
            continue
        assert field.low is not None
        assert field.step is not None
        for value in (field.low, field.high, field.low + field.step, field.default):
            assert schema[field.name].problem(value) is None, field.name
        rest = (field.default - field.low) / field.step
        assert rest == pytest.approx(round(rest)), f"{field.name} cannot rest on its default"


WALK = """
import gradio as gr
from tiomagic.ui.form.fields import entries_of, fields_of
from tiomagic.ui.form.widgets import build_form
from tiomagic_domain.catalogue import models

made = 0
with gr.Blocks(analytics_enabled=False):  # One page for all: each would have a server of its own.
    for card in models().values():
        for feature, schema in card.features.items():
            fields = fields_of(schema)
            form = build_form(fields, serial=made)
            assert len(form.entries) == len(entries_of(fields)), (feature, card.name)
            assert len(form.slots) == len(fields), (feature, card.name)
            made += 1
print(made)
"""


def test_the_widgets_of_every_form_can_be_made() -> None:
    """Gradio takes every form, with what it holds.

    In a process of its own, because Gradio leaves an event loop open.
    """
    done = subprocess.run(
        [sys.executable, "-c", WALK], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(PAIRS)}\n"


def test_the_stored_settings_of_a_job_come_back() -> None:
    """What the form is filled with replaces the defaults, and is sent."""
    schema = schema_of(Feature.TEXT_TO_VIDEO, "doodle")
    given = {"prompt": "a fox", "seed": 7, "num_inference_steps": 3, "acceleration": {}}
    fields = fields_of(schema, {**given, "gone": 1})
    assert collect_arguments(fields, {field.name: field.value for field in fields}) == given


def test_what_is_folded_away_comes_last() -> None:
    """First what is required, then settings, then what only experts touch."""
    fields = fields_of(schema_of(Feature.INTERPOLATE, "doodle"))
    names = [field.name for field in fields[:5]]
    assert names == ["prompt", "first_frame", "last_frame", "loop", "keyframes"]
    expert = [field.expert for field in fields]
    assert expert == sorted(expert)
    names = {field.name for field in fields if field.expert}
    assert {"memory", "loras", "width", "num_frames"} <= names


def test_an_emptied_text_replaces_its_default() -> None:
    """A model's own negative prompt can be taken away."""
    text = Parameter(
        name="negative_prompt", kind=Kind.STRING, description="x", required=False, default="ugly"
    )
    fields = fields_of(Schema(parameters=(text,)))
    assert collect_arguments(fields, {"negative_prompt": ""}) == {"negative_prompt": ""}
    assert collect_arguments(fields, {"negative_prompt": "ugly"}) == {}


@pytest.mark.parametrize(
    ("url", "file", "said"),
    [
        ("/etc/passwd", None, "begins with http"),
        ("file:///etc/passwd", None, "begins with http"),
        ("https://example.org/a.png", "/uploads/a.png", "given twice"),
    ],
)
def test_an_address_is_no_path_of_the_server(url: str, file: str | None, said: str) -> None:
    """Who looks at the page names files of the web, not of the machine that serves it."""
    fields = fields_of(schema_of(Feature.IMAGE_TO_VIDEO, "doodle"))
    with pytest.raises(ValidationError, match=said) as caught:
        collect_arguments(fields, {"prompt": "a fox", "image": file, "image_url": url})
    assert caught.value.problems[0].field == "image"


def entered_as_shown(fields: list[Field]) -> dict[str, object]:
    """What a browser sends of a form that nobody has touched."""
    entered: dict[str, object] = dict(zip(entries_of(fields), resting_entries(fields), strict=True))
    for field in fields:
        entered |= {entry.name: entry.value for row in field.rows for entry in row.entries}
    return entered


def test_a_lora_is_a_row() -> None:
    """A file or a repository, its file, and a strength; an empty row is none."""
    fields = fields_of(schema_of(Feature.TEXT_TO_VIDEO, "doodle"))
    entered = entered_as_shown(fields) | {
        "loras-0-source": "owner/toon",
        "loras-0-weight_name": "toon.safetensors",
        "loras-0-scale": "0.8",
        "loras-2-source": " /loras/soft.safetensors ",
    }
    assert collect_arguments(fields, entered) == {
        "loras": [
            {"source": "owner/toon", "weight_name": "toon.safetensors", "scale": 0.8},
            {"source": "/loras/soft.safetensors"},
        ]
    }
    assert collect_arguments(fields, entered_as_shown(fields)) == {}


def test_a_row_keeps_what_it_does_not_show_of_a_lora() -> None:
    """The digest of a recipe's LoRA stays with its source, and goes with it."""
    lora = {"source": "a/b", "scale": 0.5, "revision": "c0ffee", "component": "transformer_2"}
    fields = fields_of(schema_of(Feature.TEXT_TO_VIDEO, "doodle"), {"loras": [lora]})
    entered = entered_as_shown(fields)
    assert collect_arguments(fields, entered) == {"loras": [lora]}
    other = entered | {"loras-0-source": "c/d"}
    assert collect_arguments(fields, other) == {"loras": [{"source": "c/d", "scale": 0.5}]}


def test_a_keyframe_is_a_row() -> None:
    """With its picture and its second or its frame; an empty row names none."""
    fields = fields_of(schema_of(Feature.INTERPOLATE, "doodle"))
    entered = filled(fields) | {
        "keyframes-0-image": "/uploads/hop.png",
        "keyframes-0-at": " 0.5 ",
        "keyframes-2-image": "/uploads/land.png",
        "keyframes-2-frame": "12",
        "keyframes-3-at": "half",
    }
    assert collect_arguments(fields, entered)["keyframes"] == [
        {"image": "/uploads/hop.png", "at": 0.5},
        {"image": "/uploads/land.png", "frame": 12},
        {"at": "half"},
    ]
    assert not any(field.name == "keyframes" for field in fields_of(framepack()))


def framepack() -> Schema:
    """A model that takes the ends alone."""
    return schema_of(Feature.INTERPOLATE, "framepack-i2v-hy")


def test_the_version_of_each_repository_is_a_row() -> None:
    """Named as the hub names it; what is left empty is the model's own."""
    fields = fields_of(schema_of(Feature.TEXT_TO_VIDEO, "wan2.1-t2v-1.3b"))
    (field,) = [field for field in fields if field.name == "revisions"]
    (row,) = field.rows
    (entry,) = row.entries
    assert entry.part == "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
    entered = {entry.name: "main"}
    assert collect_arguments([field], entered) == {"revisions": {entry.part: "main"}}
    assert collect_arguments([field], {entry.name: " "}) == {}


def test_an_object_of_a_recipe_is_kept_as_it_is() -> None:
    """A preset is one of some words; what a recipe has in its place goes through the form."""
    given = {"acceleration": {"compile": "off"}}
    fields = fields_of(schema_of(Feature.TEXT_TO_VIDEO, "doodle"), given)
    entered = {field.name: field.value for field in fields if field.name == "acceleration"}
    assert collect_arguments(fields, entered) == given


def test_only_what_differs_from_the_form_is_chosen() -> None:
    """A default belongs to its model, in whatever form a browser writes it."""
    fields = fields_of(schema_of(Feature.TEXT_TO_VIDEO, "wan2.1-t2v-1.3b"))
    untouched = entered_as_shown(fields)
    assert len(str(untouched["negative_prompt"])) > 100
    assert chosen_entries(fields, untouched | {"prompt": ""}) == {}
    typed = {"prompt": "a fox", "negative_prompt": "", "num_inference_steps": "7", "elsewhere": 1}
    assert chosen_entries(fields, untouched | typed) == typed


@for_each(PAIRS)
def test_no_help_speaks_to_programs(feature: Feature, name: str) -> None:
    """Labels and helps are for people: no Python, no JSON, no file of the documentation."""
    for field in fields_of(schema_of(feature, name)):
        for word in ("PIL", "dict", "JSON", "docs/", ".md", "bytes", "An object"):
            assert word not in field.help, (field.name, field.help)
        # A formula is the same for everybody, and the headings of a prompt are typed as they are.
        said = f"{field.label} {field.help}".replace("(num_frames-1)/4", "")
        said = re.sub(r"\b[a-z]+(?:_[a-z]+)+: ", "", said)
        assert "_" not in said, (field.name, field.help)
