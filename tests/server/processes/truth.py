"""What is true after the clients of a server have done their work: read from the store itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiomagic_domain.jobs.job import JobQuery
from tiomagic_storage import open_repository

if TYPE_CHECKING:
    from tests.server.hook_receiver import HookReceiver
    from tests.server.processes.clients import Told
    from tests.server.processes.commands import ServeCommand


@dataclass(frozen=True, slots=True)
class Truth:
    """What is wrong with what clients were told; all of it empty in a good world."""

    lost: Sequence[str]
    """Ids that a client was told and that are no job with its key."""
    twice: Sequence[str]
    """Prompts of more than one job: each call has its own."""
    sent_twice: Sequence[str]
    """Jobs whose run was asked for more than once."""


@dataclass(frozen=True, slots=True)
class HookTruth:
    """What is wrong with the webhooks that a receiver got; all of it empty in a good world."""

    missing: Sequence[str]
    """Jobs without a message."""
    unrecognised: Sequence[str]
    """Jobs whose repeated message has another id or another body."""
    wrong: Sequence[str]
    """Jobs whose message says another end than the client was told."""
    forged: Sequence[str]
    """Why signatures do not hold."""


def read_hooks(told: Told, hooks: HookReceiver) -> HookTruth:
    """Compare the messages of a receiver with what clients were told, when all have come."""
    messages = defaultdict(list)
    for one in hooks.wait_for_different(len(told.ends)):
        messages[one.data["data"]["id"]].append(one)
    return HookTruth(
        missing=[job_id for job_id in told.ends if job_id not in messages],
        unrecognised=[
            job_id
            for job_id, all_of_it in messages.items()
            if len({(one.webhook_id, one.body) for one in all_of_it}) > 1
        ],
        wrong=[
            job_id
            for job_id, (first, *_) in messages.items()
            if first.data["data"]["status"] != told.ends[job_id]
        ],
        forged=hooks.forged,
    )


def read_truth(command: ServeCommand, told: Told) -> Truth:
    """Compare what clients were told with the job store and the runs of the provider."""
    assert command.database_url is not None
    repository = open_repository(command.database_url)
    try:
        jobs = repository.list(JobQuery(limit=None))
    finally:
        repository.close()
    by_key = {job.idempotency_key: job.job_id for job in jobs}
    prompts = Counter(str(job.required_args["prompt"]) for job in jobs)
    return Truth(
        lost=[job_id for key, job_id in told.jobs.items() if by_key.get(key) != job_id],
        twice=[prompt for prompt, count in prompts.items() if count > 1],
        sent_twice=[job_id for job_id, count in command.runs.sent().items() if count > 1],
    )
