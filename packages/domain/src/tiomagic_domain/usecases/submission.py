"""What a caller asks for with a submission, apart from who runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tiomagic_domain.features import Feature
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.requests.rerun import RerunCall
from tiomagic_domain.spending.limits import CostLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A call and its options; see ``Generation.submit``."""

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
