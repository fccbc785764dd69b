"""Indexes for the search of jobs by tags and by words of their prompts.

==============  =====================================  =======================================
                SQLite                                 PostgreSQL
==============  =====================================  =======================================
tags            the table ``tiomagic_tags``, kept by   the same
                triggers
prompts         an FTS5 index of three characters in   a trigram index (``pg_trgm``), or none
                a row, kept by triggers                where the extension cannot be had
==============  =====================================  =======================================

An index gives candidates; the prompt itself decides. Words of one or two characters, and words of
very many prompts, are searched from the newest job on, where matches come soon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, column, func, literal_column, select, table

from tiomagic_storage.database.tables import escape_text, jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tiomagic_domain.jobs.job import JobQuery

MAX_CANDIDATES: Final = 1000
"""Most candidates that are read and sorted. At 100,000 jobs, the newest 50 of more candidates are
found faster by a scan in order: 50 match within the newest 5,000."""

_GRAM_LENGTH: Final = 3
"""Characters of an indexed piece."""

_MAX_GRAMS: Final = 12
"""Most pieces of a long text that are looked up; the prompt decides on the rest."""

_SQLITE: Final = (
    """CREATE TRIGGER tiomagic_tags_added AFTER INSERT ON tiomagic_jobs
    WHEN new.tags <> '[]' BEGIN
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END""",
    """CREATE TRIGGER tiomagic_tags_changed AFTER UPDATE OF tags ON tiomagic_jobs
    WHEN new.tags <> old.tags BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END""",
    """CREATE TRIGGER tiomagic_tags_deleted AFTER DELETE ON tiomagic_jobs
    WHEN old.tags <> '[]' BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
    END""",
    # VACUUM changes the rowids of a table without an integer key, so jobs get stable numbers. The
    # index keeps no copy of the prompts, only the trigrams of each job, ignoring case.
    """CREATE TABLE tiomagic_prompts (
        number INTEGER PRIMARY KEY, job_id VARCHAR NOT NULL UNIQUE
    )""",
    """CREATE VIRTUAL TABLE tiomagic_prompts_text
    USING fts5(prompt, content='', detail='none', tokenize='trigram')""",
    """CREATE TRIGGER tiomagic_prompts_added AFTER INSERT ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts (job_id) VALUES (new.job_id);
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = new.job_id;
    END""",
    """CREATE TRIGGER tiomagic_prompts_changed AFTER UPDATE OF prompt ON tiomagic_jobs
    WHEN new.prompt <> old.prompt BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
    END""",
    """CREATE TRIGGER tiomagic_prompts_deleted AFTER DELETE ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        DELETE FROM tiomagic_prompts WHERE job_id = old.job_id;
    END""",
)

_POSTGRESQL: Final = (
    """CREATE FUNCTION tiomagic_keep_tags() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO tiomagic_tags (tag, creation_time, job_id)
            SELECT value, new.creation_time, new.job_id
            FROM jsonb_array_elements_text(new.tags::jsonb);
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER tiomagic_tags_added AFTER INSERT ON tiomagic_jobs
    FOR EACH ROW WHEN (new.tags <> '[]') EXECUTE FUNCTION tiomagic_keep_tags()""",
    """CREATE TRIGGER tiomagic_tags_changed AFTER UPDATE OF tags ON tiomagic_jobs
    FOR EACH ROW WHEN (new.tags <> old.tags) EXECUTE FUNCTION tiomagic_keep_tags()""",
    """CREATE TRIGGER tiomagic_tags_deleted AFTER DELETE ON tiomagic_jobs
    FOR EACH ROW WHEN (old.tags <> '[]') EXECUTE FUNCTION tiomagic_keep_tags()""",
    # The extension comes with PostgreSQL; without the permission to create it, search has no index.
    """DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX tiomagic_jobs_by_prompt ON tiomagic_jobs
        USING gin (lower(prompt) gin_trgm_ops);
    EXCEPTION
        WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object
        THEN NULL;
    END $$""",
)

STATEMENTS: Final[Mapping[str, tuple[str, ...]]] = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


_CANDIDATE_COLUMNS: Final = (
    *("job_id", "status", "feature", "model", "provider", "creation_time", "prompt", "queue"),
    "idempotency_key",
)
"""The columns that conditions and order need."""

_prompts = table("tiomagic_prompts", column("number"), column("job_id"))
_text = table("tiomagic_prompts_text", column("rowid"))


def select_candidates(connection: Connection, query: JobQuery) -> Select[Any] | None:
    """Return the statement for the jobs that the index proposes, when they are few.

    Returns:
        The jobs' short columns, unordered; None when a scan of the prompts in order is faster, or
        when the database plans that by itself.
    """
    if connection.dialect.name != "sqlite":
        return None
    for entries, wanted in _propose_candidates(query):
        some = entries.limit(MAX_CANDIDATES + 1).subquery()
        if (
            connection.execute(select(func.count()).select_from(some)).scalar_one()
            <= MAX_CANDIDATES
        ):
            return select(*(jobs.c[name] for name in _CANDIDATE_COLUMNS)).where(wanted)
    return None


def _propose_candidates(query: JobQuery) -> Iterator[tuple[Select[Any], ColumnElement[bool]]]:
    """Return the index's rows for a query, and the condition that its jobs meet."""
    if grams := _build_match_expression(query.terms):
        matching = select(_text.c.rowid).where(_matches(grams))
        proposed = select(_prompts.c.job_id).where(_prompts.c.number.in_(matching))
        yield matching, jobs.c.job_id.in_(proposed)
    if query.tag is not None and query.status is not None:
        # Few jobs are queued or running, but half of all may share a tag: the status index is
        # better.
        wanted = jobs.c.status.in_(sorted(status.value for status in query.status))
        yield select(jobs.c.status).where(wanted), wanted


def _matches(wanted: str) -> ColumnElement[bool]:
    return literal_column("tiomagic_prompts_text").op("MATCH", is_comparison=True)(wanted)


def _build_match_expression(terms: tuple[str, ...]) -> str:
    """Return the FTS5 query: pieces of three characters that cover the longer words."""
    grams = dict.fromkeys(
        word[place : place + _GRAM_LENGTH]
        for word in map(escape_text, terms)
        for place in {
            *range(0, len(word) - _GRAM_LENGTH + 1, _GRAM_LENGTH),
            len(word) - _GRAM_LENGTH,
        }
        if place >= 0
    )
    quoted = [gram.replace('"', '""') for gram in list(grams)[:_MAX_GRAMS]]
    return " AND ".join(f'"{gram}"' for gram in quoted)


def create_search_index(connection: Connection) -> None:
    """Create the indexes in a database that has the tables and no jobs yet."""
    for statement in STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
