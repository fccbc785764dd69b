"""Provider, feature and model, and what fills the form: samples, presets, a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from tiomagic.display.escaping import escape
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error
from tiomagic.ui.browser_input import read_filling, read_word
from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.widgets import update_notice, update_problems
from tiomagic.ui.layout.options import CLICK_OPTIONS, CLICK_SCRIPT, START_SCRIPT
from tiomagic.ui.models.cards import model_chooser
from tiomagic.ui.opening import open_video
from tiomagic_domain.errors import TioMagicError

START: Final = """
<details class="tm-start"><summary>Start from a video or a preset</summary>
<label class="tm-drop"><span>Drop a video of tiomagic here, or anywhere on the page, to take its
settings</span><input type="file" accept=".mp4,.json,video/mp4" id="recipe-file"></label>
<div class="tm-presets" data-presets></div>
<form class="tm-row" data-save-preset><input type="text" maxlength="60" required
 aria-label="Name of the preset" placeholder="Name of a preset">
<button type="submit" class="tm-button">Save this form</button></form></details>
"""


def words_of(choice: FormState) -> list[str]:
    """Return what identifies the form of a choice."""
    return [choice["provider"], choice["feature"], choice["model"]]


class ChooserPart:
    """Chooses what the form is about.

    Args:
        controller: The use cases.
        draft: The browser's draft, which only its script can read.
        choice: What the form is about.
    """

    def __init__(
        self,
        controller: PageController,
        draft: Any,
        choice: Any,
    ) -> None:
        self._controller = controller
        self._chooser = controller.chooser
        self._draft = draft
        self._choice = choice

    def lay_out(self, first: FormState) -> None:
        """Build the parts in the current page."""
        chooser = self._chooser
        missing = "".join(f"<p>{escape(text)}</p>" for text in chooser.missing_providers())
        with gr.Group(elem_classes="tm-choice"):
            self._feature = gr.Radio(
                self._features(first["provider"]),
                value=first["feature"],
                label="What to make",
                interactive=True,
            )
            self._provider = gr.Radio(
                chooser.providers(), value=first["provider"], label="Runs on", interactive=True
            )
        if missing:
            gr.HTML(
                f'<details class="tm-missing"><summary>More places to run</summary>{missing}'
                "</details>"
            )
        self._models = gr.HTML(self._model_cards(first), js_on_load=CLICK_SCRIPT, elem_id="models")
        self._start = gr.HTML(START, js_on_load=START_SCRIPT, elem_id="start")

    @property
    def outputs(self) -> list[Any]:
        """The components of :meth:`updates`."""
        return [self._choice, self._provider, self._feature, self._models]

    def connect(self, notice: Any) -> None:
        """Connect the parts to what they change."""
        self._notice = notice
        radios = [self._provider, self._feature]
        for part in radios:
            part.input(
                self._choose,
                [*radios, self._draft, self._choice],
                [*self.outputs, notice],
                js="(...chosen) => tiomagic.choosing(chosen)",
                **CLICK_OPTIONS,
            )
        for part in (self._models, self._start, notice):
            self.connect_filling(part, notice)

    def connect_filling(self, part: Any, notice: Any) -> None:
        """Let the buttons of a part fill the form."""
        part.click(
            self._fill,
            [self._draft, self._choice],
            [*self.outputs, notice],
            js="(_, before) => tiomagic.filling(before)",
            **CLICK_OPTIONS,
        )

    def connect_reshaping(self, triggers: Sequence[Any], entries: Sequence[Any], js: str) -> None:
        """Let entries of a form change which fields it has.

        Args:
            triggers: The events.
            entries: All entries of the form.
            js: Keeps the draft, and returns it if the form has to change; else nothing.
        """
        gr.on(
            triggers,
            self._reshape,
            [self._draft, self._choice, *entries],
            [*self.outputs, self._notice],
            js=js,
            **CLICK_OPTIONS,
        )

    def _reshape(self, draft: object, before: FormState, *_entries: object) -> dict[Any, Any]:
        if not draft:
            return {self._choice: gr.skip()}
        choice = self._chooser.reshape(before, draft)
        return {**self.updates(choice), self._notice: update_notice([])}

    def _choose(
        self, provider: object, feature: object, draft: object, before: FormState
    ) -> dict[Any, Any]:
        wanted = read_word(provider), read_word(feature)
        if list(wanted) == words_of(before)[:2]:
            # Leaving a list also sends an event, without a choice.
            return {self._choice: gr.skip()}
        choice, left_out = self._chooser.switch(*wanted, before["model"], draft)
        return {**self.updates(choice), self._notice: update_notice(left_out)}

    def _fill(self, draft: object, before: FormState, event: gr.EventData) -> dict[Any, Any]:
        """Fill the form as a button says."""
        filling = read_filling(event)
        if filling is None:
            return {self._choice: gr.skip()}
        try:
            choice, notes = self._filled(filling.action, filling.target, draft, before)
        except TioMagicError as error:
            choice = self._chooser.fill(before, draft, {})
            trouble = update_problems([say_error(error, PAGE_WORDS)])
            return {**self.updates(choice), self._notice: trouble}
        return {**self.updates(choice), self._notice: update_notice(notes)}

    def _filled(
        self, action: str, target: str, draft: object, before: FormState
    ) -> tuple[FormState, list[str]]:
        chooser = self._chooser
        match action:
            case "provider" | "model":
                wanted = {"provider": before["provider"], "model": before["model"], action: target}
                return chooser.switch(wanted["provider"], before["feature"], wanted["model"], draft)
            case "sample":
                return chooser.fill_sample(before, draft, target), []
            case "prompt":
                return chooser.fill(before, draft, {"prompt": target}), []
            case "shape":
                return chooser.fill_shape(before, draft, target), []
            case "draft":
                return chooser.restore_draft(draft), []
        file = self._controller.files.find(target)
        choice, left_out = open_video(self._controller.session, chooser, file)
        name = "the video" if file is None else file.name
        return choice, [f"The form has the settings of {name} now.", *left_out]

    def updates(self, choice: FormState) -> dict[Any, Any]:
        """Return the choice, with the updates of the parts that show it."""
        provider = choice["provider"]
        return {
            self._provider: gr.update(value=provider),
            self._feature: gr.update(choices=self._features(provider), value=choice["feature"]),
            self._models: self._model_cards(choice),
            self._choice: choice,
        }

    def _features(self, provider: str) -> list[tuple[str, str]]:
        return [(f.label.capitalize(), f.value) for f in self._chooser.features(provider)]

    def _model_cards(self, choice: FormState) -> str:
        models = self._chooser.models(choice["provider"], choice["feature"])
        return model_chooser(models, choice["model"])
