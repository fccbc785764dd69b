"""The form of the chosen model, with its button."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error
from tiomagic.ui.browser_input import Wanted, read_wanted
from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import (
    MOST_VARIATIONS,
    PageController,
    find_ways_out,
    group_problems_by_field,
)
from tiomagic.ui.form.fields import Field, Widget, entries_of, resting_entries
from tiomagic.ui.form.marks import form_mark, shape_chips, try_chips
from tiomagic.ui.form.shapes import lengths_of, shapes_of
from tiomagic.ui.form.shots import URL_OF, Shot
from tiomagic.ui.form.widgets import build_form, update_problems
from tiomagic.ui.layout.chooser import ChooserPart, words_of
from tiomagic.ui.layout.consent import lay_out_consent
from tiomagic.ui.layout.options import CLICK_SCRIPT, EVENT_OPTIONS, NEWEST_OPTIONS
from tiomagic.ui.layout.spending import SpendingPart, keep_unseen, lay_out_spending
from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.sizes import SECONDS
from tiomagic_domain.spending.limits import MAX_COST

Sent = Callable[[str, Sequence[Any]], dict[Any, Any]]
"""Shows a job that was sent, by its id and the state of the page."""


FORCE_LABEL: Final = "Make it all the same, although it may not work here"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """The components below the form."""

    expected: Any
    spending: SpendingPart
    forced: Any
    """Is shown after a refusal."""
    accepted: Any
    """Is shown for a model whose terms wait for a consent."""
    count: Any
    press: Any

    @property
    def wanted(self) -> list[Any]:
        """What says how videos are made."""
        return [self.count, *self.spending.entries]


class MakingForm:
    """The form, which is built anew for each choice.

    Args:
        controller: The use cases.
        chooser: Is filled by the buttons of the form.
        notice: Shows what no field shows.
        wanted: Remembers how videos are to be made, whatever form is shown.
    """

    def __init__(
        self,
        controller: PageController,
        chooser: ChooserPart,
        notice: Any,
        wanted: Any,
    ) -> None:
        self._controller = controller
        self._chooser = chooser
        self._notice = notice
        self._wanted = wanted

    def lay_out(
        self,
        choice: FormState,
        wanted: Wanted,
        *,
        state: Sequence[Any],
        seen: Sequence[Any],
        sent: Sent,
    ) -> None:
        """Build the form of a choice in the current page.

        Args:
            choice: What it is about.
            wanted: How videos are made, until the user says otherwise.
            state: Components with the state of the page.
            seen: Components that a sent job changes.
            sent: Returns their updates.
        """
        fields = self._controller.chooser.fields(choice)
        words = dict(zip(("provider", "feature", "model"), words_of(choice), strict=True))
        about = {**words, "first_choices": choice["first_choices"]}
        kept = [about, entries_of(fields), resting_entries(fields)]
        tips = {field.name: field.provenance for field in fields if field.provenance}
        began = [value for field in fields for value in field.initial]
        mark = form_mark(choice["serial"], words_of(choice), tips, [*kept, began])
        gr.HTML(mark, elem_classes="tm-unseen")
        samples = self._controller.chooser.samples(choice)
        example = f"Such as: {samples[0].prompt}" if samples else ""
        made = build_form(
            fields, choice["serial"], example=example, below=lambda name: self._chips(choice, name)
        )
        bar = self._lay_out_bar(choice, wanted)
        slots = dict(zip((field.name for field in fields), made.slots, strict=True))
        slots[MAX_COST] = bar.spending.problem

        def send(*given: Any) -> dict[Any, Any]:
            known = given[: len(state)]
            count, cost, others, forced, accepted, *entered = given[len(state) :]
            manner = read_wanted(count, cost, others, MOST_VARIATIONS)
            force, accept = forced is True, accepted is True
            updates = self._send(choice, slots, entered, manner, force=force, accept=accept)
            jobs = updates.pop("jobs", None)
            shown = sent(jobs[0].job_id, known) if jobs else {}
            # It is offered where it would help, and counts for one press.
            offered = bool(updates.pop("refused", False))
            return {**shown, **updates, bar.forced: gr.update(value=False, visible=offered)}

        bar.press.click(None, js="() => tiomagic.sending(true)", **EVENT_OPTIONS)
        bar.press.click(
            send,
            [*state, *bar.wanted, bar.forced, bar.accepted, *made.entries],
            [*slots.values(), bar.forced, self._notice, *seen],
            **EVENT_OPTIONS,
        ).then(None, js="() => tiomagic.sent()", **EVENT_OPTIONS)
        keep = f"(...entered) => {{ tiomagic.keep(...{json.dumps(kept)}, entered); }}"
        gr.on(
            [entry.change for entry in made.entries], None, made.entries, js=keep, **EVENT_OPTIONS
        )
        self._connect_reshaping(choice, kept, made.entries)
        self._connect_expectation(choice, bar, made.entries, _settings(fields, made.entries))

    def _lay_out_bar(self, choice: FormState, wanted: Wanted) -> _Bar:
        """Build what stands below the form: what a run takes, how many videos, the button."""
        takes = self._controller.expect(choice, wanted=wanted)
        with gr.Column(elem_id="make-bar"):
            expected = gr.HTML(takes.html, elem_id="expected")
            spending = lay_out_spending(self._controller, choice, wanted, may_cost=takes.may_cost)
            accepted = lay_out_consent(self._controller, choice)
            forced = gr.Checkbox(
                value=False,
                label=FORCE_LABEL,
                visible=False,
                interactive=True,
                elem_id="force",
                key=f"force-{choice['serial']}",
            )
            with gr.Row():
                count = gr.Dropdown(
                    [(_videos(many), many) for many in (1, 2, 3, 4, 6, 8)],
                    value=wanted["count"],
                    label="How many",
                    filterable=False,
                    interactive=True,
                    show_label=False,
                    elem_id="count",
                    key=f"count-{choice['serial']}",
                    min_width=140,
                    scale=1,
                )
                press = gr.Button(
                    "Make the video", variant="primary", elem_id="make", scale=3, min_width=180
                )
        return _Bar(
            expected=expected,
            spending=spending,
            forced=forced,
            accepted=accepted,
            count=count,
            press=press,
        )

    def _connect_reshaping(
        self, choice: FormState, kept: Sequence[Any], entries: Sequence[Any]
    ) -> None:
        """Build the form anew when a video to continue or a loop takes the place of a picture."""
        named = dict(zip(kept[1], entries, strict=True))
        found = {
            CONTINUED_VIDEO_ARGUMENT: "change",
            URL_OF.format(name=CONTINUED_VIDEO_ARGUMENT): "blur",
            LOOP_ARGUMENT: "change",
        }
        triggers = [getattr(named[name], event) for name, event in found.items() if name in named]
        shot = self._controller.chooser.shot_of(choice)
        about = json.dumps([shot.value, *kept])
        js = f"(draft, before, ...entered) => tiomagic.reshaping(...{about}, entered)"
        if triggers:
            self._chooser.connect_reshaping(triggers, entries, js)

    def _connect_expectation(
        self, choice: FormState, bar: _Bar, entries: Sequence[Any], settings: Sequence[Any]
    ) -> None:
        """Show anew what a run takes whenever a setting or the number of videos changes."""
        options = self._controller.chooser.other_providers(choice)
        cost, others = bar.spending.entries

        def expect(
            before: Wanted, count: object, limit: object, places: object, *entered: Any
        ) -> dict[Any, Any]:
            manner = read_wanted(count, limit, places, MOST_VARIATIONS)
            takes = self._controller.expect(choice, entered, manner)
            kept = keep_unseen(manner["others"], before, options)
            return {
                bar.expected: takes.html,
                cost: gr.update(visible=takes.may_cost),
                self._wanted: {**manner, "others": kept},
            }

        changed = [cost.blur, others.change, bar.count.change]
        gr.on(
            [entries[0].blur, *changed, *(entry.change for entry in settings)],
            expect,
            [self._wanted, *bar.wanted, *entries],
            [bar.expected, cost, self._wanted],
            **NEWEST_OPTIONS,
        )

    def _chips(self, choice: FormState, name: str) -> None:
        """Put buttons below a field that fill it."""
        card, feature = models()[choice["model"]], Feature(choice["feature"])
        shot = self._controller.chooser.shot_of(choice)
        chips = ""
        if name == "prompt":
            recent = self._controller.recent_prompts(choice["feature"])
            chips = try_chips(self._controller.chooser.samples(choice), recent)
        elif name == "height":
            chips = shape_chips(shapes_of(card, feature), of_length=False)
        elif name == (SECONDS if shot is Shot.CONTINUATION else "num_frames"):
            chips = shape_chips(lengths_of(card, feature, shot), of_length=True)
        if chips:
            part = gr.HTML(chips, js_on_load=CLICK_SCRIPT)
            self._chooser.connect_filling(part, self._notice)

    def _send(
        self,
        choice: FormState,
        slots: Mapping[str, Any],
        entered: Sequence[Any],
        wanted: Wanted,
        *,
        force: bool,
        accept: bool,
    ) -> dict[Any, Any]:
        """Submit jobs; return the updates of the problems, ``jobs``, and whether it is refused."""
        placed: dict[str, list[str]] = {}
        found: dict[Any, Any] = {}
        trouble = update_problems([])
        try:
            found["jobs"] = self._controller.submit(
                choice, entered, wanted, force=force, accept=accept
            )
        except ValidationError as error:
            placed, rest = group_problems_by_field(error, list(slots))
            trouble = update_problems(rest)
        except TioMagicError as error:
            trouble = update_problems([say_error(error, PAGE_WORDS)], find_ways_out(error))
            found["refused"] = error.code == ErrorCode.DOES_NOT_FIT
        problems = {slot: update_problems(placed.get(name, [])) for name, slot in slots.items()}
        return {**found, **problems, self._notice: trouble}


def _settings(fields: Sequence[Field], entries: Sequence[Any]) -> list[Any]:
    """Return the entries that change what a run takes; a prompt does not."""
    kinds = [field.widget for field in fields for _ in field.entries]
    counted = {Widget.SLIDER, Widget.NUMBER, Widget.CHOICE, Widget.WORD_OR_OBJECT}
    counted |= {Widget.KEYFRAMES, Widget.IMAGE, Widget.VIDEO}
    return [entry for entry, kind in zip(entries, kinds, strict=True) if kind in counted]


def _videos(number: int) -> str:
    return "1 video" if number == 1 else f"{number} videos"
