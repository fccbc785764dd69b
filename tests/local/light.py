"""A request without pictures, built without anything heavy."""

from __future__ import annotations

from datetime import UTC, datetime

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.provider import Request


def a_request() -> Request:
    """Return a request that has everything a check looks at."""
    now = datetime.now(UTC)
    job = Job(
        job_id="light",
        feature=Feature.TEXT_TO_VIDEO,
        model="wan2.1-t2v-1.3b",
        provider="local",
        creation_time=now,
        last_updated=now,
    )
    return Request(job=job, card=find_model(job.model))
