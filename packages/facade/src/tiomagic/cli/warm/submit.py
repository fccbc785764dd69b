"""Commands hand their job to a warm worker, which keeps the model for the next command.

::

    command ── job, queued ──► worker, started when there is none: loads the model, makes the video
       │                          ▲ stays for worker_idle_s
       └── follows the job ───────┘        Ctrl-C, SIGTERM, a closed terminal: cancels the job

To the user it is the same as a run in the command's own process: progress, output, exit codes. The
queue's name has the fingerprint of the settings, so no worker runs the job with other ones.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from types import FrameType

    from tiomagic import JobHandle, TioMagic
    from tiomagic.cli._options import CommandRun
    from tiomagic.cli._output import Output
    from tiomagic_domain.errors import TioMagicError
    from tiomagic_domain.progress import ProgressSink

STOP_TIMEOUT_S: Final = 2.0
"""Seconds to wait after Ctrl-C for the worker to stop: the next step is soon over, a model that
loads may take longer, and is left to the worker."""

ENDING_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a command, and with it the job that it waits for."""


class Submit(Protocol):
    """Submits the job of a command, as ``tm.text_to_video`` does."""

    def __call__(
        self, *, wait: bool | None, progress: bool, on_progress: ProgressSink | None, preview: bool
    ) -> JobHandle:
        """Submit it with these options, and return its handle."""
        ...


class CommandEndedError(KeyboardInterrupt):
    """A signal has asked this command to end. What waits treats it as Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def submit(
    output: Output,
    tm: TioMagic,
    manner: CommandRun,
    provider: str,
    model: str,
    call: Submit,
    *,
    previews: ProgressSink | None = None,
) -> JobHandle:
    """Submit the job of a command: to a worker in the background, or to run in this process.

    Args:
        output: Of the command.
        tm: With its settings.
        manner: How the job is made.
        provider: The provider's name.
        model: The model's name.
        call: Submits it.
        previews: Gets each preview with the progress; None for a run without.

    Returns:
        The job; when it is to be waited for and runs on this machine, it is over.
    """
    from tiomagic_domain.codes import ErrorCode  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.errors import ConfigurationError  # noqa: PLC0415  # The same.

    call = partial(call, on_progress=previews, preview=previews is not None)
    if not manner.wait:
        return call(wait=False, progress=False)
    shows = not (manner.quiet or manner.as_json)
    if _wants_worker(tm, manner, provider):
        try:
            return _run_in_worker(output, tm, provider, model, call, previews=previews, shows=shows)
        except ConfigurationError as error:
            if error.code not in {ErrorCode.NO_WORKER, ErrorCode.NO_BACKGROUND}:
                raise
            output.say(f"{error.message}; this command makes the video itself")
            _forget(tm, error)
    return call(wait=None, progress=shows)


def _wants_worker(tm: TioMagic, manner: CommandRun, provider: str) -> bool:
    from tiomagic.display.progress_bar import is_animated  # noqa: PLC0415  # Not for --help.

    choice = tm.settings.warm_worker
    if choice == "off" or (choice == "auto" and not is_animated()):
        return False
    # Elsewhere no process can outlive the one that starts it. With --debug every event of the run
    # is shown, which needs the run here; --retry without --detach is refused there.
    if os.name != "posix" or manner.debug or manner.retry:
        return False
    # Which of several providers runs it shows when it is submitted.
    if tm.settings.other_providers:
        return False
    return tm.session.provider(provider).capabilities().blocking


def _run_in_worker(
    output: Output,
    tm: TioMagic,
    provider: str,
    title: str,
    call: Callable[..., JobHandle],
    *,
    previews: ProgressSink | None,
    shows: bool,
) -> JobHandle:
    from tiomagic.cli.warm.failures import find_failure  # noqa: PLC0415  # Not for --help.
    from tiomagic.display.progress_bar import show_progress  # noqa: PLC0415  # The same.
    from tiomagic.handle.follow import follow  # noqa: PLC0415  # The same.
    from tiomagic.handle.previews import PreviewWatcher  # noqa: PLC0415  # The same.
    from tiomagic_domain.progress import DOWNLOAD_STAYS, Phase  # noqa: PLC0415  # The same.
    from tiomagic_domain.usecases.interruptions import say_canceled  # noqa: PLC0415  # The same.

    was_cold = not _has_worker(tm, provider)
    with _end_by_signal(), show_progress(shows, title, previews) as shown:
        job = call(wait=False, progress=False)
        sink = shown
        if previews is not None:
            sink = PreviewWatcher(tm.session, output.say).add_to(job.record, shown)
        try:
            record = follow(tm.session, job.record, sink)
        except KeyboardInterrupt as interrupt:
            _cancel(job)
            interrupt.add_note(say_canceled(job.job_id))
            progress = job.record.progress
            if progress is not None and progress.phase is Phase.DOWNLOADING:
                interrupt.add_note(DOWNLOAD_STAYS)
            raise
    failure = find_failure(tm, record)
    if failure is not None:
        raise failure
    idle_s = tm.settings.worker_idle_s
    if was_cold and shows and idle_s:
        output.say(
            f"a worker keeps the model loaded for {idle_s} s; end it with: tiomagic worker stop"
        )
    return job.refresh()


def _has_worker(tm: TioMagic, provider: str) -> bool:
    background = tm.session.container.background()
    return background is not None and bool(background.list_workers(background.queue(provider)))


def _cancel(job: JobHandle) -> None:
    """Cancel a job, and wait a moment for its end; the worker stays."""
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # Not for --help.

    with suppress(TioMagicError):  # Nothing more can be done for a command that ends.
        job.cancel()
        job.wait(STOP_TIMEOUT_S, poll=0.1, progress=False)


@contextmanager
def _end_by_signal() -> Iterator[None]:
    """Turn signals that end this process into an exception, and end it so after the block."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise CommandEndedError(number)

    # One that is ignored, as under nohup, stays ignored.
    taken = [n for n in ENDING_SIGNALS if signal.getsignal(n) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    except CommandEndedError as ended:
        signal.signal(ended.number, signal.SIG_DFL)
        os.kill(os.getpid(), ended.number)
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _forget(tm: TioMagic, error: TioMagicError) -> None:
    """Delete the record of the job that no worker took: the command makes another."""
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # Not for --help.

    job_id = error.details.get("job_id")
    with suppress(TioMagicError):
        if job_id is not None:
            tm.delete_job(str(job_id))
