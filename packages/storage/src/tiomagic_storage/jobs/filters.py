"""Translates a query for jobs into SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, exists, func, select, tuple_, union_all

from tiomagic_domain.jobs.job import JobQuery
from tiomagic_storage.database.tables import escape_text, format_time, jobs, tags


def select_jobs(
    query: JobQuery, last: tuple[str, str] | None, among: Select[Any] | None = None
) -> Select[Any]:
    """Return the statement that lists jobs.

    Args:
        query: The filters; ``after`` is ignored.
        last: Stored creation time and id of the job before the page.
        among: Gives the rows of the few jobs that can match; None for all jobs.
    """
    source = _choose_source(among)
    if among is not None:
        return _select_candidate_page(query, last, source)
    placed = _choose_ordering_table(query, source)
    listing = (
        select(source)
        .select_from(_join_tags(placed, source))
        .where(*_build_conditions(query, source), *_after_last(query, placed, last))
        .order_by(*_order_columns(query, placed))
        .limit(query.limit)
    )
    if query.status is None:
        return listing
    words = sorted(status.value for status in query.status)
    if len(words) < 2 or placed is not jobs:
        return listing.where(source.c.status.in_(words))
    # `status IN (…)` would collect and sort every match. A UNION of one ordered and limited read a
    # status takes only the first ones from each index.
    parts = [select(listing.where(jobs.c.status == word).subquery()) for word in words]
    joined = union_all(*parts).subquery()
    return select(joined).order_by(*_order_columns(query, joined)).limit(query.limit)


def _select_candidate_page(
    query: JobQuery, last: tuple[str, str] | None, few: FromClause
) -> Select[Any]:
    """Return the statement that sorts short rows, then reads the whole rows of one page."""
    page = select(few.c.job_id).where(
        *_build_conditions(query, few), *_after_last(query, few, last)
    )
    if query.status is not None:
        page = page.where(few.c.status.in_(sorted(status.value for status in query.status)))
    page = page.order_by(*_order_columns(query, few)).limit(query.limit)
    return select(jobs).where(jobs.c.job_id.in_(page)).order_by(*_order_columns(query, jobs))


def count_jobs(query: JobQuery, among: Select[Any] | None = None) -> Select[Any]:
    """Return the statement that counts jobs; ``limit`` and ``after`` are ignored."""
    source = _choose_source(among)
    joined = _join_tags(_choose_ordering_table(query, source), source)
    counting = select(func.count()).select_from(joined).where(*_build_conditions(query, source))
    if query.status is None:
        return counting
    return counting.where(source.c.status.in_(sorted(status.value for status in query.status)))


def _choose_source(among: Select[Any] | None) -> FromClause:
    # MATERIALIZED, or SQLite would scan the index of another condition and test each job against
    # the few.
    return jobs if among is None else among.cte("few").prefix_with("MATERIALIZED")


def _join_tags(placed: FromClause, source: FromClause) -> FromClause:
    if placed is not tags:
        return source
    return tags.join(source, source.c.job_id == tags.c.job_id)


def _choose_ordering_table(query: JobQuery, source: FromClause) -> FromClause:
    """Return the table whose index gives the order: the tags' table if a tag is asked for.

    With few candidates the jobs themselves are sorted: a join would read them for every entry of a
    common tag. The tags' table knows no priority.
    """
    by_tag = query.tag is not None and source is jobs and not query.next_first
    return tags if by_tag else source


def _order_columns(query: JobQuery, placed: FromClause) -> list[ColumnElement[Any]]:
    place = [placed.c.creation_time, placed.c.job_id]
    if query.next_first:
        return [column.asc() for column in (placed.c.queue_rank, *place)]
    return [column.asc() if query.oldest_first else column.desc() for column in place]


def _after_last(
    query: JobQuery, placed: FromClause, last: tuple[str, str] | None
) -> list[ColumnElement[bool]]:
    if last is None:
        return []
    place = tuple_(placed.c.creation_time, placed.c.job_id)
    return [place > last if query.oldest_first else place < last]


def _build_conditions(query: JobQuery, source: FromClause) -> list[ColumnElement[bool]]:
    row = source.c
    equal = {
        row.feature: None if query.feature is None else query.feature.value,
        row.model: query.model,
        row.provider: query.provider,
        row.queue: query.queue,
        row.idempotency_key: query.idempotency_key,
    }
    found = [column == value for column, value in equal.items() if value is not None]
    if query.tag is not None:
        tagged = tags.c.tag == escape_text(query.tag)
        same = (tags.c.creation_time == row.creation_time) & (tags.c.job_id == row.job_id)
        found.append(tagged if source is jobs else exists().where(tagged, same))
    found += [row.prompt.icontains(escape_text(term), autoescape=True) for term in query.terms]
    if query.id_prefix is not None:
        found.append(row.job_id.startswith(query.id_prefix, autoescape=True))
    if query.since is not None:
        found.append(row.creation_time >= format_time(query.since))
    if query.until is not None:
        found.append(row.creation_time < format_time(query.until))
    return found
