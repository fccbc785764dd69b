"""What a message says: its type and data, in OpenAI's and in OpenRouter's form.

OpenAI's names are ``video.completed`` and ``video.failed``; it has no canceled videos, so the third
name is built like theirs. A message says which video is meant and what became of it; the rest is
asked for with a key, as the rules of Standard Webhooks advise.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, Final

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.status import JobStatus
from tiomagic_server.answering.openrouter import STATUSES as OPENROUTER_STATUSES
from tiomagic_server.answering.openrouter import to_generation


class MessageForm(StrEnum):
    """The form of a message: that of the route by which its job was made."""

    OPENAI = "openai"
    OPENROUTER = "openrouter"


class VideoEvent(StrEnum):
    """What a message of OpenAI's form is about."""

    COMPLETED = "video.completed"
    FAILED = "video.failed"
    CANCELED = "video.canceled"


EVENTS: Final = {
    JobStatus.COMPLETED: VideoEvent.COMPLETED,
    JobStatus.FAILED: VideoEvent.FAILED,
    JobStatus.CANCELED: VideoEvent.CANCELED,
}
"""The event of each status in which a job is over."""


def build_event(job: Job, webhook_id: str, form: str, base: str) -> tuple[str, str]:
    """Return the type of an event and its message, as JSON in ASCII.

    Args:
        job: A job that is over.
        webhook_id: Of the delivery; also the id of the event.
        form: A ``MessageForm``.
        base: Address of the API under which the job was made.
    """
    ended = job.ended_at or job.last_updated
    message: dict[str, Any]
    if form == MessageForm.OPENROUTER:
        status = OPENROUTER_STATUSES[job.status]
        kind = f"video.generation.{status}"
        found = to_generation(job, base).model_dump(exclude_none=True)
        kept = ("id", "status", "generation_id", "unsigned_urls", "usage", "error")
        data = {"model": job.model, **{name: found[name] for name in kept if name in found}}
        message = {"type": kind, "created_at": ended.isoformat(), "data": data}
    else:
        kind = EVENTS[job.status].value
        message = {
            "id": webhook_id,
            "object": "event",
            "type": kind,
            "created_at": int(ended.timestamp()),
            "timestamp": ended.isoformat(),
            "data": {"id": job.job_id, "status": job.status.value},
        }
    return kind, json.dumps(message, separators=(",", ":"))
