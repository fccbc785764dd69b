"""What goes from one form to the next: what somebody chose, and no model's defaults."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiomagic import TioMagic
from tiomagic.ui.controller import FormState, PageController
from tiomagic.ui.form.fields import Field
from tiomagic_domain.features import Feature

WAN = "wan2.1-t2v-1.3b"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PageController]:
    """The use cases of a page over an empty store."""
    with closing(TioMagic(working_dir=tmp_path)) as tm:
        yield PageController(tm.session)


def draft(model: str, **values: Any) -> str:
    """What a browser has kept of the form of a model."""
    choice = {"provider": "local", "feature": "text_to_video", "model": model}
    return json.dumps({"choice": choice, "values": values})


def field(desk: PageController, choice: FormState, name: str) -> Field:
    """A field of a form."""
    return next(one for one in desk.fields(choice) if one.name == name)


def default_of(desk: PageController, model: str, name: str = "negative_prompt") -> Any:
    """What a model has when nobody chooses."""
    return field(desk, desk.choose("local", "text_to_video", model), name).default


@pytest.mark.parametrize("model", ["doodle", "ltx-2", "cogvideox-2b"])
def test_the_default_of_a_model_goes_to_no_other(desk: PageController, model: str) -> None:
    """Even from a draft that holds it: the next form has its own, and sends nothing."""
    kept = draft(WAN, prompt="a fox", negative_prompt=default_of(desk, WAN))
    choice = desk.switch("local", "text_to_video", model, kept)
    assert choice["values"] == {"prompt": "a fox"}
    box = field(desk, choice, "negative_prompt")
    assert box.value == box.default == default_of(desk, model)


def test_what_was_typed_goes_along(desk: PageController) -> None:
    """A negative prompt of one's own, and one that was emptied."""
    for typed in ("rain", ""):
        kept = draft(WAN, negative_prompt=typed)
        choice = desk.switch("local", "text_to_video", "ltx-2", kept)
        assert field(desk, choice, "negative_prompt").value == typed


def test_the_settings_of_a_job_bring_no_defaults(desk: PageController) -> None:
    """Take over a doodle's settings, go on to another model: it has its own negative prompt."""
    job = desk.session.generation.plan(
        Feature.TEXT_TO_VIDEO, provider="local", model="doodle", arguments={"prompt": "a fox"}
    ).job
    desk.session.container.repository().add(job)
    taken = desk.settings_of(job.job_id)
    shown = {one.name: one.value for one in desk.fields(taken) if not one.is_media}
    choice = desk.switch("local", "text_to_video", "ltx-2", draft("doodle", **shown))
    assert set(choice["values"]) == {"prompt", "seed"}


def test_a_draft_comes_back_as_it_was_left(desk: PageController) -> None:
    """A reload shows the choice with what was chosen."""
    kept = draft(WAN, prompt="a fox", num_inference_steps=7)
    choice = desk.restore_draft(kept)
    assert choice["model"] == WAN
    assert field(desk, choice, "num_inference_steps").value == 7
