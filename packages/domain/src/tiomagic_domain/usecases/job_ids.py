"""Names of jobs as people type them: the beginning of an id, or ``@last``."""

from __future__ import annotations

import re
from typing import Final

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.text import make_storable

MIN_PREFIX_CHARACTERS: Final = 4
"""Characters of an id that name a job at least."""
MAX_IDS_LISTED: Final = 10
"""Most jobs that are listed when a beginning fits several."""
WHOLE_ID_CHARACTERS: Final = 36

_LAST: Final = re.compile(r"@last(?:~(\d{1,6}))?")


def find_job_id(repository: JobRepository, name: object) -> str:
    """Return the id of the job that a name means.

    ::

        2a8a3fda-…    the whole id
        2a8a          its beginning, of 4 characters or more
        @last         the newest job; @last~1 the one before it, and so on

    Args:
        repository: With the jobs.
        name: What was typed. One that fits no job is returned as it is.

    Raises:
        ValidationError: when a beginning fits several jobs; the message lists them.
        ResourceNotFoundError: when there are not as many jobs as ``@last~N`` needs.
    """
    text = make_storable(str(name))
    last = _LAST.fullmatch(text)
    if last is not None:
        back = int(last[1] or 0)
        newest = repository.list(JobQuery(limit=back + 1))
        if len(newest) <= back:
            raise ResourceNotFoundError(f"there is no job {text}: there are {len(newest)} jobs")
        return newest[back].job_id
    if not MIN_PREFIX_CHARACTERS <= len(text) < WHOLE_ID_CHARACTERS:
        return text
    found = repository.list(JobQuery(id_prefix=text, limit=MAX_IDS_LISTED + 1))
    if len(found) < 2 or any(job.job_id == text for job in found):
        return found[0].job_id if len(found) == 1 else text
    lines = [
        f"  {job.job_id}  {job.status}  {_shorten(job.required_args.get('prompt'))}"
        for job in found
    ]
    more = "" if len(found) <= MAX_IDS_LISTED else "\n  and more"
    listed = "\n".join(lines[:MAX_IDS_LISTED])
    raise ValidationError(
        f"{text!r} is the beginning of several jobs; type more of it:\n{listed}{more}",
        details={"job_ids": [job.job_id for job in found[:MAX_IDS_LISTED]]},
    )


def _shorten(prompt: object) -> str:
    return " ".join(str(prompt or "").split())[:40]
