"""The one door for what a browser sends to the functions of the page."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiomagic.ui.browser_input import (
    read_count,
    read_draft,
    read_entries,
    read_filling,
    read_filters,
    read_press,
    read_word,
)
from tiomagic.ui.form.fields import Widget, entries_of, fields_of
from tiomagic.ui.jobs.gallery import GalleryFilters
from tiomagic.ui.web.files import ServedFiles
from tiomagic.ui.web.uploads import FormFile, Uploads
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.testing import MemoryJobRepository

ODD: list[Any] = [
    *(None, True, 7, -1.5, 1e308, "", "x", "x" * 5000, "\ud83d", "\0", "/etc/passwd", "../x"),
    *([], ["a"], [["a"]], {}, {"a": 1}, {"path": "/etc/passwd"}, {"path": ["a"]}, {"path": None}),
    *({"path": "upload/../x"}, {"__type__": "update"}, {"sha256": "0" * 64, "kind": "image"}),
]
"""What no page sends."""


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    """The uploads of a page."""
    return Uploads(tmp_path / "uploads")


@pytest.fixture
def files(uploads: Uploads, tmp_path: Path) -> ServedFiles:
    """What its forms may hold."""
    return ServedFiles(MemoryJobRepository().get, tmp_path / "inputs", uploads)


@pytest.fixture
def uploaded(uploads: Uploads) -> FormFile:
    """A picture that was sent."""
    with uploads.receive_file(3) as reception:
        reception.begin("a.png")
        reception.write(b"abc")
    found = uploads.find(reception.file_ids[0])
    assert found is not None
    return found


def draft(**values: Any) -> str:
    """What a browser keeps of a form."""
    choice = {"provider": "local", "feature": "image_to_video", "model": "doodle"}
    return json.dumps({"choice": choice, "values": values})


def test_a_draft_comes_back(files: ServedFiles, uploaded: FormFile) -> None:
    """What was typed, and the file that was sent."""
    found = read_draft(
        draft(prompt="a fox", seed="7", image={**uploaded.as_entry(), "meta": {"_type": "x"}}),
        files,
    )
    assert (found.provider, found.feature, found.model) == ("local", "image_to_video", "doodle")
    assert found.values == {"prompt": "a fox", "seed": "7", "image": uploaded}


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_no_draft_names_a_file_or_an_object(value: Any, files: ServedFiles) -> None:
    """Each entry is text, a number or a switch; for a picture, none of them is a file."""
    found = read_draft(draft(image=value, prompt=value), files)
    for kept in found.values.values():
        assert kept is None or isinstance(kept, str | int | float)
    schema = models()["doodle"].schema(Feature.IMAGE_TO_VIDEO)
    for field in fields_of(schema, found.values):
        assert not field.is_media or field.value is None


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_any_draft_makes_a_form(odd: Any, files: ServedFiles) -> None:
    """Whatever is in it, at whatever place, each entry holds what its widget can show."""
    schema = models()["doodle"].schema(Feature.POSE_GUIDANCE)
    names = entries_of(fields_of(schema))
    texts = {Widget.LINE, Widget.LINES, Widget.NUMBER, Widget.JSON, Widget.WORD_OR_OBJECT}
    for text in (odd, json.dumps(odd), json.dumps({"choice": odd, "values": odd})):
        assert isinstance(read_draft(text, files).values, dict)
    for field in fields_of(schema, read_draft(draft(**dict.fromkeys(names, odd)), files).values):
        value = field.value
        if field.widget in texts:
            assert value is None or not isinstance(value, dict | list), field.name
        elif field.widget is Widget.CHOICE:
            assert value in {None, *field.choices}, field.name
        elif field.widget is Widget.SLIDER:
            assert field.low <= value <= field.high, field.name
        json.dumps([value, field.url], ensure_ascii=False).encode("utf-8")


def test_what_a_job_of_another_version_has_makes_a_form() -> None:
    """The settings of a stored job may be anything; those that fit no entry are left out."""
    schema = models()["doodle"].schema(Feature.POSE_GUIDANCE)
    for odd in ODD:
        for field in fields_of(schema, {parameter.name: odd for parameter in schema.parameters}):
            json.dumps([field.value, field.url], ensure_ascii=False).encode("utf-8")
            assert not field.is_media or field.value is None


def test_entries_are_the_files_that_were_sent(files: ServedFiles, uploaded: FormFile) -> None:
    """An upload becomes its path on this machine; its bytes are those that came."""
    fields = fields_of(models()["doodle"].schema(Feature.IMAGE_TO_VIDEO))
    given = [uploaded.as_entry() if name == "image" else None for name in entries_of(fields)]
    found = read_entries(fields, given, files)
    assert found["image"] == str(uploaded.path)
    assert Path(found["image"]).read_bytes() == b"abc"
    fields = fields_of(models()["doodle"].schema(Feature.INTERPOLATE))
    entry = "keyframes-1-image"
    given = [uploaded.as_entry() if name == entry else None for name in entries_of(fields)]
    assert read_entries(fields, given, files)[entry] == str(uploaded.path)


@pytest.mark.parametrize("value", [value for value in ODD if value is not None], ids=repr)
@pytest.mark.parametrize(
    ("feature", "entry"),
    [(Feature.IMAGE_TO_VIDEO, "image"), (Feature.INTERPOLATE, "keyframes-1-image")],
)
def test_no_other_entry_is_a_file(
    value: Any, feature: Feature, entry: str, files: ServedFiles
) -> None:
    """A text that looks like a path is none, and neither is a file that has been cleared away."""
    fields = fields_of(models()["doodle"].schema(feature))
    given = [value if name == entry else None for name in entries_of(fields)]
    with pytest.raises(ValidationError, match="drop the file again") as caught:
        read_entries(fields, given, files)
    assert [problem.field for problem in caught.value.problems] == [entry.partition("-")[0]]


def test_entries_of_another_form_are_refused(files: ServedFiles) -> None:
    """Their number says so."""
    fields = fields_of(models()["doodle"].schema(Feature.TEXT_TO_VIDEO))
    with pytest.raises(ValidationError, match="load the page again"):
        read_entries(fields, ["a fox"], files)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_filter_that_is_none_does_not_narrow(odd: Any) -> None:
    """An unknown word lists all jobs, and no query fails."""
    found = read_filters(odd, odd, odd, odd, odd)
    assert (found.status, found.feature) == ("", "")
    found.query(12)
    assert read_filters(None, None, None, None, None) == GalleryFilters()
    chosen = read_filters("fox", " draft ", "failed", "interpolate", "doodle")
    assert chosen == GalleryFilters(
        text="fox", tag="draft", status="failed", feature="interpolate", model="doodle"
    )


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_press_is_of_a_known_button(odd: Any) -> None:
    """Any other is none."""
    assert read_press(SimpleNamespace(action=odd, job="a")) is None
    assert read_press(odd) is None
    press = read_press(SimpleNamespace(action="delete", job="a"))
    assert press is not None
    assert (press.action, press.job_id) == ("delete", "a")
    job = read_word(odd)
    assert job is None or isinstance(job, str)
    labels = read_press(SimpleNamespace(action="label", job="a", tags=odd, note=odd))
    assert labels is not None
    for text in (labels.tags, labels.note):
        text.encode("utf-8")


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_fills_a_form_is_of_a_known_button(odd: Any) -> None:
    """What it is about is text, whatever a browser sends."""
    assert read_filling(SimpleNamespace(action=odd, job="a")) is None
    assert read_filling(odd) is None
    filling = read_filling(SimpleNamespace(action="prompt", job=odd))
    assert filling is not None
    filling.target.encode("utf-8")


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_number_of_videos_is_bounded(odd: Any) -> None:
    """One for what is no number, and no more than is allowed."""
    assert 1 <= read_count(odd, 8) <= 8
    assert [read_count(number, 8) for number in (1, 3, 8, 99, 0)] == [1, 3, 8, 8, 1]
