"""Videos side by side, two to four; ``assets/page.js`` keeps them synchronised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tiomagic.display.escaping import escape
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.ui.jobs import markup
from tiomagic_domain.jobs.job import Job

HINT = (
    "Press Compare at two to four videos of the gallery, and they play here side by side, in step."
)
MOST_COMPARED: Final = 4
"""More are too small to be seen beside each other."""


def toggle_compared(pair: Sequence[str], job_id: str) -> list[str]:
    """Return what is compared after a press of Compare: a fifth takes the place of the first.

    Args:
        pair: Ids of the jobs that are compared.
        job_id: The job that was pressed; one of them leaves.
    """
    if job_id in pair:
        return [other for other in pair if other != job_id]
    return [*pair, job_id][-MOST_COMPARED:]


def diff_jobs(*jobs: Job) -> list[tuple[Any, ...]]:
    """Return the settings in which jobs differ: name, and the value of each (or None)."""
    settings: list[dict[str, Any]] = [
        {"model": job.model, "feature": job.feature.label, **job.arguments} for job in jobs
    ]
    names = dict.fromkeys(name for one in settings for name in one)
    rows = [(name, *(one.get(name) for one in settings)) for name in names]
    return [row for row in rows if any(value != row[1] for value in row[2:])]


def comparison(jobs: Sequence[Job]) -> str:
    """Return the comparison of jobs as HTML."""
    if len(jobs) < 2:
        one = f" {markup.title(jobs[0])} is the first." if jobs else ""
        return f'<p class="tm-empty">{escape(HINT + one)}</p>'
    figures = "".join(_twin(job) for job in jobs)
    return (
        f'<div class="tm-compare"><div class="tm-twins">{figures}</div>'
        '<div class="tm-row"><button type="button" class="tm-button tm-primary" data-play>Play'
        '</button><input type="range" min="0" max="1" step="0.001" value="0" data-seek '
        'aria-label="Position in all videos"></div>'
        f"{_table(diff_jobs(*jobs), len(jobs))}</div>"
    )


@markup.render_safely("figure")
def _twin(job: Job) -> str:
    return (
        f"<figure>{markup.video(job, kind='tm-twin', controls=False)}"
        f"<figcaption><strong>{escape(markup.title(job))}</strong>{markup.facts(job)}"
        f"{markup.button('compare', 'Remove', job)}</figcaption></figure>"
    )


def _table(rows: Sequence[tuple[Any, ...]], count: int) -> str:
    if not rows:
        return '<p class="tm-facts">Made with the same settings.</p>'
    cells = "".join(
        f'<tr><th scope="row">{escape(PAGE_WORDS.name(name))}</th>'
        + "".join(f"<td>{escape('' if v is None else markup.value_of(v))}</td>" for v in values)
        + "</tr>"
        for name, *values in rows
    )
    named = ["Left", "Right"] if count == 2 else [f"Video {at}" for at in range(1, count + 1)]
    columns = "".join(f'<th scope="col">{name}</th>' for name in ("Setting", *named))
    head = f"<tr>{columns}</tr>"
    return f'<table class="tm-table"><thead>{head}</thead><tbody>{cells}</tbody></table>'
