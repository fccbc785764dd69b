"""The fields of a job's record that a handle shows as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiomagic.display.next_steps import PYTHON, add_ways
from tiomagic_domain.requests.carrying import CHANGED_CHOICES_FACT
from tiomagic_domain.spending.fallback import PASSED_OVER

if TYPE_CHECKING:
    from tiomagic_domain.jobs.job import Job


class JobFields:
    """The fields of a job, as of the last check."""

    _job: Job

    @property
    def prompt(self) -> str:
        """The prompt of the job, in any status."""
        return str(self._job.required_args.get("prompt", ""))

    @property
    def creation_time(self) -> str:
        """When the job was stored, ISO 8601 with zone."""
        return self._job.creation_time.isoformat()

    @property
    def last_updated(self) -> str:
        """When the job last changed, ISO 8601 with zone."""
        return self._job.last_updated.isoformat()

    @property
    def tags(self) -> list[str]:
        """Your tags of the job."""
        return list(self._job.tags)

    @property
    def note(self) -> str:
        """Your note on the job; empty if there is none."""
        return self._job.note

    @property
    def error_code(self) -> str | None:
        """The error's code; None when the job did not fail."""
        return self._job.error_code

    @property
    def message(self) -> str:
        """The newest message for the user; empty before the first one."""
        return add_ways(self._job.message, PYTHON)

    @property
    def warnings(self) -> list[str]:
        """What to know about the video, one sentence each; empty when it is as asked for.

        Words of the prompt that the model does not know, how a given picture or video is read, and
        what the run did otherwise: a prompt that was cut, a LoRA that fits in part. The words are
        known at once, the rest when the job is over.
        """
        from tiomagic.display.phrases.job_warnings import say_job_warnings  # noqa: PLC0415  # Seldom.
        from tiomagic.display.phrases.vocabulary import PYTHON_WORDS  # noqa: PLC0415  # The same.

        return say_job_warnings(self._job, PYTHON_WORDS)

    @property
    def call_id(self) -> str | None:
        """The provider's name for the run; None until it has one."""
        return self._job.call_id

    @property
    def required_args(self) -> dict[str, Any]:
        """The inputs of the feature; pictures and videos as references by their hash."""
        return dict(self._job.required_args)

    @property
    def optional_args(self) -> dict[str, Any]:
        """Every setting of the run, with the seed."""
        return dict(self._job.optional_args)

    @property
    def seed(self) -> int | None:
        """The seed, given or drawn; None for a model that takes none."""
        seed = self._job.optional_args.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The inputs and settings that you gave, apart from the defaults; None if unknown.

        It is unknown for a job of an older version.
        """
        chosen = self._job.chosen
        return None if chosen is None else chosen.values(self._job.arguments)

    @property
    def changed_choices(self) -> list[dict[str, Any]]:
        """Choices that a rerun on another model changed or left out, ``name given used reason``.

        ``used`` is the nearest legal value, or None when the choice is left out.
        """
        return list(self._job.facts.get(CHANGED_CHOICES_FACT, ()))

    @property
    def passed_over(self) -> list[dict[str, Any]]:
        """The providers that were to run it and could not, ``provider code reason job_id``."""
        return list(self._job.facts.get(PASSED_OVER, ()))

    @property
    def queue(self) -> str | None:
        """The queue of a job that a worker in the background runs; None for any other."""
        return self._job.queue

    @property
    def priority(self) -> int:
        """Workers take the highest of a queue first, and the oldest of the same."""
        return self._job.priority

    @property
    def retry(self) -> int:
        """How often it may still run again after its worker was lost."""
        return self._job.retry

    @property
    def attempt(self) -> int:
        """Which run this is, counted from 1."""
        return self._job.attempt

    @property
    def started_at(self) -> str | None:
        """When this attempt began to run, ISO 8601 with zone; None before."""
        return None if self._job.started_at is None else self._job.started_at.isoformat()

    @property
    def ended_at(self) -> str | None:
        """When it was over, ISO 8601 with zone; None until then."""
        return None if self._job.ended_at is None else self._job.ended_at.isoformat()

    @property
    def version(self) -> int:
        """The number of times that the job was stored."""
        return self._job.version

    @property
    def idempotency_key(self) -> str | None:
        """The caller's key for the job; None when it gave none."""
        return self._job.idempotency_key

    @property
    def payer(self) -> str | None:
        """The key of a server whose budgets hold the job; None for a job of your own."""
        return self._job.payer
