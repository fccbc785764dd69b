"""Terms at the page: shown with a box, and the box counts for what is sent with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tiomagic import TioMagic
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error
from tiomagic.errors import ConfigurationError
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.fields import entries_of
from tiomagic_domain.catalogue import models
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.testing import FakeProvider

MODEL = "hunyuanvideo-1.5"
TERMS = models()[MODEL].must_accept
assert TERMS is not None


@pytest.fixture
def tm(tmp_path: Path) -> Iterator[TioMagic]:
    """``tm`` over a remote provider that is a fake."""
    remote = FakeProvider(tmp_path / "spool", name="modal", default_model=MODEL)
    given = {"providers": {"modal": remote}}
    with closing(TioMagic(working_dir=tmp_path, provider="modal", overrides=given)) as made:
        yield made


def test_the_box_counts_for_what_is_sent_with_it(tm: TioMagic) -> None:
    """Without it nothing is stored, and the page names the box; the next press asks again."""
    controller = PageController(tm.session)
    choice = controller.chooser.choose("modal", "text_to_video", MODEL)
    fields = controller.chooser.fields(choice)
    values = {field.name: field.value for field in fields} | {"prompt": "a fox"}
    entered = [values.get(name) for name in entries_of(fields)]
    assert controller.waits_for_consent(choice)
    for _ in range(2):
        before = len(tm.session.generation.list(JobQuery()))
        with pytest.raises(ConfigurationError) as caught:
            controller.submit(choice, entered)
        said = say_error(caught.value, PAGE_WORDS)
        assert "[tick the box above the button Make the video]" in said
        assert TERMS.link in said
        assert len(tm.session.generation.list(JobQuery())) == before
        (job,) = controller.submit(choice, entered, accept=True)
        assert job.model == MODEL
    tm.configure(accepted_terms=[MODEL])
    assert not controller.waits_for_consent(choice)


FORM = """
import json, sys
import gradio as gr
from tiomagic import TioMagic
from tiomagic.ui.controller import PageController
from tiomagic.ui.layout.consent import lay_out_consent

for model, accepted in json.loads(sys.argv[2]):
    tm = TioMagic(working_dir=sys.argv[1], accepted_terms=accepted)
    controller = PageController(tm.session)
    with gr.Blocks(analytics_enabled=False) as blocks:
        choice = controller.chooser.choose("local", "text_to_video", model)
        box = lay_out_consent(controller, choice)
    texts = [part.value for part in blocks.blocks.values() if isinstance(part, gr.HTML)]
    print(json.dumps([box.visible, box.value, box.label, texts]))
"""


@pytest.mark.slow  # It loads Gradio.
def test_the_form_has_the_terms_and_an_empty_box(tmp_path: Path) -> None:
    """Only that of a model that waits; in a process, because Gradio leaves an event loop open."""
    cases: list[tuple[str, list[str]]] = [(MODEL, []), (MODEL, [MODEL]), ("doodle", [])]
    command = [sys.executable, "-c", FORM, str(tmp_path), json.dumps(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    for (model, accepted), line in zip(cases, done.stdout.splitlines(), strict=True):
        visible, ticked, label, texts = json.loads(line)
        waits = model == MODEL and not accepted
        assert (visible, ticked) == (waits, False)
        assert label == f"I accept the terms of {model}"
        assert [TERMS.link in text and TERMS.says in text for text in texts] == [True] * waits
