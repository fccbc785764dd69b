"""The gallery: searches, filters and pages through the stored jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiomagic.ui.jobs import markup
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from tiomagic.wiring.session import Session

JOBS_PER_PAGE: Final = 12
"""Jobs that each press of "more" adds."""
NO_FILTER: Final = ""
"""The choice of a filter that does not filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryFilters:
    """Which jobs the gallery shows."""

    text: str = ""
    """Words that must all occur in the prompt."""
    tag: str = NO_FILTER
    """A tag, exactly."""
    status: str = NO_FILTER
    feature: str = NO_FILTER
    model: str = NO_FILTER

    def query(self, limit: int) -> JobQuery:
        """Return the query of the job store."""
        return JobQuery(
            text=self.text.strip() or None,
            tag=self.tag or None,
            status=frozenset({JobStatus(self.status)}) if self.status else None,
            feature=Feature(self.feature) if self.feature else None,
            model=self.model or None,
            limit=limit,
        )


def gallery(
    session: Session, filters: GalleryFilters, *, limit: int, compared: Collection[str]
) -> tuple[str, bool]:
    """Return the newest jobs as HTML, and whether there are more.

    Args:
        session: With the jobs.
        filters: Of the gallery.
        limit: Most jobs.
        compared: Ids of the jobs that are compared.
    """
    jobs = session.generation.list(filters.query(limit + 1))
    hint = compare_hint(len(compared))
    if not jobs:
        words = "No video matches." if filters != GalleryFilters() else "Nothing here yet."
        return f'{hint}<p class="tm-empty">{words}</p>', False
    cards = (markup.card(job, chosen=job.job_id in compared) for job in jobs[:limit])
    return f'{hint}<ul class="tm-cards">{"".join(cards)}</ul>', len(jobs) > limit


NUMBERS: Final = {2: "Two", 3: "Three", 4: "Four"}


def compare_hint(count: int) -> str:
    """Return what to do next after Compare was pressed; empty when nothing is compared.

    Args:
        count: Number of videos that are chosen.
    """
    if not count:
        return ""
    if count == 1:
        return '<p class="tm-hint" role="status">One video chosen. Press Compare at a second.</p>'
    return (
        f'<p class="tm-hint" role="status">{NUMBERS[count]} videos chosen. <button type="button" '
        'class="tm-button tm-primary" data-action="open-compare" data-job="-">'
        "Compare them</button></p>"
    )
