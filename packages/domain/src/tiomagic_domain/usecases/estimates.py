"""Estimates: what a run is expected to take and to cost, before it is sent anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ConfigurationError, ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.lifecycle.job_updater import ignore_trouble
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import CountOperations, KnownRuns, count_nothing
from tiomagic_domain.ports.preflight import RunDevice, RunTime
from tiomagic_domain.ports.provider import Provider, Request, find_answers
from tiomagic_domain.preflight.measured_time import MEASURED_JOBS, estimate_from_jobs


def utc_now() -> datetime:
    """Return the time, with zone."""
    return datetime.now(tz=UTC)


class RunEstimates:
    """Asks providers what runs take and cost, with the measured runs that help them to say so.

    Args:
        repository: With the measured runs; None where none are looked for.
        on_trouble: Called with errors that stop nothing.
        now: The time.
        count_operations: Counts the work of a run.
    """

    def __init__(
        self,
        repository: JobRepository | None = None,
        *,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        now: Callable[[], datetime] = utc_now,
        count_operations: CountOperations = count_nothing,
    ) -> None:
        self._repository = repository
        self._on_trouble = on_trouble
        self._now = now
        self._count_operations = count_operations

    def find_runs(self, card: ModelCard, provider: str) -> Sequence[Job]:
        """Return the newest completed jobs of a model at a provider, the newest first."""
        if self._repository is None:
            return ()
        query = JobQuery(
            status=frozenset({JobStatus.COMPLETED}),
            model=card.name,
            provider=provider,
            limit=MEASURED_JOBS,
        )
        try:
            return self._repository.list(query)
        except (ConfigurationError, ProcessingError, APIError) as error:
            # The run itself says what is wrong with the database.
            self._on_trouble(error)
            return ()

    def measure(
        self,
        card: ModelCard,
        settings: Mapping[str, Any],
        past: Sequence[Job],
        device: RunDevice | None,
    ) -> RunTime | None:
        """Return the time of a run by its model's newest runs; None if none is comparable.

        Args:
            card: The model.
            settings: Of the run, with the model's defaults.
            past: The newest runs.
            device: Where it runs.
        """
        count = partial(self._count_operations, card)
        return estimate_from_jobs(past, settings, device, count)

    def ask(
        self,
        runner: Provider,
        request: Request,
        settings: Mapping[str, Any],
        *,
        past: Sequence[Job] = (),
        time: RunTime | None = None,
    ) -> Estimate | None:
        """Return a provider's estimate; None if it fails, which stops no run.

        Args:
            runner: The provider.
            request: The call.
            settings: Of the run, with the model's defaults.
            past: The newest runs of its model there.
            time: About how long it takes.
        """
        known = KnownRuns(
            at=self._now(),
            settings=settings,
            past=past,
            time=time,
            count_operations=self._count_operations,
        )
        try:
            return find_answers(runner).estimate(request, known)
        except TioMagicError as error:
            self._on_trouble(error)
        except Exception as error:  # noqa: BLE001 - it may be another distribution's code
            what = f"{runner.name} could not estimate a run: {type(error).__name__}: {error}"
            self._on_trouble(ProcessingError(what, code=ErrorCode.MALFORMED_ANSWER))
        return None
