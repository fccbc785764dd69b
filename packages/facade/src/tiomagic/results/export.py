"""Stored jobs as a file for other programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast, get_args

from tiomagic_domain.errors import Problem, ProcessingError, ValidationError
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.suggestions import shorten_repr

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.jobs.job import JobQuery

ExportFormat = Literal["json", "csv"]

EXPORT_COLUMNS: Final = (
    *("job_id", "status", "feature", "model", "provider", "prompt", "seed", "tags", "note"),
    *("creation_time", "started_at", "ended_at", "last_updated", "attempt", "call_id", "queue"),
    *("message", "error", "error_code", "result_video", "arguments", "facts"),
)
"""The columns of the CSV, in order. New ones come at the end."""


def export(session: Session, target: str | Path | TextIO, form: str | None, query: JobQuery) -> int:
    """Write the jobs that match; see :meth:`tiomagic.TioMagic.export_jobs`."""
    chosen = _format(target, form)
    jobs = session.archive.each(query)
    if not isinstance(target, str | Path):
        return _write(jobs, target, chosen)
    path = Path(target).expanduser().absolute()
    try:
        with (
            replacing(path) as part,
            # A prompt may hold half a character, which no encoding has.
            part.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            return _write(jobs, file, chosen)
    except OSError as error:
        raise ProcessingError(
            f"the jobs cannot be written to {path}: {error.strerror or error}",
            details={"path": str(path)},
        ) from error


def _format(target: str | Path | TextIO, form: str | None) -> ExportFormat:
    known = get_args(ExportFormat)
    if form is None and isinstance(target, str | Path):
        form = Path(target).suffix.removeprefix(".").lower()
        if form not in known:
            message = "must end in .json or .csv, or the format must be given"
            problem = Problem(field="path", message=message, given=shorten_repr(str(target)))
            raise ValidationError.of([problem], subject="an export of jobs")
    if form not in known:
        problem = Problem(field="format", message="must be json or csv", given=shorten_repr(form))
        raise ValidationError.of([problem], subject="an export of jobs")
    return cast("ExportFormat", form)  # One of the two, as was just seen.


def _write(jobs: Iterable[Job], file: TextIO, form: ExportFormat) -> int:
    return _write_json(jobs, file) if form == "json" else _write_csv(jobs, file)


def _write_json(jobs: Iterable[Job], file: TextIO) -> int:
    """Write an array with one job a line."""
    count = 0
    for job in jobs:
        file.write(",\n" if count else "[\n")
        file.write(json.dumps(job.to_dict()))
        count += 1
    file.write("\n]\n" if count else "[]\n")
    return count


def _write_csv(jobs: Iterable[Job], file: TextIO) -> int:
    writer = csv.DictWriter(file, EXPORT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    return sum(1 for job in jobs if writer.writerow(_row(job)))


def _row(job: Job) -> dict[str, Any]:
    """Return a job by column; what is a list or a dict as JSON."""
    plain, arguments = job.to_dict(), job.arguments
    return {
        **{name: plain[name] for name in EXPORT_COLUMNS if name in plain},
        "prompt": arguments.get("prompt"),
        "seed": arguments.get("seed"),
        "tags": json.dumps(plain["tags"], ensure_ascii=False),
        "call_id": job.call_id,
        "message": job.message,
        "arguments": json.dumps(arguments, ensure_ascii=False),
        "facts": json.dumps(plain["facts"], ensure_ascii=False),
    }
