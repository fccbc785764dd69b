"""Submitting jobs, and seeing them to their end when that is wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from tiomagic.api.arguments import Call
from tiomagic.api.run_options import RunOptions
from tiomagic.display.next_steps import advise_in_python
from tiomagic.display.progress_bar import show_progress
from tiomagic.handle.handle import JobHandle, require_video
from tiomagic.handle.wait import wait_for
from tiomagic.wiring.redacting_provider import redact_errors
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.progress import ProgressSink
from tiomagic_domain.schema.kinds import unwrap

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session


def run(session: Session, call: Call) -> JobHandle:
    """Submit a job; see :meth:`tiomagic.TioMagic.text_to_video`."""
    providers, options = session.configured_providers(), call.options
    with _submission(session, call.model or providers[0], options) as sink:
        job = session.generation.submit(
            call.feature,
            provider=providers,
            model=call.model,
            arguments=call.arguments,
            on_progress=sink,
            detach=options.wait is False,
            retry=options.retry,
            key=options.idempotency_key,
            force=options.force,
            preview=options.preview,
            max_cost=options.max_cost,
        )
    return _hand_over(session, job, options)


def rerun(
    session: Session,
    recipe: Mapping[str, Any],
    provider: str | Sequence[str],
    overrides: Mapping[str, object],
    options: RunOptions,
    model: str | None = None,
) -> JobHandle:
    """Submit the job of a recipe again; see :meth:`tiomagic.TioMagic.rerun`."""
    with _submission(session, str(model or recipe["model"]), options) as sink:
        job = session.generation.rerun(
            recipe,
            overrides=overrides,
            provider=provider,
            model=model,
            on_progress=sink,
            detach=options.wait is False,
            retry=options.retry,
            key=options.idempotency_key,
            force=options.force,
            preview=options.preview,
            max_cost=options.max_cost,
        )
    return _hand_over(session, job, options, recipe)


def choose_rerun_providers(
    session: Session, recipe: Mapping[str, Any], given: str | None
) -> list[str]:
    """Return who runs a recipe again: who is named, the configured one, else the recipe's own.

    Of several that are configured it is the one that ran it, for the same video.
    """
    if given is not None:
        return [given]
    own = str(recipe["provider"])
    if session.settings.provider is None:
        return [own]
    names = session.configured_providers()
    return [own] if own in names else names


@contextmanager
def _submission(session: Session, title: str, options: RunOptions) -> Iterator[ProgressSink]:
    """Show the progress of a submission within the block, and redact its errors."""
    _check_retry(options)
    with (
        advise_in_python(),
        redact_errors(lambda: session.settings.secrets),
        show_progress(options.progress, title, options.on_progress) as sink,
    ):
        yield sink


def _hand_over(
    session: Session, job: Job, options: RunOptions, recipe: Mapping[str, Any] | None = None
) -> JobHandle:
    """Return the job, after a wait if requested; raise if it fails meanwhile."""
    with redact_errors(lambda: session.settings.secrets):
        blocks = options.wait is None and session.provider(job.provider).capabilities().blocking
        # A job that was found by its key may be under way in another process.
        if options.wait or (blocks and not job.status.is_terminal):
            waited = wait_for(
                session,
                job,
                progress=options.progress,
                on_progress=options.on_progress,
                preview=options.preview,
            )
            job = require_video(waited)
    if not job.status.is_terminal:
        _announce(session, job)
    return JobHandle(job, session, recipe)


def _announce(session: Session, job: Job) -> None:
    """Print the id of a job that continues in the background."""
    # A program without a console has no stderr at all.
    stderr: TextIO | None = sys.stderr
    if stderr is None or not session.settings.announce_jobs:
        return
    with suppress(OSError, ValueError):  # A terminal that was closed meanwhile.
        if stderr.isatty():
            ask = f'tm.check_generation_status("{job.job_id}")'
            stderr.write(f"job {job.job_id} is {job.status} on {job.provider}: {ask}\n")


def _check_retry(options: RunOptions) -> None:
    retry: object = unwrap(options.retry)
    if isinstance(retry, bool) or not isinstance(retry, int) or retry < 0:
        wrong = "must be a whole number of 0 or more"
    elif retry and options.wait is not False:
        wrong = "needs wait=False: it is for a run that outlives its caller"
    else:
        return
    problem = Problem(field="retry", message=wrong, given=repr(retry), nearest=0)
    raise ValidationError.of([problem], subject="the call")


def unload(session: Session) -> None:
    """Free the memory of every provider that keeps models; builds none that is not installed."""
    for name in session.provider_names():
        try:
            provider = session.provider(name)
        except ConfigurationError:
            continue  # A part that cannot be built has loaded nothing.
        provider.unload()
