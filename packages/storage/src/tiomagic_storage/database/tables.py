"""The tables, and the functions between a job or a lease and its row.

What queries filter by has a column of its own; open-ended data (arguments, facts) is JSON text, the
same in every database. Times are UTC as text of fixed width, which sorts by time and is readable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.money.charges import find_charge
from tiomagic_domain.progress import Progress

VERSION_TABLE = "tiomagic_schema"
"""Holds the revision of the schema, under a name that no other application's migrations use."""

metadata: MetaData = MetaData()

# Ids and times are compared byte by byte, not by a language's collation.
_BYTEWISE = String().with_variant(String(collation="C"), "postgresql")

# In order of use: SQLite reads a row from its start, so a search in the prompts does not read the
# long columns at the end.
jobs: Table = Table(
    "tiomagic_jobs",
    metadata,
    Column("job_id", _BYTEWISE, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("feature", String, nullable=False),
    Column("model", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("creation_time", _BYTEWISE, nullable=False),
    Column("last_updated", _BYTEWISE, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("required_args", Text, nullable=False),
    Column("optional_args", Text, nullable=False),
    Column("call_id", String),
    Column("message", Text, nullable=False),
    Column("progress", Text),
    Column("result_video", Text),
    Column("error", Text),
    Column("error_code", String),
    Column("facts", Text, nullable=False),
    # After the columns of 0001, the order of an upgraded database. The defaults are for old jobs.
    Column("queue", String),
    Column("retry", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("note", Text, nullable=False, server_default=""),
    Column("started_at", _BYTEWISE),
    Column("ended_at", _BYTEWISE),
    Column("idempotency_key", _BYTEWISE),
    # NULL for a job of an older version.
    Column("chosen", Text),
    # The negative of the priority, so that a plain index has the order of a queue.
    Column("queue_rank", Integer, nullable=False, server_default="0"),
    # What the job counts for, in millionths of the currency: its cost, or else its estimate.
    Column("charge", BigInteger, nullable=False, server_default="0"),
    Column("currency", _BYTEWISE, nullable=False, server_default=""),
    Column("charge_is_real", Integer, nullable=False, server_default="0"),
    # Empty for a job that no payer's budget holds.
    Column("payer", _BYTEWISE, nullable=False, server_default=""),
    # One index a filter, each in the order of the listing: the newest 50 of any filter are read
    # from the index's end without sorting, however many jobs there are.
    Index("tiomagic_jobs_by_time", "creation_time"),
    Index("tiomagic_jobs_by_status", "status", "creation_time"),
    Index("tiomagic_jobs_by_feature", "feature", "creation_time"),
    Index("tiomagic_jobs_by_model", "model", "creation_time"),
    Index("tiomagic_jobs_by_provider", "provider", "creation_time"),
    # A worker asks for the oldest of one status in its queue.
    Index("tiomagic_jobs_by_queue", "queue", "status", "creation_time"),
    # A worker takes the highest priority of its queue, then the oldest.
    Index("tiomagic_jobs_by_rank", *("queue", "status", "queue_rank", "creation_time", "job_id")),
    # Most jobs have no key, and a unique index accepts any number of NULLs in both databases.
    Index("tiomagic_jobs_by_key", "idempotency_key", unique=True),
)

# The tags again, one a row, in the order of the listing. Triggers keep them equal to the column
# (see ``search_index.py``), so that a job is still written by a single statement.
tags: Table = Table(
    "tiomagic_tags",
    metadata,
    Column("tag", _BYTEWISE, primary_key=True),
    Column("creation_time", _BYTEWISE, primary_key=True),
    Column("job_id", _BYTEWISE, primary_key=True),
    Index("tiomagic_tags_by_job", "job_id"),
)

# The charges of a day's jobs, added up by triggers (see ``spending.py``): a budget is read in a few
# rows, however many jobs there are. A deleted job stays in the sum: its money is spent.
spending: Table = Table(
    "tiomagic_spending",
    metadata,
    Column("day", _BYTEWISE, primary_key=True),
    Column("currency", _BYTEWISE, primary_key=True),
    Column("charge", BigInteger, nullable=False),
)

# The same for each payer that has budgets of its own.
payers: Table = Table(
    "tiomagic_payers",
    metadata,
    Column("payer", _BYTEWISE, primary_key=True),
    Column("day", _BYTEWISE, primary_key=True),
    Column("currency", _BYTEWISE, primary_key=True),
    Column("charge", BigInteger, nullable=False),
)

deliveries: Table = Table(
    "tiomagic_webhooks",
    metadata,
    Column("webhook_id", _BYTEWISE, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", _BYTEWISE, nullable=False),
    Column("next_at", _BYTEWISE, nullable=False),
    Column("job_id", _BYTEWISE, nullable=False),
    Column("receiver", _BYTEWISE, nullable=False),
    Column("url", Text, nullable=False),
    Column("host", _BYTEWISE, nullable=False),
    Column("form", String, nullable=False),
    Column("base", Text, nullable=False),
    Column("created_at", _BYTEWISE, nullable=False),
    Column("settled_at", _BYTEWISE),
    Column("event", String),
    Column("payload", Text),
    Column("attempts", Integer, nullable=False),
    Column("answer", Integer),
    Column("trouble", Text, nullable=False),
    Index("tiomagic_webhooks_by_state", "state", "next_at"),
    Index("tiomagic_webhooks_by_job", "job_id"),
    Index("tiomagic_webhooks_by_time", "created_at"),
)

leases: Table = Table(
    "tiomagic_leases",
    metadata,
    Column("name", _BYTEWISE, primary_key=True),
    Column("owner", String, nullable=False),
    Column("beat", Integer, nullable=False),
    Column("mark", String, nullable=False),
    Column("renewed_at", _BYTEWISE, nullable=False),
)


def format_time(moment: datetime) -> str:
    """Return a time as it is stored: UTC, always 32 characters, sorting by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def escape_text(text: str) -> str:
    """Return text that every database accepts.

    Messages may contain file names with invalid bytes, and PostgreSQL refuses NUL: such parts
    become escapes.
    """
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def to_row(job: Job) -> dict[str, Any]:
    """Return the row of a job.

    Raises:
        ProcessingError: when its arguments or facts are not plain data.
    """
    charge = find_charge(job)
    return {
        "job_id": job.job_id,
        "version": job.version,
        "status": job.status.value,
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "creation_time": format_time(job.creation_time),
        "last_updated": format_time(job.last_updated),
        "prompt": escape_text(str(job.required_args.get("prompt", ""))),
        "required_args": _dump_json(job, job.required_args),
        "optional_args": _dump_json(job, job.optional_args),
        "call_id": job.call_id,
        "message": escape_text(job.message),
        "progress": None if job.progress is None else _dump_json(job, job.progress.to_dict()),
        "result_video": job.result_video,
        "error": None if job.error is None else escape_text(job.error),
        "error_code": job.error_code,
        "facts": _dump_json(job, job.facts),
        "queue": job.queue,
        "retry": job.retry,
        "attempt": job.attempt,
        "tags": json.dumps([escape_text(tag) for tag in job.tags]),
        "note": escape_text(job.note),
        "started_at": _format_optional_time(job.started_at),
        "ended_at": _format_optional_time(job.ended_at),
        "idempotency_key": job.idempotency_key,
        "chosen": None if job.chosen is None else _dump_json(job, job.chosen.to_dict()),
        "queue_rank": -job.priority,
        "charge": 0 if charge is None else charge.money.micros,
        "currency": "" if charge is None else escape_text(charge.money.currency),
        "charge_is_real": int(charge is not None and charge.is_real),
        "payer": escape_text(job.payer or ""),
    }


_TEXT_COLUMNS = (
    *("job_id", "model", "provider", "call_id", "message", "result_video", "error"),
    *("error_code", "queue", "note", "payer"),
)
"""Columns of text or NULL; SQLite itself would store any type in them."""


def from_row(row: Mapping[Any, Any]) -> Job:
    """Return the job of a row.

    Raises:
        ProcessingError: when the row holds something that this version does not understand.
    """
    try:
        progress = row["progress"]
        for name in _TEXT_COLUMNS:
            if not isinstance(row[name], str | None):
                raise TypeError(f"{name} is not text")
        return Job(
            job_id=row["job_id"],
            feature=Feature(row["feature"]),
            model=row["model"],
            provider=row["provider"],
            creation_time=_parse_time(row["creation_time"]),
            last_updated=_parse_time(row["last_updated"]),
            status=JobStatus(row["status"]),
            required_args=_parse_object(row["required_args"]),
            optional_args=_parse_object(row["optional_args"]),
            call_id=row["call_id"],
            message=row["message"],
            progress=None if progress is None else Progress.from_dict(json.loads(progress)),
            result_video=row["result_video"],
            error=row["error"],
            error_code=row["error_code"],
            facts=_parse_object(row["facts"]),
            queue=row["queue"],
            retry=row["retry"],
            attempt=row["attempt"],
            tags=_parse_tags(row["tags"]),
            note=row["note"],
            started_at=_parse_optional_time(row["started_at"]),
            ended_at=_parse_optional_time(row["ended_at"]),
            idempotency_key=row["idempotency_key"],
            chosen=_parse_choices(row["chosen"]),
            priority=-row["queue_rank"],
            payer=row["payer"] or None,
            version=row["version"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProcessingError(
            f"the stored job {row['job_id']!r} cannot be read ({error}); it was changed by hand, "
            "or written by a newer version of tiomagic",
            details={"job_id": row["job_id"]},
        ) from error


def _format_optional_time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _parse_optional_time(stored: str | None) -> datetime | None:
    return None if stored is None else _parse_time(stored)


def _parse_time(stored: str) -> datetime:
    moment = datetime.fromisoformat(stored)
    if moment.utcoffset() is None:  # A time without a zone cannot be compared with the others.
        raise ValueError(f"the time {stored!r} has no zone")
    return moment


def _parse_object(stored: str) -> dict[str, Any]:
    found = json.loads(stored)
    if not isinstance(found, dict):
        raise TypeError(f"an object was expected, not {type(found).__name__}")
    return found


def _parse_choices(stored: str | None) -> Choices | None:
    return None if stored is None else Choices.from_dict(_parse_object(stored))


def _parse_tags(stored: str) -> tuple[str, ...]:
    found = json.loads(stored)
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise TypeError("the tags are not a list of texts")
    return tuple(found)


def _dump_json(job: Job, data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(data))
    except (TypeError, ValueError) as error:
        raise ProcessingError(
            f"job {job.job_id!r} holds what is not plain data: {error}",
            details={"job_id": job.job_id},
        ) from error
