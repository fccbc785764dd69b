"""The gallery: its filters, its cards, and the dialog for tags and notes."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from tiomagic.ui.jobs.gallery import NO_FILTER
from tiomagic.ui.jobs.markup import FAVOURITE, STATUS_LABELS
from tiomagic.ui.layout.options import CLICK_SCRIPT
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature

LABELS_DIALOG: Final = """
<dialog class="tm-dialog" id="labels" aria-labelledby="labels-title"><form method="dialog">
<h2 id="labels-title">Tags and note</h2><p class="tm-facts" data-about></p>
<label>Tags, with commas between them<input type="text" name="tags" maxlength="200"></label>
<label>Note<textarea name="note" rows="4" maxlength="5000"></textarea></label>
<div class="tm-actions"><button type="submit" class="tm-button tm-primary" data-action="label"
 data-job="-">Save</button><button type="submit" class="tm-button">Cancel</button></div>
</form></dialog>
"""
"""Outside of the cards, which are replaced while the user writes. ``assets/page.js`` opens it."""


class GalleryTab:
    """The gallery, laid out in the current tab."""

    def __init__(self) -> None:
        words = [(word, status.value) for status, word in STATUS_LABELS.items()]
        features = [(feature.label.capitalize(), feature.value) for feature in Feature]
        names = [(card.title, card.name) for card in models().values()]
        every = ("All", NO_FILTER)
        plain: dict[str, Any] = {"value": NO_FILTER, "filterable": False}
        with gr.Row():
            self.text = gr.Textbox("", label="Search the prompts", elem_id="search", scale=2)
            self.tag = gr.Textbox(
                "", label="Tag", elem_id="tag", placeholder=f"such as {FAVOURITE}"
            )
            status = gr.Dropdown([every, *words], label="Status", **plain)
            feature = gr.Dropdown([every, *features], label="Feature", **plain)
            model = gr.Dropdown([every, *names], label="Model", **plain)
        self.filters = [self.text, self.tag, status, feature, model]
        """In the order of ``browser_input.read_filters``."""
        self.cards = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="cards")
        self.more = gr.Button("Show more", visible=False)
        self.dialog = gr.HTML(LABELS_DIALOG, js_on_load=CLICK_SCRIPT)
