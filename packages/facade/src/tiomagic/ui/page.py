"""The page: builds its parts and connects their events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from tiomagic.display.escaping import escape
from tiomagic.display.next_steps import PYTHON, add_ways
from tiomagic.ui import theme
from tiomagic.ui.browser_input import read_filters, read_press, read_word
from tiomagic.ui.controller import FormState, PageController, group_problems_by_field
from tiomagic.ui.form.fields import entries_of, resting_entries
from tiomagic.ui.form.marks import form_mark
from tiomagic.ui.form.widgets import build_form, update_problems
from tiomagic.ui.jobs import compare, markup
from tiomagic.ui.jobs.gallery import JOBS_PER_PAGE, NO_FILTER, gallery
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.features import Feature

if TYPE_CHECKING:
    from tiomagic.ui.web.files import ServedFiles
    from tiomagic.wiring.session import Session

REFRESH_INTERVAL_S: Final = 1.0
"""Seconds between two polls of a page."""
CLICK_SCRIPT: Final = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (button) trigger('click', {action: button.dataset.action, job: button.dataset.job});
});
"""
"""Reports the pressed button of a job to the page."""
EVENT_OPTIONS: Final[dict[str, Any]] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "preprocess": False,
}
"""Options of every event: no loading overlay, no public API endpoint, and no preprocessing by
Gradio, because ``browser_input`` validates all input."""
CLICK_OPTIONS: Final[dict[str, Any]] = {**EVENT_OPTIONS, "trigger_mode": "multiple"}
"""The same for buttons: a press during the previous one's answer is queued, not dropped."""


def build_page(session: Session, files: ServedFiles | None = None) -> gr.Blocks:
    """Return the page over a session's jobs.

    Args:
        session: With the jobs.
        files: The files that a browser may fetch and a form may hold; None for the session's.
    """
    with gr.Blocks(title="tiomagic", analytics_enabled=False, fill_width=True) as blocks:
        Page(PageController(session, files)).lay_out(blocks)
    return blocks


class Page:
    """The parts of the page.

    Args:
        desk: What they ask.
    """

    def __init__(self, desk: PageController) -> None:
        self._controller = desk

    def lay_out(self, blocks: gr.Blocks) -> None:
        """Build all parts in the current page, and connect them."""
        first = self._controller.choose()
        self._choice = gr.State(first)
        self._draft = gr.Textbox(visible=False)
        self._shown = gr.State(None)
        self._pair = gr.State([])
        self._limit = gr.State(JOBS_PER_PAGE)
        self._mark = gr.State({})
        gr.HTML(theme.HEADER)
        with gr.Tabs() as self._tabs:
            with gr.Tab("Make", id="make"), gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=320):
                    self._lay_out_chooser(first)
                    self._lay_out_form()
                with gr.Column(scale=4, min_width=320, elem_classes="tm-side"):
                    self._notice = gr.HTML(visible=False)
                    self._running = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="running")
                    self._progress = gr.HTML(elem_classes="tm-unseen")
                    self._stage = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="stage")
            with gr.Tab("Gallery", id="gallery") as gallery_tab:
                self._lay_out_gallery()
            with gr.Tab("Compare", id="compare"):
                self._comparison = gr.HTML(compare.comparison([]), js_on_load=CLICK_SCRIPT)
        self._connect(blocks, gallery_tab)

    def _lay_out_chooser(self, first: FormState) -> None:
        desk = self._controller
        self._provider = gr.Radio(
            desk.providers(), value=first["provider"], label="Provider", interactive=True
        )
        self._feature = gr.Radio(
            [(f.label.capitalize(), f.value) for f in desk.features(first["provider"])],
            value=first["feature"],
            label="Feature",
            interactive=True,
        )
        self._model = gr.Dropdown(
            desk.models(first["provider"], first["feature"]),
            value=first["model"],
            label="Model",
            info=models()[first["model"]].description,
            filterable=False,
            interactive=True,
        )
        chooser = [self._provider, self._feature, self._model]
        for part in chooser:
            part.input(
                self._choose,
                [*chooser, self._draft, self._choice],
                [*chooser, self._choice],
                js="(...chosen) => tiomagic.choosing(chosen)",
                **CLICK_OPTIONS,
            )

    def _choose(
        self, provider: object, feature: object, model: object, draft: str, before: FormState
    ) -> dict[Any, Any]:
        wanted = read_word(provider), read_word(feature), read_word(model)
        if list(wanted) == _words(before):
            # Leaving a list also sends an event, without a choice.
            return {self._choice: gr.skip()}
        return self._chosen(self._controller.switch(*wanted, draft))

    def _chosen(self, choice: FormState) -> dict[Any, Any]:
        """Return the choice, with the updates of the parts that show it."""
        provider, feature, model = choice["provider"], choice["feature"], choice["model"]
        features = [(f.label.capitalize(), f.value) for f in self._controller.features(provider)]
        return {
            self._provider: gr.update(value=provider),
            self._feature: gr.update(choices=features, value=feature),
            self._model: gr.update(
                choices=self._controller.models(provider, feature),
                value=model,
                info=models()[model].description,
            ),
            self._choice: choice,
        }

    def _lay_out_form(self) -> None:
        def form(choice: FormState) -> None:
            fields = self._controller.fields(choice)
            tips = {field.name: field.provenance for field in fields if field.provenance}
            mark = form_mark(choice["serial"], _words(choice), tips)
            gr.HTML(mark, elem_classes="tm-unseen")
            made = build_form(fields, choice["serial"])
            press = gr.Button("Make the video", variant="primary", elem_id="make")

            names = entries_of(fields)

            def send(*given: Any) -> dict[Any, Any]:
                state, entered = given[: len(self._state)], given[len(self._state) :]
                slots = dict(zip((field.name for field in fields), made.slots, strict=True))
                return self._send(choice, slots, entered, state)

            parts = [*made.slots, self._notice, self._shown, self._mark, *self._seen.values()]
            press.click(None, js="() => tiomagic.sending(true)", **EVENT_OPTIONS)
            press.click(send, [*self._state, *made.entries], parts, **EVENT_OPTIONS).then(
                None, js="() => tiomagic.sent()", **EVENT_OPTIONS
            )
            words = {k: choice[k] for k in ("provider", "feature", "model")}
            about = json.dumps([words, names, resting_entries(fields)])
            keep = f"(...entered) => {{ tiomagic.keep(...{about}, entered); }}"
            gr.on(
                [entry.change for entry in made.entries],
                None,
                made.entries,
                js=keep,
                **EVENT_OPTIONS,
            )

        # Not while the page loads: the browser's stored draft comes first.
        with gr.Column(elem_id="form"):
            gr.render(self._choice, [self._choice.change], show_progress="hidden")(form)

    def _send(
        self,
        choice: FormState,
        slots: Mapping[str, Any],
        entered: Sequence[Any],
        state: Sequence[Any],
    ) -> dict[Any, Any]:
        placed: dict[str, list[str]] = {}
        rest: list[str] = []
        updates: dict[Any, Any] = {}
        try:
            job = self._controller.submit(choice, entered)
        except ValidationError as error:
            placed, rest = group_problems_by_field(error, list(slots))
        except TioMagicError as error:
            rest = [add_ways(error.message, PYTHON)]
        else:
            updates = {self._shown: job.job_id, **self._changes(job.job_id, *state[1:])}
        problems = {slot: update_problems(placed.get(name, [])) for name, slot in slots.items()}
        return {**updates, **problems, self._notice: update_problems(rest)}

    def _lay_out_gallery(self) -> None:
        words = [(word, status.value) for status, word in markup.STATUS_LABELS.items()]
        features = [(feature.label.capitalize(), feature.value) for feature in Feature]
        names = [(card.title, card.name) for card in models().values()]
        with gr.Row():
            text = gr.Textbox("", label="Search the prompts", elem_id="search", scale=2)
            every = ("All", NO_FILTER)
            status = gr.Dropdown([every, *words], value=NO_FILTER, label="Status", filterable=False)
            feature = gr.Dropdown(
                [every, *features], value=NO_FILTER, label="Feature", filterable=False
            )
            model = gr.Dropdown([every, *names], value=NO_FILTER, label="Model", filterable=False)
        self._filters = [text, status, feature, model]
        self._cards = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="cards")
        self._more = gr.Button("Show more", visible=False)

    def _connect(self, blocks: gr.Blocks, gallery_tab: gr.Tab) -> None:
        self._seen = {
            "running": self._running,
            "progress": self._progress,
            "stage": self._stage,
            "cards": self._cards,
            "more": self._more,
            "comparison": self._comparison,
        }
        self._state = [self._shown, self._mark, *self._filters, self._limit, self._pair]
        seen = [self._mark, *self._seen.values()]
        for part in self._filters:
            part.change(self._changes, self._state, seen, **EVENT_OPTIONS)
        gallery_tab.select(self._changes, self._state, seen, **EVENT_OPTIONS)
        self._more.click(
            lambda limit: limit + JOBS_PER_PAGE, self._limit, self._limit, **EVENT_OPTIONS
        ).then(self._changes, self._state, seen, **EVENT_OPTIONS)
        chosen = [self._choice, self._provider, self._feature, self._model]
        acted = [*chosen, self._tabs, self._shown, self._pair, self._notice, *seen]
        for part in (self._running, self._stage, self._cards, self._comparison):
            part.click(self._act, self._state, acted, **CLICK_OPTIONS)
        opened = [*chosen, self._shown, *seen]
        blocks.load(
            self._open,
            [self._draft, *self._state],
            opened,
            js="(_, ...state) => [tiomagic.kept(), ...state]",
            **EVENT_OPTIONS,
        )
        gr.Timer(REFRESH_INTERVAL_S).tick(
            self._refresh_page,
            self._state,
            [self._shown, *seen],
            concurrency_limit=4,
            **EVENT_OPTIONS,
        )

    def _open(self, draft: str, _: Any, *state: Any) -> dict[Any, Any]:
        """Show the stored jobs, the newest one large, and the stored draft of the form."""
        newest = self._controller.newest()
        shown = newest.job_id if newest else None
        chosen = self._chosen(self._controller.restore_draft(draft))
        return {**chosen, self._shown: shown, **self._changes(shown, *state)}

    def _refresh_page(
        self, shown: str | None, mark: dict[str, Any], *narrow: Any
    ) -> dict[Any, Any]:
        """Look again."""
        return self._changes(shown, mark, *narrow) if mark else {self._mark: gr.skip()}

    def _changes(self, shown: str | None, mark: dict[str, Any], *narrow: Any) -> dict[Any, Any]:
        """Return the changed parts only, so that videos play on.

        The mark describes what this page was sent last. If two answers arrive out of order, the
        next poll corrects the page.

        Args:
            shown: Id of the job that is shown large.
            mark: What the page shows.
            narrow: The gallery's filters, its number of jobs, and the compared jobs.
        """
        *filters, limit, pair = narrow
        wanted = read_filters(*filters)
        moments = self._controller.live.snapshot()
        cards, more = gallery(self._controller.session, wanted, limit=limit, compared=pair)
        now = {
            "running": markup.render_running(moments),
            "progress": markup.render_progress(moments),
            "stage": markup.render_selected(self._controller.find(shown)),
            "cards": cards,
            "more": gr.update(visible=more),
            "comparison": compare.comparison(self._controller.completed_jobs(pair)),
        }
        changed = {
            self._seen[name]: value for name, value in now.items() if mark.get(name) != value
        }
        return {**changed, self._mark: now}

    def _act(self, event: gr.EventData, *state: Any) -> dict[Any, Any]:
        """Run the action of a job's button."""
        shown, mark, *narrow, pair = state
        updates: dict[Any, Any] = {self._notice: update_problems([])}
        press = read_press(event)
        try:
            updates |= self._acted(press.action, press.job_id, pair) if press else {}
        except TioMagicError as error:
            # The message is shown as HTML, and may contain text of a job.
            gr.Warning(escape(add_ways(error.message, PYTHON)))
        shown, pair = updates.get(self._shown, shown), updates.get(self._pair, pair)
        return {**updates, **self._changes(shown, mark, *narrow, pair)}

    def _acted(self, action: str, job_id: str, pair: list[str]) -> dict[Any, Any]:
        make = gr.Tabs(selected="make")
        match action:
            case "show":
                return {self._shown: job_id, self._tabs: make}
            case "again" | "retry":
                job = self._controller.rerun(job_id, new_seed=action == "again")
                return {self._shown: job.job_id, self._tabs: make}
            case "use":
                return {**self._chosen(self._controller.settings_of(job_id)), self._tabs: make}
            case "compare":
                pair = compare.toggle_compared(pair, job_id)
                return {self._pair: [job.job_id for job in self._controller.completed_jobs(pair)]}
            case "cancel":
                self._controller.cancel(job_id)
            case "delete":
                self._controller.delete(job_id)
        return {}


def _words(choice: FormState) -> list[str]:
    return [choice["provider"], choice["feature"], choice["model"]]
