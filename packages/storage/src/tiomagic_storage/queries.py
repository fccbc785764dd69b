"""From a query of the domain to SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, select, tuple_, union_all

from tiomagic_domain.jobs import JobQuery
from tiomagic_storage.tables import jobs, stored_text, stored_time

NEWEST_FIRST = (jobs.c.creation_time.desc(), jobs.c.job_id.desc())


def select_jobs(query: JobQuery, last: tuple[str, str] | None) -> Select[Any]:
    """Return the statement that lists jobs.

    Args:
        query: What is asked for; ``after`` is not looked at.
        last: Stored creation time and id of the job that the page starts behind.
    """
    listing = (
        select(jobs).where(*_conditions(query, last)).order_by(*NEWEST_FIRST).limit(query.limit)
    )
    if query.status is None:
        return listing
    words = sorted(status.value for status in query.status)
    if len(words) < 2:
        return listing.where(jobs.c.status.in_(words))
    # `status IN (…)` would collect every match and sort it. One ordered read a status, joined and
    # cut again, takes the newest from the end of each index.
    parts = [select(listing.where(jobs.c.status == word).subquery()) for word in words]
    joined = union_all(*parts).subquery()
    newest = (joined.c.creation_time.desc(), joined.c.job_id.desc())
    return select(joined).order_by(*newest).limit(query.limit)


def _conditions(query: JobQuery, last: tuple[str, str] | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.feature is not None:
        found.append(jobs.c.feature == query.feature.value)
    if query.model is not None:
        found.append(jobs.c.model == query.model)
    if query.provider is not None:
        found.append(jobs.c.provider == query.provider)
    if query.text is not None:
        found.append(jobs.c.prompt.icontains(stored_text(query.text), autoescape=True))
    if query.since is not None:
        found.append(jobs.c.creation_time >= stored_time(query.since))
    if query.until is not None:
        found.append(jobs.c.creation_time < stored_time(query.until))
    if last is not None:
        found.append(tuple_(jobs.c.creation_time, jobs.c.job_id) < last)
    return found
