"""What a caller asks for with a submission, apart from who runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.requests.rerun import RerunCall
from tiomagic_domain.spending.limits import CostLimits


class SubmissionOptions(TypedDict, total=False):
    """Options of a call; all may be left out."""

    on_progress: ProgressSink
    """Gets each progress event while a blocking provider works."""
    detach: bool
    """True to let a worker process run a blocking provider's job, and return at once."""
    retry: int
    """How often a worker's job may run again after its worker was lost; 0 when left out."""
    tags: Sequence[str]
    """Of the job."""
    key: str | None
    """The caller's idempotency key: the same call with it gives the same job again."""
    force: bool
    """True to run also what the preflight says cannot work."""
    accepted: Collection[str]
    """Models whose terms are accepted for this call, beside those accepted for all."""
    preview: bool
    """True to have the run draw previews from its first steps on."""
    max_cost: object
    """The most that the run may cost: an amount of USD, or text such as ``2.50 EUR``. None for the
    limit that is set for all calls."""
    job_id: str | None
    """A UUID that the job gets, for a caller that has to know it before; None for a new one. Of
    several providers only the first that is tried gets it."""
    payer: str | None
    """Whose job it is, for budgets of that payer."""
    budgets: Sequence[Budget]
    """Budgets that hold beside those that are set for all."""
    rate: JobRate | None
    """How many jobs may be stored; None for any number. A call that is repeated with its key is no
    further job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A call and its options; see :class:`SubmissionOptions`."""

    feature: Feature
    model: str | None
    arguments: Mapping[str, object]
    limits: CostLimits
    """Of what the run may cost."""
    on_progress: ProgressSink = ignore_progress
    detach: bool = False
    retry: int = 0
    tags: Sequence[str] = ()
    key: str | None = None
    rerun: RerunCall | None = None
    force: bool = False
    accepted: Collection[str] = ()
    preview: bool = False
    job_id: str | None = None
    payer: str | None = None
    max_cost: object = None
    budgets: Sequence[Budget] = ()
    rate: JobRate | None = None
