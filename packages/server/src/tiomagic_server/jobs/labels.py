"""What the server writes on a job: whose it is, and what it was remixed from.

Tags are stored with the job and found by an index, in every database and by every process.
"""

from __future__ import annotations

from typing import Final

from tiomagic_domain.jobs.job import Job

OWNER: Final = "key:"
REMIXED: Final = "remixed-from:"


def owner_tag(key_id: str) -> str:
    """Return the tag of the jobs of a key."""
    return f"{OWNER}{key_id}"


def remixed_tag(job_id: str) -> str:
    """Return the tag of a job that repeats another with other words."""
    return f"{REMIXED}{job_id}"


def find_remixed(job: Job) -> str | None:
    """Return the id of the video that a job repeats with other words; None for none."""
    found = (tag.removeprefix(REMIXED) for tag in job.tags if tag.startswith(REMIXED))
    return next(found, None)
