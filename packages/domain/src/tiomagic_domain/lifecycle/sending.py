"""Which process sends a stored job to its provider, and what becomes of it when that one dies.

::

    stored, with its sender ──► sent: the sender is forgotten
            │
            └── the sender is dead, and the job was never sent:
                    with a key      the next one who meets the job takes it over and sends it
                    without a key   it is left to its provider, which calls it lost

A job with a key is the same job however often its call is sent, so it is safe to go on with it. The
caller of one without a key has no answer, and may have repeated its call as another job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.job_updater import JobUpdater
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.processes import Processes, ProcessState
from tiomagic_domain.ports.provider import SENDER

SENDING_TIME: Final = timedelta(minutes=5)
"""How long a process that cannot be seen may take to send a stored job, with its inputs."""
PROCESS: Final = "process"
PLACE: Final = "place"


class JobSenders:
    """Knows who sends a job, and takes over what a dead process has left.

    Args:
        updater: Changes jobs.
        clock: The time.
        processes: Says which processes live; None where that is not known, and nothing is taken
            over.
        place: Where jobs are sent from: processes of one place know what the others have sent.
    """

    def __init__(
        self, updater: JobUpdater, clock: Clock, processes: Processes | None, place: str
    ) -> None:
        self._updater = updater
        self._clock = clock
        self._processes = processes
        self._place = place

    def mark(self, job: Job) -> Job:
        """Return a job that is about to be stored and sent, with this process as its sender."""
        if self._processes is None:
            return job
        sender = {PROCESS: self._processes.current(), PLACE: self._place}
        return replace(job, facts={**job.facts, SENDER: sender})

    def is_being_sent(self, job: Job) -> bool:
        """Return whether a process may be sending a job now."""
        if job.call_id is not None or job.queue is not None or self._is_dead(job):
            return False
        return self._clock.now() - job.creation_time < SENDING_TIME

    def take(self, job: Job) -> Job | None:
        """Make this process the sender of a job that a dead one has left; None for any other job.

        Of several that take it at once one gets it. It is sent only from where the dead one would
        have sent it: some providers know only there which jobs were sent.
        """
        if not self._is_left(job):
            return None

        is_ours = False

        def change(job: Job, at: datetime) -> Job | None:
            nonlocal is_ours
            is_ours = self._is_left(job)
            return replace(self.mark(job), last_updated=at) if is_ours else None

        taken = self._updater.update(job, change, quiet=True)
        return taken if is_ours else None

    def _is_left(self, job: Job) -> bool:
        is_unsent = job.status is JobStatus.QUEUED and job.call_id is None and job.queue is None
        return is_unsent and job.idempotency_key is not None and self._is_dead(job)

    def _is_dead(self, job: Job) -> bool:
        """Return whether a job's sender is certainly dead, and sent from here."""
        sender = job.facts.get(SENDER)
        if not isinstance(sender, Mapping) or self._processes is None:
            return False
        state = self._processes.get_state(str(sender.get(PROCESS)))
        return sender.get(PLACE) == self._place and state is ProcessState.DEAD
