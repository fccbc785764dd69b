"""From a query of the domain to SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, select, tuple_, union_all

from tiomagic_domain.jobs import JobQuery
from tiomagic_storage.tables import jobs, stored_text, stored_time, tags


def select_jobs(query: JobQuery, last: tuple[str, str] | None) -> Select[Any]:
    """Return the statement that lists jobs.

    Args:
        query: What is asked for; ``after`` is not looked at.
        last: Stored creation time and id of the job that the page starts behind.
    """
    ordered = _ordered_by(query)
    listing = (
        select(jobs)
        .select_from(_source(query))
        .where(*_conditions(query), *_behind(query, ordered, last))
        .order_by(*_order(query, ordered))
        .limit(query.limit)
    )
    if query.status is None:
        return listing
    words = sorted(status.value for status in query.status)
    if len(words) < 2 or query.tag is not None:
        return listing.where(jobs.c.status.in_(words))
    # `status IN (…)` would collect every match and sort it. One ordered read a status, joined and
    # cut again, takes the first ones from the end of each index.
    parts = [select(listing.where(jobs.c.status == word).subquery()) for word in words]
    joined = union_all(*parts).subquery()
    return select(joined).order_by(*_order(query, joined)).limit(query.limit)


def count_jobs(query: JobQuery) -> Select[Any]:
    """Return the statement that counts jobs; ``limit`` and ``after`` are not looked at."""
    counting = select(func.count()).select_from(_source(query)).where(*_conditions(query))
    if query.status is None:
        return counting
    return counting.where(jobs.c.status.in_(sorted(status.value for status in query.status)))


def _source(query: JobQuery) -> FromClause:
    return jobs if query.tag is None else tags.join(jobs, jobs.c.job_id == tags.c.job_id)


def _ordered_by(query: JobQuery) -> Table:
    """Return the table whose index has the jobs in order: with a tag, that of the tags."""
    return jobs if query.tag is None else tags


def _order(query: JobQuery, source: FromClause) -> list[ColumnElement[Any]]:
    place = [source.c.creation_time, source.c.job_id]
    return [column.asc() if query.oldest_first else column.desc() for column in place]


def _behind(
    query: JobQuery, source: FromClause, last: tuple[str, str] | None
) -> list[ColumnElement[bool]]:
    if last is None:
        return []
    place = tuple_(source.c.creation_time, source.c.job_id)
    return [place > last if query.oldest_first else place < last]


def _conditions(query: JobQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.feature is not None:
        found.append(jobs.c.feature == query.feature.value)
    if query.model is not None:
        found.append(jobs.c.model == query.model)
    if query.provider is not None:
        found.append(jobs.c.provider == query.provider)
    if query.queue is not None:
        found.append(jobs.c.queue == query.queue)
    if query.tag is not None:
        found.append(tags.c.tag == stored_text(query.tag))
    found += [jobs.c.prompt.icontains(stored_text(term), autoescape=True) for term in query.terms]
    if query.since is not None:
        found.append(jobs.c.creation_time >= stored_time(query.since))
    if query.until is not None:
        found.append(jobs.c.creation_time < stored_time(query.until))
    return found
