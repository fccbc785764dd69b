"""Jobs as HTML. Every word that comes from a job is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tiomagic.ui.live import Moment
from tiomagic_domain.jobs import Job, JobStatus

FILE: Final = "gradio_api/file="
"""Address of a file, from the page; it only works for folders that ``serve`` gives."""
WORDS: Final[Mapping[JobStatus, str]] = {
    JobStatus.QUEUED: "Waiting",
    JobStatus.RUNNING: "Running",
    JobStatus.CANCELING: "Stopping",
    JobStatus.COMPLETED: "Done",
    JobStatus.FAILED: "Failed",
    JobStatus.CANCELED: "Canceled",
}


def button(action: str, label: str, job: Job, *, confirm: str = "", kind: str = "") -> str:
    """Return a button that tells the page what to do with a job.

    Args:
        action: A word of ``page``.
        label: What it says.
        job: Which job.
        confirm: What it says after the first press, when it is to be pressed twice.
        kind: A further class.
    """
    about = escape(f"{label}: {title(job)}", quote=True)
    twice = f' data-confirm="{escape(confirm, quote=True)}"' if confirm else ""
    return (
        f'<button type="button" class="tm-button {kind}" data-action="{action}" '
        f'data-job="{job.job_id}" aria-label="{about}"{twice}>{escape(label)}</button>'
    )


def title(job: Job) -> str:
    """Return what a job is about, in few words."""
    prompt = " ".join(str(job.required_args.get("prompt", "")).split())
    return f"{prompt[:77]}…" if len(prompt) > 78 else prompt or job.feature.label


def video(job: Job, *, kind: str = "", controls: bool = True) -> str:
    """Return the player of a job's video; a line when there is none.

    Args:
        job: Which job.
        kind: A further class.
        controls: False for a small one that plays while it is pointed at.
    """
    if job.result_video is None:
        return f'<p class="tm-empty">{escape(job.error or WORDS[job.status])}</p>'
    how = 'controls autoplay loop preload="auto"' if controls else 'loop preload="metadata"'
    about = escape(title(job), quote=True)
    # The fragment makes a browser show the first frame before anybody plays it.
    source = f"{FILE}{quote(job.result_video)}#t=0.001"
    return (
        f'<video class="tm-video {kind}" src="{source}" {how} muted playsinline '
        f'aria-label="{about}"></video>'
    )


def badge(job: Job) -> str:
    """Return the job's status as a small mark."""
    return f'<span class="tm-badge tm-is-{job.status.value}">{WORDS[job.status]}</span>'


def facts(job: Job) -> str:
    """Return one line with what made a job."""
    parts = [job.model, job.feature.label, job.provider, f"seed {job.optional_args.get('seed')}"]
    if job.started_at and job.ended_at:
        parts.append(f"{(job.ended_at - job.started_at).total_seconds():.0f} s")
    return f'<p class="tm-facts">{escape(" · ".join(parts))}</p>'


def running(moments: Iterable[Moment]) -> str:
    """Return the jobs that are not over, with bars that stand still: see :func:`progress`."""
    return "".join(_bar(moment.job) for moment in moments)


def progress(moments: Iterable[Moment]) -> str:
    """Return how far each job is, for ``assets/page.js`` to draw into the bars.

    Apart from the bars, so that a button beside them is not taken away under somebody's finger.
    """
    now = {moment.job.job_id: [_percent(moment.job), _phase(moment)] for moment in moments}
    return f'<i data-progress="{escape(json.dumps(now), quote=True)}"></i>'


def _percent(job: Job) -> int | None:
    fraction = job.progress.fraction if job.progress else None
    return None if fraction is None else round(100 * fraction)


def _bar(job: Job) -> str:
    about = escape(title(job), quote=True)
    stop = "" if job.status is JobStatus.CANCELING else button("cancel", "Cancel", job)
    return (
        f'<div class="tm-running" data-running="{job.job_id}">'
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{stop}</div>'
        f'<div class="tm-bar tm-unknown" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-label="{about}"><span></span></div>'
        f'<p class="tm-facts">{WORDS[job.status]}</p></div>'
    )


def _phase(moment: Moment) -> str:
    job = moment.job
    parts = [WORDS[job.status], str(job.progress or job.message)]
    if moment.eta_s is not None:
        parts.append(f"about {_span(moment.eta_s)} left")
    return " · ".join(part for part in [*parts, moment.trouble] if part)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def stage(job: Job | None) -> str:
    """Return the job that the page is about, large."""
    if job is None:
        return (
            '<div class="tm-stage"><div class="tm-blank"><p class="tm-empty">'
            "Your video will play here.</p></div></div>"
        )
    again = ("again", "Another seed"), ("use", "Use these settings")
    buttons = [button(action, label, job) for action, label in again]
    if job.result_video:
        name = escape(Path(job.result_video).name, quote=True)
        buttons.append(
            f'<a class="tm-button" download="{name}" '
            f'href="{FILE}{quote(job.result_video)}">Download</a>'
        )
    return (
        f'<div class="tm-stage" data-stage="{job.job_id}" data-status="{job.status.value}">'
        f'<div class="tm-blank">{video(job)}</div>'
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{badge(job)}</div>'
        f'{facts(job)}<div class="tm-actions">{"".join(buttons)}</div></div>'
    )


def card(job: Job, *, chosen: bool) -> str:
    """Return a job of the gallery.

    Args:
        job: Which job.
        chosen: True when it is one of the two that are compared.
    """
    buttons = [button("show", "Show", job), button("use", "Use these settings", job)]
    buttons.append(button("again", "Another seed", job))
    if job.result_video:
        kind = "tm-chosen" if chosen else ""
        buttons.append(button("compare", "Compared" if chosen else "Compare", job, kind=kind))
    if job.status.is_terminal:
        sure = "Delete for good?"
        buttons.append(button("delete", "Delete", job, confirm=sure, kind="tm-danger"))
    else:
        buttons.append(button("cancel", "Cancel", job))
    when = job.creation_time.astimezone().strftime("%d %b %Y, %H:%M")
    return (
        f'<li class="tm-card" data-card="{job.job_id}">'
        f'<div class="tm-blank">{video(job, kind="tm-small", controls=False)}</div>'
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{badge(job)}</div>'
        f'{facts(job)}<p class="tm-facts">{escape(when)}</p>'
        f'<div class="tm-actions">{"".join(buttons)}</div></li>'
    )


def form_mark(serial: int, choice: Iterable[str]) -> str:
    """Return what tells ``assets/page.js`` which form is there, and for what."""
    about = escape(" ".join(choice), quote=True)
    return f'<i data-form="{serial}" data-choice="{about}"></i>'


def problem(messages: Iterable[str]) -> str:
    """Return what is wrong with a field; empty when nothing is."""
    lines = "".join(f"<p>{escape(message)}</p>" for message in messages)
    return f'<div class="tm-problem" role="alert">{lines}</div>' if lines else ""


def value_of(value: Any) -> str:
    """Return an argument as a person reads it."""
    if isinstance(value, Mapping) and "sha256" in value:
        return str(value.get("name") or value["sha256"])[:60]
    return value if isinstance(value, str) else json.dumps(value, default=str)
