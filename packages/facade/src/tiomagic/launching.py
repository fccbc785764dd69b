"""Starting background workers: processes of their own that outlive whoever starts them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import (
    ConfigurationError,
    ProcessingError,
    ResourceNotFoundError,
)
from tiomagic_domain.interpreter import module_command, safe_environment
from tiomagic_domain.owner_only import make_private, private_opener

if TYPE_CHECKING:
    from tiomagic.settings import Settings

WORKERS = "workers"
"""Folder of the state folder: what workers print, one file a queue."""
LOGS = "logs"
"""Folder of the state folder: what a run in a worker prints, one file a job."""


def job_log(state_dir: Path, job_id: str) -> Path:
    """Return where the output of a job that runs in a worker is kept."""
    return state_dir / LOGS / f"{job_id}.log"


def read_log(state_dir: Path, job_id: str) -> str:
    """Return what a job has printed; see :meth:`tiomagic.JobHandle.logs`."""
    path = job_log(state_dir, job_id)
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise ResourceNotFoundError(
            f"job {job_id} has no log on this machine: only a run in a background worker keeps "
            "one, from its beginning",
            details={"path": str(path)},
        ) from error
    except OSError as error:
        raise ProcessingError(
            f"the log {path} cannot be read: {error.strerror or error}",
            details={"path": str(path)},
        ) from error


class ProcessLauncher:
    """The port ``Launcher`` over the operating system.

    The settings go through the standard input of the process: no secret is on a command line or in
    a file. The process has a session of its own, so that no closed terminal or Ctrl-C reaches it,
    inherits no open file, and prints to its own log.

    Args:
        settings: Gives the settings that hold.
        foreign: Names of parts that are objects of this process, which no other one can have.
    """

    def __init__(self, settings: Callable[[], Settings], foreign: Sequence[str] = ()) -> None:
        self._settings = settings
        self._foreign = foreign

    def launch(self, queue: str) -> None:
        """Start a worker for a queue; see the port."""
        if self._foreign:
            raise ConfigurationError(
                "a job cannot run in the background here: these parts are objects of this "
                f"process, and a worker cannot have them: {', '.join(self._foreign)}",
                code="no_background",
            )
        settings = self._settings()
        log = settings.state_dir / WORKERS / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', queue)}.log"
        handed = json.dumps({"queue": queue, **as_plain(settings)}).encode()
        try:
            make_private(log.parent)
            with open(log, "ab", opener=private_opener) as output:
                # It forks and ends as soon as it has read; the fork is nobody's child.
                subprocess.run(  # noqa: S603 - this interpreter, and a module of our own.
                    module_command("tiomagic.worker"),
                    input=handed,
                    stdout=output,
                    stderr=output,
                    cwd=settings.working_dir,
                    env=safe_environment(os.environ),
                    start_new_session=True,
                    check=True,
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError(
                f"no background worker could be started: {error}. Its log is {log}",
                code="no_worker",
                details={"log": str(log)},
            ) from error


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return settings as plain data: ``working_dir``, and the others under ``settings``."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in values.items() if v is not None}
    return {"working_dir": plain.pop("working_dir"), "settings": plain}
