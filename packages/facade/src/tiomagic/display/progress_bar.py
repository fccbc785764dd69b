"""Progress bars: on stderr, or below the cell of a notebook."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from tiomagic.display import streams
from tiomagic.display.notebook import NotebookProgressBar, is_notebook
from tiomagic.display.streams import is_terminal, write, write_data
from tiomagic_domain.progress import EtaEstimator, Phase, Progress, ProgressSink, ignore_progress
from tiomagic_domain.quantities import describe_duration
from tiomagic_domain.text import escape_control_characters as shown_text

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

ProgressChoice: TypeAlias = bool | ProgressSink | None
"""The display: None for a bar on a terminal or in a notebook only, True for a bar or plain lines,
False for nothing. A callable shows nothing and gets each event, as ``on_progress`` does."""


def is_animated() -> bool:
    """Return whether stderr is a terminal for a moving bar."""
    dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("CI"))
    return is_terminal(sys.stderr) and not dumb


@contextmanager
def show_progress(
    choice: ProgressChoice, title: str, on_progress: ProgressSink | None = None
) -> Iterator[ProgressSink]:
    """Yield a progress sink with the chosen display, which also passes events on.

    Args:
        choice: See :data:`ProgressChoice`.
        title: What is running.
        on_progress: Gets each event too; its exception ends the run or the wait.
    """
    with _display(choice, title) as display:
        yield display if on_progress is None else _both(display, on_progress)


def _both(first: ProgressSink, second: ProgressSink) -> ProgressSink:
    def take(progress: Progress) -> None:
        first(progress)
        second(progress)

    return take


@contextmanager
def _display(choice: ProgressChoice, title: str) -> Iterator[ProgressSink]:
    if callable(choice):
        yield choice
    elif choice is not False and is_notebook():
        with NotebookProgressBar(title) as meter:
            yield meter.update
    elif choice is not False and is_animated():
        with _bar(title) as bar:
            yield _stop_after_write_error(bar)
    elif choice:
        yield _stop_after_write_error(ProgressLines(title))
    else:
        yield ignore_progress


def _stop_after_write_error(display: ProgressSink) -> ProgressSink:
    """Return a display that stops after its first write error; the run continues."""
    seen = True

    def show(progress: Progress) -> None:
        nonlocal seen
        if not seen:
            return
        try:
            display(progress)
        except Exception:  # noqa: BLE001 - the reader has left, or a host's console has its moods
            seen = False

    return show


class ProgressLines:
    """One line a phase, and one each quarter of a long one: few enough for a log file."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last: tuple[Phase, int, str] | None = None

    def __call__(self, progress: Progress) -> None:
        """Write a line when there is something new."""
        mark = (progress.phase, int(4 * (progress.fraction or 0)), progress.note)
        if mark != self._last:
            self._last = mark
            write_data(sys.stderr, f"{self._title}: {progress}\n")


class ProgressBar:
    """A bar for the phase that runs; below it what it waits for, or the file of a download."""

    def __init__(
        self, display: RichProgress, title: str, show_below: Callable[[str], None]
    ) -> None:
        from rich.markup import escape  # noqa: PLC0415  # Heavy.

        self._display = display
        self._title = title
        self._show_below = show_below
        self._phase: Phase | None = None
        self._pace = EtaEstimator(time.monotonic)
        # Before the first event, too, which may take seconds: libraries are imported until then.
        self._task: TaskID | None = display.add_task(
            escape(shown_text(f"{title}: starting")), total=None, state=""
        )

    def __call__(self, progress: Progress) -> None:
        """Move the bar, or begin the next one."""
        from rich.markup import escape  # noqa: PLC0415  # Heavy.

        download = progress.download
        if progress.phase is not self._phase or self._task is None:
            if self._task is not None:
                self._display.remove_task(self._task)
            self._phase = progress.phase
            self._task = self._display.add_task("", total=None, state="")
        words = f"{self._title}: {progress.phase}"
        done, total = progress.step, progress.steps
        state = self._describe_steps(progress)
        below = f"  {progress.note}" if progress.note else ""
        if download is not None:
            words, state = self._title, download.summary
            done, total = download.bytes_done, download.bytes_total
            below = f"  file {download.number} of {download.files}: {download.file}"
        self._show_below(shown_text(below))
        self._display.update(
            self._task,
            description=escape(shown_text(words)),
            completed=done,
            total=total or None,
            state=escape(state),
        )

    def _describe_steps(self, progress: Progress) -> str:
        """Return the steps, and the time that the rest of this phase takes if it is known."""
        left_s = self._pace.eta_s(progress)
        if not progress.steps:
            return ""
        left = "" if left_s is None else f", {describe_duration(left_s)} left"
        return f"{progress.step}/{progress.steps}{left}"


@contextmanager
def _bar(title: str) -> Iterator[ProgressSink]:
    from rich import progress as rich  # noqa: PLC0415  # Heavy.
    from rich.console import Console, RenderableType  # noqa: PLC0415  # Heavy.
    from rich.text import Text  # noqa: PLC0415  # Heavy.

    below = ""

    class Display(rich.Progress):
        """Bars with a line below them."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            if below:
                yield Text(below, style="dim", no_wrap=True, overflow="ellipsis")

    def show_below(text: str) -> None:
        nonlocal below
        below = text

    columns = (
        rich.TextColumn("{task.description}"),
        # It takes the room that the texts leave.
        rich.BarColumn(bar_width=None),
        rich.TextColumn("{task.fields[state]}"),
    )
    # rich follows NO_COLOR by itself.
    console = Console(file=streams.wrap_for_rich(sys.stderr))
    with Display(
        *columns, rich.TimeElapsedColumn(), console=console, transient=True, expand=True
    ) as display:
        yield ProgressBar(display, title, show_below)


@contextmanager
def show_item_count(
    title: str, total: int, *, choice: bool | None
) -> Iterator[Callable[[str], None]]:
    """Yield a function that counts finished parts, each with a text.

    Args:
        title: What is running.
        total: How many parts.
        choice: None for a bar on a terminal or in a notebook only, True for a bar or plain lines,
            False for nothing.
    """
    if choice is False or not (choice or is_animated() or is_notebook()):
        yield lambda _: None
    elif is_notebook():
        with NotebookProgressBar(title) as meter:
            meter.show(f"0/{total}", 0.0)
            done = 0

            def move(word: str) -> None:
                nonlocal done
                done += 1
                meter.show(f"{done}/{total} {word}", done / total)

            yield move
    elif is_animated():
        from rich import progress as rich  # noqa: PLC0415  # Heavy.
        from rich.console import Console  # noqa: PLC0415  # Heavy.
        from rich.markup import escape  # noqa: PLC0415  # Heavy.

        columns = (*rich.Progress.get_default_columns()[:2], rich.MofNCompleteColumn())
        console = Console(file=streams.wrap_for_rich(sys.stderr))
        with rich.Progress(*columns, rich.TimeElapsedColumn(), console=console) as display:
            task = display.add_task(escape(shown_text(title)), total=total)
            yield lambda _: display.advance(task)
    else:
        done = 0

        def advance(word: str) -> None:
            nonlocal done
            done += 1
            write(sys.stderr, f"{title}: {done}/{total} {word}\n")

        yield advance
