"""Imports the log of tiomagic 1.0.0 into the database.

In 1.0.0 it was the only record of the jobs, rewritten by each one::

    {"jobs": [{"job_id": …, "feature": …, "model": …, "provider": …, "creation_time": …,
               "last_updated": …, "error": …, "generation": {"call_id": …, "status": …, …}}, …]}

Ours has the same name and form, and more fields in each job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.status import TERMINAL, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository

IMPORTED_FROM_FACT: Final = "imported_from"
"""The fact of a job that came from such a log."""
OLD_VERSION: Final = "tiomagic 1.0.0"

_BEGIN: Final = b'{\n "jobs": ['
_ID: Final = b'\n   "job_id": '
_VERSION: Final = b'\n   "version": '
_MAX_VALUE_CHARACTERS: Final = 10_000
"""Longer values are pictures as data URLs, not settings."""


@dataclass(frozen=True, slots=True)
class LogInspection:
    """The file that has the name of the log: whose it is, and its old entries."""

    is_replaceable: bool
    """True for a file that may be replaced: our own, an empty one, or none."""
    old_jobs: tuple[Mapping[str, Any], ...] = ()
    """Entries of 1.0.0; with none, and a file that is not ours, it is another program's."""


def inspect_log(path: Path) -> LogInspection:
    """Return whose file has the name of the log.

    Raises:
        OSError: when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return LogInspection(is_replaceable=True)
    # Our own file is recognised without parsing: no JSON string contains a line break.
    if content.startswith(_BEGIN) and content.count(_ID) == content.count(_VERSION):
        return LogInspection(is_replaceable=True)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return LogInspection(is_replaceable=not content.strip())
    jobs = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(jobs, list) or set(data) != {"jobs"}:
        return LogInspection(is_replaceable=False)
    known = [entry for entry in jobs if isinstance(entry, dict) and "job_id" in entry]
    old = tuple(entry for entry in known if "version" not in entry)
    # Invalid entries are skipped, and the file is kept with all of them. A file without any entry
    # of 1.0.0 is another program's.
    return LogInspection(is_replaceable=not old and len(known) == len(jobs), old_jobs=old)


def import_jobs(entries: tuple[Mapping[str, Any], ...], repository: JobRepository) -> int:
    """Add the jobs of a log of 1.0.0 to a repository, and return how many are new.

    A job that is stored already stays as it is, and an entry that cannot be understood is left out.

    Raises:
        ProcessingError: when the repository cannot be written.
    """
    return sum(_add_if_new(job, repository) for job in _parse_jobs(entries))


def _add_if_new(job: Job, repository: JobRepository) -> bool:
    try:
        repository.get(job.job_id)
    except ResourceNotFoundError:
        repository.add(job)
        return True
    return False


def _parse_jobs(entries: tuple[Mapping[str, Any], ...]) -> Iterator[Job]:
    for entry in entries:
        try:
            yield _parse_job(entry)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue  # Skipped here; the old file still has it.


def _parse_job(entry: Mapping[str, Any]) -> Job:
    generation = entry.get("generation")
    run: Mapping[str, Any] = generation if isinstance(generation, Mapping) else {}
    created = _parse_time(entry.get("creation_time"))
    updated = max(_parse_time(entry.get("last_updated") or entry.get("creation_time")), created)
    status, error = _parse_outcome(run.get("status"), entry.get("error"), run.get("message"))
    optional = _parse_arguments(run.get("optional_args"))
    modal_options = optional.pop("modal_options", None)
    facts = {IMPORTED_FROM_FACT: OLD_VERSION, "modal_options": modal_options}
    return Job(
        job_id=_parse_text(entry["job_id"]),
        feature=Feature(entry["feature"]),
        model=_parse_text(entry.get("model") or "unknown"),
        provider=_parse_text(entry.get("provider") or "unknown"),
        creation_time=created,
        last_updated=updated,
        status=status,
        required_args=_parse_arguments(run.get("required_args")),
        optional_args=optional,
        call_id=_parse_text(run["call_id"]) if run.get("call_id") else None,
        message=_parse_text(run.get("message") or ""),
        result_video=_parse_text(run["result_video"]) if run.get("result_video") else None,
        error=error,
        error_code=None if error is None else str(ErrorCode.VERSION_1),
        facts={name: value for name, value in facts.items() if value is not None},
        ended_at=updated,
        # A job is added as queued, before its later states.
        version=2,
    )


def _parse_outcome(word: object, error: object, message: object) -> tuple[JobStatus, str | None]:
    """Return the end of an old job, and why it failed."""
    known = {status.value: status for status in TERMINAL}
    status = known.get(str(word), JobStatus.FAILED)
    if status is not JobStatus.FAILED:
        return status, None
    reason = error or (message if word == JobStatus.FAILED.value else None)
    if reason is None and word is not None:
        reason = f"{OLD_VERSION} last saw it {word}; this version cannot ask for its runs"
    return status, _parse_text(reason or f"{OLD_VERSION} did not start it")


def _parse_time(text: object) -> datetime:
    """Return a time; 1.0.0 wrote local time without a zone."""
    return datetime.fromisoformat(str(text)).astimezone()


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    # The same as ``tables.stored_text``, whose import would load SQLAlchemy.
    return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _parse_arguments(arguments: object) -> dict[str, Any]:
    """Return the arguments for a record, with long values cut; the old file has them whole."""
    if not isinstance(arguments, Mapping):
        return {}
    return {str(name): _shorten(value) for name, value in arguments.items() if value is not None}


def _shorten(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_VALUE_CHARACTERS:
        return f"{value[:60]}… ({len(value)} characters)"
    return value
