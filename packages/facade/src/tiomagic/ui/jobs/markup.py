"""Renders jobs as HTML. All text of a job is escaped here.

A record may come from another version, another machine or an untrusted source. A record that cannot
be shown is replaced by a line that says so: see :func:`render_safely`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec

from tiomagic.display.escaping import escape
from tiomagic.display.journal import get_logger
from tiomagic.display.phrases.job_warnings import say_job_warnings
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.rewording import reword
from tiomagic.display.prices import describe_job_cost
from tiomagic.ui.web.files import address_of, video_id
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.schema.keyframes import describe_keyframes

STATUS_LABELS: Final[Mapping[JobStatus, str]] = {
    JobStatus.QUEUED: "Waiting",
    JobStatus.RUNNING: "Running",
    JobStatus.CANCELING: "Stopping",
    JobStatus.COMPLETED: "Done",
    JobStatus.FAILED: "Failed",
    JobStatus.CANCELED: "Canceled",
}
FAVOURITE: Final = "favourite"
"""The tag of a favourite."""

_P = ParamSpec("_P")


def render_safely(
    kind: str,
) -> Callable[[Callable[Concatenate[Job, _P], str]], Callable[Concatenate[Job, _P], str]]:
    """Return a decorator for a function that renders a job: on an error, a line says so.

    Args:
        kind: The HTML element of the line.
    """

    def decorate(
        show: Callable[Concatenate[Job, _P], str],
    ) -> Callable[Concatenate[Job, _P], str]:
        @functools.wraps(show)
        def showing(job: Job, /, *args: _P.args, **kwargs: _P.kwargs) -> str:
            try:
                return show(job, *args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever is in a record, the others are shown
                reason = f"{type(error).__name__}: {error}"
                get_logger().warning("ui.record_not_shown", job_id=job.job_id, error=reason)
                about = f"This record cannot be shown: {job.job_id} ({reason})"
                return f'<{kind} class="tm-card"><p class="tm-empty">{escape(about)}</p></{kind}>'

        return showing

    return decorate


def button(
    action: str, label: str, job: Job, *, confirm: str = "", kind: str = "", about: str = ""
) -> str:
    """Return a button that triggers an action of the page for a job.

    Args:
        action: An action of ``page``.
        label: Its text.
        job: Which job.
        confirm: Its text after the first press, if it must be pressed twice.
        kind: A further class.
        about: What it does, where the label is a mark; empty for the label.
    """
    about = escape(f"{about or label}: {title(job)}")
    twice = f' data-confirm="{escape(confirm)}"' if confirm else ""
    return (
        f'<button type="button" class="tm-button {kind}" data-action="{action}" '
        f'data-job="{escape(job.job_id)}" aria-label="{about}"{twice}>{escape(label)}</button>'
    )


def again_of(job: Job) -> tuple[str, str]:
    """Return the action that makes a job once more, and its label: without a video, unchanged."""
    without_video = job.status in {JobStatus.FAILED, JobStatus.CANCELED}
    return ("retry", "Try again") if without_video else ("again", "Another seed")


def title(job: Job) -> str:
    """Return a short title of a job."""
    prompt = " ".join(str(job.required_args.get("prompt", "")).split())
    return f"{prompt[:77]}…" if len(prompt) > 78 else prompt or job.feature.label


def video(job: Job, *, kind: str = "", controls: bool = True) -> str:
    """Return the player of a job's video, or a line when there is none.

    Args:
        job: Which job.
        kind: A further class.
        controls: False for a small one that plays while the pointer is over it.
    """
    if job.result_video is None:
        placeholder_text = reword(job.error, PAGE_WORDS) if job.error else STATUS_LABELS[job.status]
        return f'<p class="tm-empty">{escape(placeholder_text)}</p>'
    how = 'controls autoplay loop preload="auto"' if controls else 'loop preload="metadata"'
    about = escape(title(job))
    # The fragment makes a browser show the first frame before playing.
    source = f"{address_of(video_id(job.job_id))}#t=0.001"
    return (
        f'<video class="tm-video {kind}" src="{source}" {how} muted playsinline '
        f'aria-label="{about}"></video>'
    )


def badge(job: Job) -> str:
    """Return the job's status as a badge."""
    return f'<span class="tm-badge tm-is-{job.status.value}">{STATUS_LABELS[job.status]}</span>'


def facts(job: Job) -> str:
    """Return one line with the model, provider, time and cost of a job."""
    parts = [job.model, job.feature.label, job.provider, say_seed(job)]
    if job.started_at and job.ended_at:
        parts.append(f"{(job.ended_at - job.started_at).total_seconds():.0f} s")
    cost = describe_job_cost(job.facts)
    if cost is not None:
        parts.append(cost)
    return f'<p class="tm-facts">{escape(" · ".join(parts))}</p>'


def say_seed(job: Job) -> str:
    """Return the seed as text that no line breaks in two."""
    return f"seed\N{NO-BREAK SPACE}{job.optional_args.get('seed')}"


def warnings(job: Job) -> str:
    """Return where a video is not as it was asked for, as sentences."""
    lines = "".join(f"<p>{escape(text)}</p>" for text in say_job_warnings(job, PAGE_WORDS))
    return f'<div class="tm-warning">{lines}</div>' if lines else ""


def render_selected(job: Job | None) -> str:
    """Return the selected job, large."""
    if job is None:
        return (
            '<div class="tm-stage"><div class="tm-blank"><p class="tm-empty">'
            "Your video will play here.</p></div></div>"
        )
    return _render_selected(job)


@render_safely("div")
def _render_selected(job: Job) -> str:
    again = (again_of(job), ("use", "Use these settings"))
    buttons = [button(action, label, job) for action, label in again]
    if job.result_video:
        buttons = [button("continue", "Continue", job), *buttons, download(job)]
    return (
        f'<div class="tm-stage" data-stage="{escape(job.job_id)}" '
        f'data-status="{job.status.value}">'
        f'<div class="tm-blank">{video(job)}</div>'
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{badge(job)}</div>'
        f'{facts(job)}{warnings(job)}<div class="tm-actions">{"".join(buttons)}</div></div>'
    )


@render_safely("li")
def card(job: Job, *, chosen: bool) -> str:
    """Return a job of the gallery.

    Args:
        job: Which job.
        chosen: True when it is one of the two compared jobs.
    """
    when = job.creation_time.astimezone().strftime("%d %b %Y, %H:%M")
    return (
        f'<li class="tm-card" data-card="{escape(job.job_id)}">'
        f"{_picture(job)}"
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{badge(job)}</div>'
        f'{facts(job)}<p class="tm-facts">{escape(when)}</p>{_labels(job)}'
        f'<div class="tm-actions">{_actions(job, chosen=chosen)}</div></li>'
    )


def _picture(job: Job) -> str:
    """Return the small player, which opens the video large."""
    shown = video(job, kind="tm-small", controls=False)
    if job.result_video is None:
        return f'<div class="tm-blank">{shown}</div>'
    about = escape(f"Play: {title(job)}")
    return (
        f'<button type="button" class="tm-blank tm-open" data-action="show" '
        f'data-job="{escape(job.job_id)}" aria-label="{about}">{shown}</button>'
    )


def _labels(job: Job) -> str:
    """Return the tags, each of which finds its like, and the note."""
    tags = "".join(
        f'<button type="button" class="tm-chip" data-action="tag" data-job="{escape(tag)}" '
        f'aria-label="{escape(f"Find the tag {tag}")}">{escape(tag)}</button>'
        for tag in job.tags
    )
    shown = f'<div class="tm-chips">{tags}</div>' if tags else ""
    return shown + (f'<p class="tm-note">{escape(job.note)}</p>' if job.note else "")


def _actions(job: Job, *, chosen: bool) -> str:
    main = [button("use", "Use these settings", job)]
    if job.result_video:
        main.append(button("continue", "Continue", job))
        main.append(download(job))
        kind = "tm-chosen" if chosen else ""
        main.append(button("compare", "Compared" if chosen else "Compare", job, kind=kind))
    rest = [button(*again_of(job), job)]
    if job.result_video:
        rest.append(button("more", "More like this", job, confirm="Make 3 more?"))
    rest.append(edit_button(job))
    if job.status.is_terminal:
        sure = "Delete for good?"
        rest.append(button("delete", "Delete", job, confirm=sure, kind="tm-danger"))
    else:
        main = [button("cancel", "Cancel", job), *main]
    is_favourite = FAVOURITE in job.tags
    star = button(
        "favourite",
        "★" if is_favourite else "☆",
        job,
        about="No favourite any more" if is_favourite else "Make it a favourite",
        kind="tm-star",
    )
    return (
        f'{star}{"".join(main)}<details class="tm-more"><summary class="tm-button">More</summary>'
        f'<div class="tm-actions">{"".join(rest)}</div></details>'
    )


def download(job: Job) -> str:
    """Return the link that downloads a job's video."""
    name = escape(Path(job.result_video or "").name)
    about = escape(f"Download: {title(job)}")
    return (
        f'<a class="tm-button" download="{name}" aria-label="{about}" '
        f'href="{address_of(video_id(job.job_id))}">Download</a>'
    )


def edit_button(job: Job) -> str:
    """Return the button that opens the dialog for tags and the note of a job."""
    return (
        f'<button type="button" class="tm-button" data-edit="{escape(job.job_id)}" '
        f'data-about="{escape(title(job))}" data-tags="{escape(", ".join(job.tags))}" '
        f'data-note="{escape(job.note)}" aria-label="{escape(f"Tags and note: {title(job)}")}">'
        "Tags and note</button>"
    )


def value_of(value: Any) -> str:
    """Return an argument as readable text."""
    if isinstance(value, Mapping) and "sha256" in value:
        return str(value.get("name") or value["sha256"])[:60]
    if isinstance(value, str):
        return value
    return describe_keyframes(value) or json.dumps(value, default=str)
