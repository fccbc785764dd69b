"""What a run may cost, and where else it may run: beside the estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from tiomagic.display.phrases.page import LABELS
from tiomagic.ui.browser_input import Wanted
from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.layout.options import EVENT_OPTIONS
from tiomagic_domain.spending.limits import MAX_COST

OTHERS_LABEL: Final = "If it cannot run there, try"
KEEP_SCRIPT: Final = "(entered) => {{ tiomagic.keepWanted({name!r}, entered); }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingPart:
    """The components."""

    max_cost: Any
    """Is shown where a run may cost something."""
    others: Any
    """Is shown where another provider runs the model."""
    problem: Any
    """The slot for problems of the limit."""

    @property
    def entries(self) -> list[Any]:
        """What the user enters."""
        return [self.max_cost, self.others]


def lay_out_spending(
    controller: PageController, choice: FormState, wanted: Wanted, *, may_cost: bool
) -> SpendingPart:
    """Build the limit of a run, and the providers that are tried after the chosen one.

    Args:
        controller: Knows the providers and the settings.
        choice: What the form is about.
        wanted: What the user has said before.
        may_cost: False where a run costs nothing.
    """
    options = controller.chooser.other_providers(choice)
    serial = choice["serial"]
    with gr.Row(elem_id="spending"):
        max_cost = gr.Textbox(
            wanted["max_cost"],
            label=LABELS[MAX_COST],
            placeholder=_say_set_limit(controller),
            max_lines=1,
            visible=may_cost,
            interactive=True,
            elem_id="max-cost",
            key=f"max-cost-{serial}",
            min_width=120,
            scale=1,
        )
        others = gr.Dropdown(
            options,
            value=[name for name in wanted["others"] if name in options],
            label=OTHERS_LABEL,
            multiselect=True,
            filterable=False,
            visible=bool(options),
            interactive=True,
            elem_id="others",
            key=f"others-{serial}",
            min_width=160,
            scale=2,
        )
    problem = gr.HTML(visible=False, elem_id="problem-max-cost")
    made = SpendingPart(max_cost=max_cost, others=others, problem=problem)
    for part, event in ((max_cost, max_cost.change), (others, others.input)):
        name = "max_cost" if part is max_cost else "others"
        event(None, part, js=KEEP_SCRIPT.format(name=name), **EVENT_OPTIONS)
    return made


def keep_unseen(others: Sequence[str], before: Wanted, options: Sequence[str]) -> list[str]:
    """Return the chosen providers, with those that were chosen for models of other providers.

    Args:
        others: What the form has.
        before: What the user has said before.
        options: What the form offers.
    """
    unseen = [name for name in before["others"] if name not in options]
    return [*(name for name in others if name in options), *unseen]


def _say_set_limit(controller: PageController) -> str:
    """Return what holds without an entry."""
    limit = controller.session.settings.max_cost
    return f"{limit} USD" if limit and limit.replace(".", "").isdecimal() else limit or "none, USD"
