"""What a video has cost, as OpenRouter's ``usage``."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.money.amounts import DEFAULT_CURRENCY
from tiomagic_domain.money.charges import read_cost
from tiomagic_domain.money.estimate import read_estimate


class Usage(BaseModel):
    """What a video has cost."""

    cost: float | None = Field(
        default=None, description="Amount that was billed or computed; null if not known"
    )
    currency: str = Field(default=DEFAULT_CURRENCY, description="ISO 4217, such as USD")


def find_usage(job: Job) -> Usage | None:
    """Return what a job has cost; None while it is not over.

    A run on the server's own machine has no price, and so costs 0: electricity is not counted. Of a
    provider that says nothing of the cost of a run the cost is None, and never its estimate.
    """
    if not job.status.is_terminal:
        return None
    cost = read_cost(job.facts)
    if cost is not None:
        return Usage(cost=cost.amount, currency=cost.currency)
    # A job without an estimate was known to be free when it was submitted.
    is_free = read_estimate(job.facts) is None and job.queue is not None
    return Usage(cost=0.0 if is_free else None)
