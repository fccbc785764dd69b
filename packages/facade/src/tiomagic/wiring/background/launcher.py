"""Starts background workers as detached processes, and keeps their logs."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import select
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    ConfigurationError,
    ProcessingError,
    ResourceNotFoundError,
)
from tiomagic_domain.files.owner_only import make_private, private_opener
from tiomagic_domain.interpreter import module_command, safe_environment
from tiomagic_domain.redaction import redact
from tiomagic_domain.workers.leases import split_queue

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings

WORKER_LOGS_FOLDER = "workers"
"""The folder of workers' output, one file a queue, within the state folder."""
WORKER_START_TIMEOUT_S = 60.0
"""Timeout of a worker's start in seconds, after which it counts as slow: it imports torch."""

JOB_LOGS_FOLDER = "logs"
"""The folder of jobs' output, one file a job, within the state folder."""


def job_log_path(state_dir: Path, job_id: str) -> Path:
    """Return where the output of a job that runs in a worker is kept."""
    return state_dir / JOB_LOGS_FOLDER / f"{job_id}.log"


def read_log(state_dir: Path, job_id: str, secrets: frozenset[str] = frozenset()) -> str:
    """Return the redacted output of a job; see :meth:`tiomagic.JobHandle.logs`."""
    path = job_log_path(state_dir, job_id)
    try:
        return redact(path.read_text(encoding="utf-8", errors="replace"), secrets)
    except FileNotFoundError as error:
        raise ResourceNotFoundError(
            f"job {job_id} has no log on this machine: a run in a background worker keeps one, "
            "from its beginning, and one far away whose provider tells what it prints",
            details={"path": str(path)},
        ) from error
    except OSError as error:
        raise ProcessingError(
            f"the log {path} cannot be read: {error.strerror or error}",
            details={"path": str(path)},
        ) from error


def write_log(state_dir: Path, job_id: str, text: str) -> None:
    """Keep what a run far away has printed, in place of what was kept before."""
    path = job_log_path(state_dir, job_id)
    try:
        make_private(path.parent)
        with open(path, "w", encoding="utf-8", opener=private_opener) as file:
            file.write(text)
    except OSError as error:
        # A log is no reason to lose sight of the job.
        logging.getLogger("tiomagic").warning("the log of job %s is not kept: %s", job_id, error)


class ProcessLauncher:
    """The port ``Launcher`` over the operating system.

    The settings go through the standard input of the process: no secret is on a command line or in
    a file. The process has a session of its own, so that no closed terminal or Ctrl-C reaches it,
    inherits no open file, and prints to its own log.

    Args:
        settings: Gives the settings that hold.
        foreign: Names of parts that are objects of this process, which no other one can have.
        patience_s: Seconds to wait until a worker is ready; 0 for no wait.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        foreign: Sequence[str] = (),
        *,
        patience_s: float = WORKER_START_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._foreign = foreign
        self._patience_s = patience_s

    def launch(self, queue: str) -> None:
        """Start a worker for a queue, and return when it is ready; see the port."""
        if self._foreign:
            raise ConfigurationError(
                "a job cannot run in the background here: these parts are objects of this "
                f"process, and a worker cannot have them: {', '.join(self._foreign)}",
                code=ErrorCode.NO_BACKGROUND,
            )
        settings = self._settings()
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", split_queue(queue)[0])
        log = settings.state_dir / WORKER_LOGS_FOLDER / f"{name}.log"
        try:
            make_private(log.parent)
            with open(log, "ab", opener=private_opener) as output:
                before = output.tell()
                came_up = self._start(queue, settings, output)
        except (OSError, subprocess.SubprocessError) as error:
            raise _start_error(str(error), log) from error
        if not came_up:
            words = _last_log_line(log, before)
            raise _start_error(
                f"it ended at once, and said {words!r}" if words else "it ended", log
            )

    def _start(self, queue: str, settings: Settings, output: IO[bytes]) -> bool:
        """Start a worker, and return False when it has ended before it came up."""
        # Only POSIX passes a pipe on by its number; elsewhere the starter does not wait.
        listens = self._patience_s > 0 and os.name == "posix"
        hears, tells = os.pipe() if listens else (None, None)
        handed = {"queue": queue, "ready": tells, **dump_settings(settings)}
        try:
            # It forks and exits at once; the orphaned child is adopted by init.
            subprocess.run(  # noqa: S603 - this interpreter, and a module of our own.
                module_command("tiomagic.worker"),
                input=json.dumps(handed).encode(),
                stdout=output,
                stderr=output,
                cwd=settings.working_dir,
                env=safe_environment(os.environ),
                pass_fds=() if tells is None else (tells,),
                # Ctrl-C in the starter's terminal must not reach the worker.
                start_new_session=True,
                check=True,
            )
            if tells is not None:
                os.close(tells)
                # Closed on this side: else the pipe would not end when the worker dies before it is
                # ready.
                tells = None
            return hears is None or self._wait_until_ready(hears)
        finally:
            for descriptor in (hears, tells):
                if descriptor is not None:
                    os.close(descriptor)

    def _wait_until_ready(self, pipe: int) -> bool:
        """Wait for the ready message; a timeout means a slow worker, not a dead one."""
        spoken, _, _ = select.select([pipe], [], [], self._patience_s)
        # An empty read means that the worker closed the pipe without the message: it has died.
        return not spoken or bool(os.read(pipe, 64))


def _start_error(why: str, log: Path) -> ConfigurationError:
    return ConfigurationError(
        f"no background worker could be started: {why}. Its log is {log}",
        code=ErrorCode.NO_WORKER,
        details={"log": str(log)},
    )


def _last_log_line(log: Path, start: int) -> str:
    """Return the last line of a log that was written after a place in it."""
    try:
        with log.open("rb") as file:
            # Only the output of this start, and only its end.
            file.seek(max(start, log.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else ""


def dump_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as plain data: ``working_dir``, and the others under ``settings``."""
    names = {field.name for field in dataclasses.fields(settings)}
    # A worker runs what is stored for its own provider.
    names -= {"of_providers", "provider_secrets", "other_providers"}
    values = {name: getattr(settings, name) for name in names} | dict(settings.of_providers)
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in values.items() if v is not None}
    return {"working_dir": plain.pop("working_dir"), "settings": plain}
