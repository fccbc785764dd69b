"""Two videos side by side; ``assets/page.js`` keeps them synchronised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiomagic.display.escaping import escape
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.ui.jobs import markup
from tiomagic_domain.jobs.job import Job

HINT = "Press Compare at two videos of the gallery, and they play here side by side, in step."


def toggle_compared(pair: Sequence[str], job_id: str) -> list[str]:
    """Return the pair after a press of Compare: a third job takes the place of the first.

    Args:
        pair: Ids of at most two jobs.
        job_id: The job that was pressed; one of the pair leaves it.
    """
    if job_id in pair:
        return [other for other in pair if other != job_id]
    return [*pair, job_id][-2:]


def diff_jobs(left: Job, right: Job) -> list[tuple[str, Any, Any]]:
    """Return the settings in which two jobs differ: name, and the value of each (or None)."""
    here: dict[str, Any] = {"model": left.model, "feature": left.feature.label, **left.arguments}
    there: dict[str, Any] = {
        "model": right.model,
        "feature": right.feature.label,
        **right.arguments,
    }
    names = list(dict.fromkeys([*here, *there]))
    return [(n, here.get(n), there.get(n)) for n in names if here.get(n) != there.get(n)]


def comparison(jobs: Sequence[Job]) -> str:
    """Return the comparison of at most two jobs as HTML."""
    if len(jobs) < 2:
        one = f" {markup.title(jobs[0])} is the first." if jobs else ""
        return f'<p class="tm-empty">{escape(HINT + one)}</p>'
    figures = "".join(_twin(job) for job in jobs)
    return (
        f'<div class="tm-compare"><div class="tm-twins">{figures}</div>'
        '<div class="tm-row"><button type="button" class="tm-button tm-primary" data-play>Play'
        '</button><input type="range" min="0" max="1" step="0.001" value="0" data-seek '
        'aria-label="Position in both videos"></div>'
        f"{_table(diff_jobs(*jobs))}</div>"
    )


@markup.render_safely("figure")
def _twin(job: Job) -> str:
    return (
        f"<figure>{markup.video(job, kind='tm-twin', controls=False)}"
        f"<figcaption><strong>{escape(markup.title(job))}</strong>{markup.facts(job)}"
        f"{markup.button('compare', 'Remove', job)}</figcaption></figure>"
    )


def _table(rows: Sequence[tuple[str, Any, Any]]) -> str:
    if not rows:
        return '<p class="tm-facts">Made with the same settings.</p>'
    cells = "".join(
        f'<tr><th scope="row">{escape(PAGE_WORDS.name(name))}</th>'
        + "".join(f"<td>{escape('' if v is None else markup.value_of(v))}</td>" for v in values)
        + "</tr>"
        for name, *values in rows
    )
    head = (
        '<tr><th scope="col">Setting</th><th scope="col">Left</th><th scope="col">Right</th></tr>'
    )
    return f'<table class="tm-table"><thead>{head}</thead><tbody>{cells}</tbody></table>'
