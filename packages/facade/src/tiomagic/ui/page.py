"""The page: its parts, and what each does to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from tiomagic.ui import compare, look, markup
from tiomagic.ui.desk import Choice, Desk, by_field
from tiomagic.ui.form import Field, entries_of
from tiomagic.ui.gallery import ANY, PAGE, Filters, gallery
from tiomagic.ui.maker import shown_problems, widgets
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs import JobStatus

if TYPE_CHECKING:
    from tiomagic.session import Session

TICK_S: Final = 1.0
"""Seconds between two looks of a page at the jobs."""
PRESSES: Final = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (button) trigger('click', {action: button.dataset.action, job: button.dataset.job});
});
"""
"""Tells the page which button of a job was pressed."""
QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}
"""How every event is handled: no veil over what is there, and no address for programs."""
TO_PROBLEM: Final = """() => setTimeout(() => {
  const box = document.querySelector('.tm-problem');
  if (box) box.scrollIntoView({block: 'center'});
}, 100)"""


def build_page(session: Session) -> gr.Blocks:
    """Return the page over a session's jobs."""
    with gr.Blocks(title="tiomagic", analytics_enabled=False, fill_width=True) as blocks:
        Page(Desk(session)).lay_out(blocks)
    return blocks


class Page:
    """The parts of the page.

    Args:
        desk: What they ask.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def lay_out(self, blocks: gr.Blocks) -> None:
        """Make all parts within the current page, and connect them."""
        first = self._desk.choose(self._desk.providers()[0])
        self._choice = gr.State(first)
        self._shown = gr.State(None)
        self._pair = gr.State([])
        self._limit = gr.State(PAGE)
        self._mark = gr.State({})
        gr.HTML(look.HEADER)
        with gr.Tabs() as self._tabs:
            with gr.Tab("Make", id="make"), gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=320):
                    self._lay_out_chooser(first)
                    self._lay_out_form(blocks)
                with gr.Column(scale=4, min_width=320, elem_classes="tm-side"):
                    self._notice = gr.HTML(visible=False)
                    self._running = gr.HTML(js_on_load=PRESSES, elem_id="running")
                    self._stage = gr.HTML(js_on_load=PRESSES, elem_id="stage")
            with gr.Tab("Gallery", id="gallery") as gallery_tab:
                self._lay_out_gallery()
            with gr.Tab("Compare", id="compare"):
                self._comparison = gr.HTML(compare.comparison([]), js_on_load=PRESSES)
        self._connect(blocks, gallery_tab)

    def _lay_out_chooser(self, first: Choice) -> None:
        desk = self._desk
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
            part.input(self._choose, chooser, [*chooser, self._choice], **QUIET)

    def _choose(self, provider: str, feature: str, model: str) -> tuple[Any, ...]:
        choice = self._desk.choose(provider, feature, model)
        return (*self._chooser(choice), choice)

    def _chooser(self, choice: Choice) -> tuple[Any, Any, Any]:
        """Return the updates of the three parts that show a choice."""
        provider, feature, model = choice["provider"], choice["feature"], choice["model"]
        features = [(f.label.capitalize(), f.value) for f in self._desk.features(provider)]
        return (
            gr.update(value=provider),
            gr.update(choices=features, value=feature),
            gr.update(
                choices=self._desk.models(provider, feature),
                value=model,
                info=models()[model].description,
            ),
        )

    def _lay_out_form(self, blocks: gr.Blocks) -> None:
        def form(choice: Choice) -> None:
            fields = self._desk.fields(choice)
            made = widgets(fields, choice["serial"])
            press = gr.Button("Make the video", variant="primary", elem_id="make")

            def send(*entered: Any) -> list[Any]:
                return self._send(
                    choice, fields, dict(zip(entries_of(fields), entered, strict=True))
                )

            parts = [*made.slots, self._notice, self._shown, self._running, self._stage]
            for trigger in (press.click, made.entries[0].submit):
                trigger(send, made.entries, parts, **QUIET).then(None, js=TO_PROBLEM)

        triggers = [blocks.load, self._choice.change]
        gr.render(inputs=[self._choice], triggers=triggers, show_progress="hidden")(form)

    def _send(self, choice: Choice, fields: list[Field], entered: dict[str, Any]) -> list[Any]:
        names = [field.name for field in fields]
        try:
            job = self._desk.submit(choice, entered)
        except ValidationError as error:
            placed, rest = by_field(error, names)
            slots = [shown_problems(placed.get(name, [])) for name in names]
            return [*slots, shown_problems(rest), gr.skip(), gr.skip(), gr.skip()]
        except TioMagicError as error:
            slots = [shown_problems([]) for _ in names]
            return [*slots, shown_problems([error.message]), gr.skip(), gr.skip(), gr.skip()]
        slots = [shown_problems([]) for _ in names]
        now = markup.running(self._desk.live.moments())
        return [*slots, shown_problems([]), job.job_id, now, markup.stage(job)]

    def _lay_out_gallery(self) -> None:
        words = [(word, status.value) for status, word in markup.WORDS.items()]
        features = [(feature.label.capitalize(), feature.value) for feature in Feature]
        names = [(card.title, card.name) for card in models().values()]
        with gr.Row():
            text = gr.Textbox("", label="Search the prompts", elem_id="search", scale=2)
            every = ("All", ANY)
            status = gr.Dropdown([every, *words], value=ANY, label="Status", filterable=False)
            feature = gr.Dropdown([every, *features], value=ANY, label="Feature", filterable=False)
            model = gr.Dropdown([every, *names], value=ANY, label="Model", filterable=False)
        self._filters = [text, status, feature, model]
        self._cards = gr.HTML(js_on_load=PRESSES, elem_id="cards")
        self._more = gr.Button("Show more", visible=False)

    def _connect(self, blocks: gr.Blocks, gallery_tab: gr.Tab) -> None:
        wall = [self._cards, self._more]
        narrow = [*self._filters, self._limit, self._pair]
        for part in self._filters:
            part.change(self._fill_gallery, narrow, wall, **QUIET)
        gallery_tab.select(self._fill_gallery, narrow, wall, **QUIET)
        self._more.click(lambda limit: limit + PAGE, self._limit, self._limit, **QUIET).then(
            self._fill_gallery, narrow, wall, **QUIET
        )
        acted = [
            *(self._choice, self._provider, self._feature, self._model, self._tabs),
            *(self._shown, self._stage, self._running, self._pair, self._comparison),
            *(self._notice, *wall),
        ]
        for part in (self._running, self._stage, self._cards, self._comparison):
            part.click(self._act, narrow, acted, **QUIET)
        looked = [self._shown, self._running, self._stage, self._mark, *wall]
        blocks.load(self._open, None, [*looked], **QUIET)
        gr.Timer(TICK_S).tick(
            self._tick, [self._shown, self._mark, *narrow], looked, concurrency_limit=4, **QUIET
        )

    def _open(self) -> tuple[Any, ...]:
        """Show what the store holds: the newest job, what runs, and the gallery."""
        newest = self._desk.newest()
        shown = newest.job_id if newest else None
        return (shown, *self._tick(shown, {}, "", ANY, ANY, ANY, PAGE, [])[1:])

    def _tick(self, shown: str | None, mark: dict[str, Any], *narrow: Any) -> tuple[Any, ...]:
        """Return what has changed; what is as it was is left alone, so that videos play on."""
        moments = self._desk.live.moments()
        job = self._desk.find(shown)
        seen = {
            "running": markup.running(moments),
            "stage": (job.job_id, job.status.value) if job else None,
            "active": [(moment.job.job_id, moment.job.status.value) for moment in moments],
        }
        changed = {name for name, value in seen.items() if name not in mark or mark[name] != value}
        if not changed:
            return (gr.skip(),) * 6
        wall = self._fill_gallery(*narrow) if "active" in changed else (gr.skip(), gr.skip())
        return (
            # Never the job itself: a look that began before a button was pressed would undo it.
            gr.skip(),
            seen["running"] if "running" in changed else gr.skip(),
            markup.stage(job) if "stage" in changed else gr.skip(),
            seen,
            *wall,
        )

    def _fill_gallery(self, *narrow: Any) -> tuple[Any, Any]:
        text, status, feature, model, limit, pair = narrow
        # A part of a tab that was never opened holds nothing.
        filters = Filters(
            text=text or "", status=status or ANY, feature=feature or ANY, model=model or ANY
        )
        cards, more = gallery(self._desk.session, filters, limit=limit, compared=pair)
        return cards, gr.update(visible=more)

    def _act(self, event: gr.EventData, *narrow: Any) -> dict[Any, Any]:
        """Do what a button of a job says."""
        pair = narrow[-1]
        updates: dict[Any, Any] = {self._notice: shown_problems([])}
        try:
            updates |= self._acted(event.action, event.job, pair)
        except TioMagicError as error:
            gr.Warning(error.message)
        narrow = (*narrow[:-1], updates.get(self._pair, pair))
        updates[self._cards], updates[self._more] = self._fill_gallery(*narrow)
        return updates

    def _acted(self, action: str, job_id: str, pair: list[str]) -> dict[Any, Any]:
        match action:
            case "show":
                return self._showing(job_id)
            case "again":
                return self._showing(self._desk.again(job_id).job_id)
            case "use":
                choice = self._desk.settings_of(job_id)
                parts = (self._provider, self._feature, self._model)
                chooser = dict(zip(parts, self._chooser(choice), strict=True))
                return {**chooser, self._choice: choice, self._tabs: gr.Tabs(selected="make")}
            case "compare":
                return self._comparing(compare.chosen(pair, job_id))
            case "cancel":
                self._desk.cancel(job_id)
            case "delete":
                self._desk.delete(job_id)
                return self._comparing([other for other in pair if other != job_id])
        return {self._running: markup.running(self._desk.live.moments())}

    def _showing(self, job_id: str) -> dict[Any, Any]:
        job = self._desk.find(job_id)
        return {
            self._shown: job_id,
            self._stage: markup.stage(job),
            self._tabs: gr.Tabs(selected="make"),
        }

    def _comparing(self, pair: list[str]) -> dict[Any, Any]:
        jobs = [job for job in map(self._desk.find, pair) if job is not None]
        done = [job for job in jobs if job.status is JobStatus.COMPLETED]
        return {
            self._pair: [job.job_id for job in done],
            self._comparison: compare.comparison(done),
        }
