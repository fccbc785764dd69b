"""HTML of the running jobs: their bars, progress and previews."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from tiomagic.display.escaping import escape
from tiomagic.display.notebook import PREVIEW_TEXT
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.rewording import reword
from tiomagic.ui.jobs.markup import STATUS_LABELS, button, render_safely, say_seed, title
from tiomagic.ui.jobs.running_jobs import RunningJob
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.progress import Phase, Preview, Progress
from tiomagic_domain.workers.waiting_reasons import WAITING_MESSAGE

PHASE_LABELS: Final[Mapping[Phase, str]] = {
    Phase.WAITING: "waiting for its turn",
    Phase.DOWNLOADING: "downloading the model",
    Phase.LOADING: "loading the model",
    Phase.PREPARING: "preparing the inputs",
    Phase.ENCODING: "reading the prompt and the pictures",
    Phase.DENOISING: "making the video",
    Phase.GENERATING: "making the video",
    Phase.DECODING: "drawing the frames",
    Phase.WRITING: "writing the file",
}
"""What a job is doing, for people."""


def render_running(moments: Iterable[RunningJob]) -> str:
    """Return the running jobs, with empty bars.

    See :func:`render_progress`.
    """
    bars, queues = [], set()
    for moment in moments:
        job = moment.job
        overtakes = job.status is JobStatus.QUEUED and job.queue in queues
        bars.append(_bar(job, overtakes=overtakes))
        if job.status is JobStatus.QUEUED and job.queue is not None:
            queues.add(job.queue)
    return "".join(bars)


def render_progress(moments: Iterable[RunningJob]) -> str:
    """Return the progress of each job, which ``assets/page.js`` draws into the bars.

    Separate from the bars, so that an update does not replace a button that is being pressed.
    """
    now: dict[str, tuple[int | None, str]] = {}
    waiting: Counter[str | None] = Counter()
    for moment in moments:
        ahead = waiting[moment.job.queue]
        waiting[moment.job.queue] += 1
        now[moment.job.job_id] = _state(moment, ahead)
    return f'<i data-progress="{escape(json.dumps(now))}"></i>'


def render_previews(moments: Iterable[RunningJob]) -> str:
    """Return the newest preview of each job as ``[address, text]``, for ``assets/page.js``.

    Apart from the progress, which changes every second: a picture is sent once.
    """
    now = {moment.job.job_id: _preview(moment.preview) for moment in moments}
    shown = {job_id: found for job_id, found in now.items() if any(found)}
    return f'<i data-previews="{escape(json.dumps(shown))}"></i>'


def _preview(preview: Preview) -> tuple[str, str]:
    if not preview.jpeg:
        return "", reword(preview.reason, PAGE_WORDS)
    return f"data:image/jpeg;base64,{base64.b64encode(preview.jpeg).decode('ascii')}", ""


def _state(moment: RunningJob, ahead: int) -> tuple[int | None, str]:
    try:
        return _percent(moment.job), _phase(moment, ahead)
    except (TypeError, ValueError, OverflowError):  # NaN and infinities.
        return None, STATUS_LABELS[moment.job.status]


def _percent(job: Job) -> int | None:
    fraction = job.progress.fraction if job.progress else None
    return None if fraction is None else round(100 * fraction)


@render_safely("div")
def _bar(job: Job, *, overtakes: bool) -> str:
    """Return a job's bar.

    Args:
        job: Which one.
        overtakes: Whether it waits behind others of its queue.
    """
    about = escape(title(job))
    stop = "" if job.status is JobStatus.CANCELING else button("cancel", "Cancel", job)
    first = button("run-next", "Run next", job) if overtakes else ""
    return (
        f'<div class="tm-running" data-running="{escape(job.job_id)}">'
        f'<div class="tm-row"><strong>{escape(title(job))}</strong>{first}{stop}</div>'
        f'<div class="tm-bar tm-unknown" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-label="{about}"><span></span></div>'
        f'<p class="tm-facts">{STATUS_LABELS[job.status]}</p>'
        f'<div class="tm-preview" data-alt="{PREVIEW_TEXT}" hidden></div>'
        '<p class="tm-about tm-no-preview" hidden></p>'
        f'<p class="tm-about">{escape(f"{job.model} · {say_seed(job)}")}</p></div>'
    )


def _phase(moment: RunningJob, ahead: int) -> str:
    """Return what a job is doing.

    Args:
        moment: The job.
        ahead: Jobs of its queue that come before it.
    """
    job, progress = moment.job, moment.job.progress
    if job.status is JobStatus.QUEUED and job.queue is not None and ahead:
        before = "1 job" if ahead == 1 else f"{ahead} jobs"
        return f"{STATUS_LABELS[job.status]} · {before} before it"
    says = _progress(progress) if progress else _message(job)
    if job.status is JobStatus.CANCELING:
        says = _message(job) or says  # Some vendors cannot stop a run: the message says so.
    parts = [STATUS_LABELS[job.status], says]
    if job.status is JobStatus.QUEUED and job.message == WAITING_MESSAGE:
        parts = [f"{STATUS_LABELS[job.status]} for a worker"]
    if moment.eta_s is not None and (progress is None or progress.download is None):
        parts.append(f"about {_span(moment.eta_s)} left")
    return " · ".join(part for part in [*parts, moment.trouble] if part)


def _message(job: Job) -> str:
    """Return a job's message; empty where it says no more than the status does."""
    return "" if job.message == job.status.value else reword(job.message, PAGE_WORDS)


def _progress(progress: Progress) -> str:
    label = PHASE_LABELS.get(progress.phase, str(progress.phase))
    if progress.download is not None:
        return f"{label}: {progress.download}"
    if progress.steps:
        return f"{label}, step {progress.step} of {progress.steps}"
    return f"{label}: {progress.note}" if progress.note else label


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
