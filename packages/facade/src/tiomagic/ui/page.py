"""The page: builds its parts and connects their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from tiomagic.display.escaping import escape
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error
from tiomagic.ui import theme
from tiomagic.ui.browser_input import Press, Wanted, read_filters, read_kept_wanted, read_press
from tiomagic.ui.choosing import FormState
from tiomagic.ui.controller import PageController
from tiomagic.ui.form.widgets import update_notice, update_problems
from tiomagic.ui.jobs import bars, compare, markup
from tiomagic.ui.jobs.gallery import JOBS_PER_PAGE, gallery
from tiomagic.ui.layout.chooser import ChooserPart
from tiomagic.ui.layout.gallery_tab import GalleryTab
from tiomagic.ui.layout.making_form import MakingForm
from tiomagic.ui.layout.options import CLICK_OPTIONS, CLICK_SCRIPT, EVENT_OPTIONS
from tiomagic_domain.errors import TioMagicError

if TYPE_CHECKING:
    from tiomagic.ui.web.files import ServedFiles
    from tiomagic.wiring.session import Session

REFRESH_INTERVAL_S: Final = 1.0
"""Seconds between two polls of a page."""


def build_page(
    session: Session, files: ServedFiles | None = None, *, can_log_out: bool = False
) -> gr.Blocks:
    """Return the page over a session's jobs.

    Args:
        session: With the jobs.
        files: The files that a browser may fetch and a form may hold; None for the session's.
        can_log_out: True for a page with a login.
    """
    with gr.Blocks(title="tiomagic", analytics_enabled=False, fill_width=True) as blocks:
        Page(PageController(session, files), can_log_out=can_log_out).lay_out(blocks)
    return blocks


class Page:
    """The parts of the page.

    Args:
        controller: The use cases.
        can_log_out: True for a page with a login.
    """

    def __init__(self, controller: PageController, *, can_log_out: bool = False) -> None:
        self._controller = controller
        self._can_log_out = can_log_out

    def lay_out(self, blocks: gr.Blocks) -> None:
        """Build all parts in the current page, and connect them."""
        first = self._controller.chooser.choose()
        self._choice = gr.State(first)
        self._draft = gr.Textbox(visible=False)
        self._kept_wanted = gr.Textbox(visible=False)
        self._shown = gr.State(None)
        self._pair = gr.State([])
        self._limit = gr.State(JOBS_PER_PAGE)
        self._mark = gr.State({})
        self._wanted = gr.State(self._controller.first_wanted())
        self._chooser = ChooserPart(self._controller, self._draft, self._choice)
        gr.HTML(theme.header(can_log_out=self._can_log_out))
        with gr.Tabs() as self._tabs:
            with gr.Tab("Make", id="make"), gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=320):
                    self._chooser.lay_out(first)
                    # Not while the page loads: the browser's stored draft comes first.
                    with gr.Column(elem_id="form"):
                        gr.render(
                            [self._choice, self._wanted],
                            [self._choice.change],
                            show_progress="hidden",
                        )(self._lay_out_form)
                with gr.Column(scale=4, min_width=320, elem_classes="tm-side"):
                    self._notice = gr.HTML(visible=False, js_on_load=CLICK_SCRIPT)
                    self._running = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="running")
                    self._progress = gr.HTML(elem_classes="tm-unseen")
                    self._previews = gr.HTML(elem_classes="tm-unseen")
                    self._stage = gr.HTML(js_on_load=CLICK_SCRIPT, elem_id="stage")
            with gr.Tab("Gallery", id="gallery") as gallery_tab:
                self._gallery = GalleryTab()
            with gr.Tab("Compare", id="compare") as self._compare_tab:
                self._comparison = gr.HTML(compare.comparison([]), js_on_load=CLICK_SCRIPT)
        self._connect(blocks, gallery_tab)

    def _lay_out_form(self, choice: FormState, wanted: Wanted) -> None:
        making = MakingForm(self._controller, self._chooser, self._notice, self._wanted)
        seen = [self._shown, self._mark, *self._seen.values()]
        making.lay_out(choice, wanted, state=self._state, seen=seen, sent=self._show_sent)

    def _show_sent(self, job_id: str, state: Sequence[Any]) -> dict[Any, Any]:
        return {self._shown: job_id, **self._changes(job_id, *state[1:])}

    def _connect(self, blocks: gr.Blocks, gallery_tab: gr.Tab) -> None:
        tab = self._gallery
        self._seen = {
            "running": self._running,
            "progress": self._progress,
            "previews": self._previews,
            "stage": self._stage,
            "cards": tab.cards,
            "more": tab.more,
            "comparison": self._comparison,
            "compared": self._compare_tab,
        }
        self._state = [self._shown, self._mark, *tab.filters, self._limit, self._pair]
        seen = [self._mark, *self._seen.values()]
        self._chooser.connect(self._notice)
        for part in tab.filters:
            part.change(self._changes, self._state, seen, **EVENT_OPTIONS)
        gallery_tab.select(self._changes, self._state, seen, **EVENT_OPTIONS)
        tab.more.click(
            lambda limit: limit + JOBS_PER_PAGE, self._limit, self._limit, **EVENT_OPTIONS
        ).then(self._changes, self._state, seen, **EVENT_OPTIONS)
        chosen = self._chooser.outputs
        acted = [*chosen, self._tabs, self._shown, self._pair, self._notice, tab.tag, *seen]
        for part in (self._running, self._stage, tab.cards, tab.dialog, self._comparison):
            part.click(self._act, self._state, acted, **CLICK_OPTIONS)
        blocks.load(
            self._open,
            [self._draft, self._kept_wanted, *self._state],
            [*chosen, self._wanted, self._shown, *seen],
            js="(draft, wanted, ...state) => [tiomagic.kept(), tiomagic.wanted(), ...state]",
            **EVENT_OPTIONS,
        )
        gr.Timer(REFRESH_INTERVAL_S).tick(
            self._refresh_page,
            self._state,
            [self._shown, *seen],
            concurrency_limit=4,
            **EVENT_OPTIONS,
        )

    def _open(self, draft: str, wanted: str, _: Any, *state: Any) -> dict[Any, Any]:
        """Show the stored jobs, the newest one large, and the stored draft of the form."""
        newest = self._controller.newest()
        shown = newest.job_id if newest else None
        chosen = self._chooser.updates(self._controller.chooser.restore_draft(draft))
        manner = read_kept_wanted(wanted, self._controller.first_wanted())
        changes = self._changes(shown, *state)
        return {**chosen, self._wanted: manner, self._shown: shown, **changes}

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
            "running": bars.render_running(moments),
            "progress": bars.render_progress(moments),
            "previews": bars.render_previews(moments),
            "stage": markup.render_selected(self._controller.find(shown)),
            "cards": cards,
            "more": gr.update(visible=more),
            "comparison": compare.comparison(self._controller.completed_jobs(pair)),
            "compared": gr.update(label=f"Compare ({len(pair)})" if pair else "Compare"),
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
            updates |= self._acted(press, pair) if press else {}
        except TioMagicError as error:
            # The message is shown as HTML, and may contain text of a job.
            gr.Warning(escape(say_error(error, PAGE_WORDS)))
        # A filter that the action sets counts at once.
        filters = [
            updates.get(part, value)
            for part, value in zip(self._gallery.filters, narrow, strict=False)
        ]
        narrow = [*filters, *narrow[len(filters) :]]
        # A job that was deleted is not shown any more.
        at = updates.get(self._shown, shown)
        return {**updates, **self._changes(at, mark, *narrow, updates.get(self._pair, pair))}

    def _acted(self, press: Press, pair: list[str]) -> dict[Any, Any]:
        """Do what a button says, and return the updates of what it shows."""
        make, job_id = gr.update(selected="make"), press.job_id
        match press.action:
            case "show":
                return {self._shown: job_id, self._tabs: make}
            case "again" | "retry" | "more":
                job = self._controller.repeat(press.action, job_id)
                return {self._shown: job.job_id, self._tabs: make}
            case "use":
                choice = self._controller.settings_of(job_id)
                return {**self._chooser.updates(choice), self._tabs: make}
            case "continue":
                choice, notes = self._controller.continue_job(job_id)
                told = {self._notice: update_notice(notes)}
                return {**self._chooser.updates(choice), **told, self._tabs: make}
            case "compare" | "open-compare" | "tag":
                return self._selected(press, pair)
        self._controller.change(press)
        return {}

    def _selected(self, press: Press, pair: list[str]) -> dict[Any, Any]:
        """Choose videos to compare, or a tag to look for."""
        match press.action:
            case "compare":
                pair = compare.toggle_compared(pair, press.job_id)
                return {self._pair: [job.job_id for job in self._controller.completed_jobs(pair)]}
            case "tag":
                return {self._gallery.tag: press.job_id}
        return {self._tabs: gr.update(selected="compare")}
