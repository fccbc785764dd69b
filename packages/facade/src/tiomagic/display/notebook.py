"""Display in notebooks: a progress bar, the player of a job, a table. No scripts; works offline."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from tiomagic.display.escaping import escape, replace_invalid_characters
from tiomagic.display.next_steps import PYTHON, add_ways
from tiomagic.display.prices import describe_job_cost
from tiomagic_domain.quantities import describe_duration
from tiomagic_domain.schema.keyframes import describe_keyframes

if TYPE_CHECKING:
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.progress import Progress

MAX_INLINE_VIDEO_BYTES: Final = 8 * 2**20
"""A video up to this size is embedded; of a larger one the path is shown, since every saved copy of
the notebook would contain it."""
PREVIEW_TEXT: Final = "Preview: the beginning, the middle and the end of the unfinished video"
"""What a preview shows, for those who cannot see it."""
VALUE_CHARACTERS: Final = 200
"""Most characters of a value in the table."""


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook; plain IPython is a terminal."""
    # A kernel has imported IPython already; other processes must not pay for the import.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookProgressBar:
    """A bar below the running cell. It stays, with the time that the run took.

    Args:
        title: What is running.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._text = ""
        self._fraction: float | None = None
        self._picture = ""
        self._began = time.monotonic()
        self._display: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._display is None:
            return  # No event: the call was refused, or runs elsewhere.
        took = f"{time.monotonic() - self._began:.0f} s"
        if kind is None:
            self._picture = ""  # The player shows the video itself.
            self.show(f"done in {took}", 1.0)
        else:
            self.show(f"stopped after {took}, at: {self._text}", self._fraction or 0.0)

    def update(self, progress: Progress) -> None:
        """Show a progress event, and below it the newest preview."""
        if progress.preview is not None:
            source = base64.b64encode(progress.preview).decode("ascii")
            self._picture = (
                f'<img src="data:image/jpeg;base64,{source}" style="max-width:100%" '
                f'alt="{PREVIEW_TEXT}">'
            )
        self.show(str(progress), progress.fraction)

    def show(self, text: str, fraction: float | None) -> None:
        """Move the bar.

        Args:
            text: The current work.
            fraction: 0.0 to 1.0; None moves it to and fro.
        """
        from IPython.display import display  # noqa: PLC0415  # A notebook has it.

        self._text, self._fraction = text, fraction
        shown_text = f"{self._title}: {text}"
        value = "" if fraction is None else f' value="{fraction:.3f}"'
        shown = {
            "text/html": f'<div style="font-family:sans-serif"><progress max="1"{value} '
            f'aria-label="{escape(shown_text)}" style="width:16em;max-width:50%">'
            f"</progress> {escape(shown_text)}</div>{self._picture}",
            "text/plain": replace_invalid_characters(shown_text),
        }
        if self._display is None:
            begin: Callable[..., Any] = display
            self._display = begin(shown, raw=True, display_id=True)
        else:
            self._display.update(shown, raw=True)


def show_job(job: Job) -> None:
    """Show the player of a job below the running cell."""
    from IPython.display import display  # noqa: PLC0415  # A notebook has it.

    begin: Callable[..., Any] = display
    shown = {"text/html": render_job(job), "text/plain": str(job.result_video)}
    begin(shown, raw=True, display_id=True)


def render_job(job: Job) -> str:
    """Return the player of a job's video with its settings; its state when there is none."""
    return (
        '<div style="max-width:640px;font-family:sans-serif">'
        f"{_player(job)}"
        f"<p><strong>{escape(job.model)}</strong> · {escape(job.feature.label)} · "
        f"{escape(job.provider)} · {escape(job.status.value)}{escape(_numbers(job))}</p>"
        f"{_warnings(job)}"
        f"<details><summary>Settings</summary><table>{_rows(job)}</table></details></div>"
    )


def _player(job: Job) -> str:
    if job.result_video is None:
        shown_text = job.error or job.progress or job.message or job.status
        return f"<p>{escape(add_ways(str(shown_text), PYTHON))}</p>"
    path = Path(job.result_video)
    try:
        # A record may name something else than a video, such as an endless device, or a key.
        is_video = path.suffix.lower() == ".mp4" and path.is_file()
        size = path.stat().st_size if is_video else None
        data = path.read_bytes() if size is not None and size <= MAX_INLINE_VIDEO_BYTES else None
    except (OSError, ValueError):
        size = None
    if size is None:
        return f"<p>The video is gone: <code>{escape(path)}</code></p>"
    if data is None:
        mib = size / 2**20
        return f"<p>The video is at <code>{escape(path)}</code> ({mib:.0f} MiB).</p>"
    source = base64.b64encode(data).decode("ascii")
    about = escape(str(job.arguments.get("prompt", "")))
    return (
        '<video controls loop muted playsinline style="max-width:100%;min-width:256px" '
        f'aria-label="{about}" src="data:video/mp4;base64,{source}"></video>'
    )


def _numbers(job: Job) -> str:
    """Return the seed, the length of the video, and what it took and cost, as far as known."""
    said = []
    seed = job.arguments.get("seed")
    if seed is not None:
        said.append(f"seed {seed}")
    frames, fps = job.facts.get("frames"), job.facts.get("fps")
    if isinstance(frames, int) and isinstance(fps, int | float) and fps > 0:
        said.append(f"{frames / fps:.1f} s of video")
    phases = job.facts.get("seconds")
    if isinstance(phases, Mapping) and job.result_video is not None:
        took = sum(value for value in phases.values() if isinstance(value, int | float))
        said.append(f"made in {describe_duration(took)}")
    cost = describe_job_cost(job.facts)
    if cost is not None:
        said.append(cost)
    return "".join(f" · {one}" for one in said)


def _warnings(job: Job) -> str:
    from tiomagic.display.phrases.job_warnings import say_job_warnings  # noqa: PLC0415  # Seldom.
    from tiomagic.display.phrases.vocabulary import PYTHON_WORDS  # noqa: PLC0415  # The same.

    return "".join(f"<p>⚠ {escape(text)}</p>" for text in say_job_warnings(job, PYTHON_WORDS))


def _rows(job: Job) -> str:
    return "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(_short(value))}</td></tr>'
        for name, value in {"job": job.job_id, **job.arguments}.items()
    )


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "sha256" in value:  # A picture or a video that was given.
        name = str(value.get("name") or str(value["sha256"])[:12])
        value = f"{name}, {value.get('width', '?')}x{value.get('height', '?')}"
    text = describe_keyframes(value) or str(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"
