"""The terms of the chosen model, with the box that accepts them."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.models.cards import terms_to_accept
from tiomagic_domain.catalogue import models

ACCEPT_LABEL: Final = "I accept the terms of {model}"


def lay_out_consent(controller: PageController, choice: FormState) -> Any:
    """Build the terms and their box in the current page, and return the box.

    The box of a model that waits for no consent is there and not seen.

    Args:
        controller: Knows what is accepted in the settings.
        choice: What the form is about.
    """
    waits = controller.waits_for_consent(choice)
    if waits:
        gr.HTML(terms_to_accept(models()[choice["model"]]), elem_id="terms")
    # Empty in each form: who looks at another model and comes back is asked again.
    return gr.Checkbox(
        value=False,
        label=ACCEPT_LABEL.format(model=choice["model"]),
        visible=waits,
        interactive=True,
        elem_id="accept",
        key=f"accept-{choice['serial']}",
    )
