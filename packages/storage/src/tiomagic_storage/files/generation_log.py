"""Writes ``generation_log.json``: the newest jobs, for people and for scripts of 1.0.0."""

from __future__ import annotations

import itertools
import json
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_storage.files.atomic import lock_file, remove_leftovers, replace_file
from tiomagic_storage.files.legacy_log import import_jobs, inspect_log

LOCK_TIMEOUT_S = 10.0
"""A refresh takes some ten milliseconds; after this timeout the lock's owner must be suspended."""

OLD_LOG_SUFFIX = ".1.0.0"
"""In the name under which the log of 1.0.0 is kept, before its ending."""


class GenerationLog:
    """Mirrors the newest jobs as ``{"jobs": [job dict, …]}``, the newest last, as 1.0.0 did.

    A file that 1.0.0 has written under the name is taken into the repository once and kept beside,
    as ``generation_log.1.0.0.json``. A file of another program stays, and no log is written.

    Args:
        path: The file, such as ``generation_log.json``; its folder exists.
        repository: Where the jobs are kept.
        limit: Most jobs in the file.
        lock_folder: Folder of the lock file, made if it does not exist; None for beside the log.
    """

    def __init__(
        self,
        path: Path,
        repository: JobRepository,
        limit: int = 200,
        *,
        lock_folder: Path | None = None,
    ) -> None:
        self._path = path.absolute()
        self._lock_folder = lock_folder
        self._repository = repository
        self._limit = limit
        self._has_reported = False
        self._is_open = False
        self._calls = itertools.count()
        self._covered = -1
        self._turn = threading.Lock()
        self._process = os.getpid()

    def refresh(self) -> None:
        """Replace the file by what is stored now.

        When this returns, what was stored before it was called is in the file. Of many threads that
        call it at once, one writes for those that wait. The lock covers reading the jobs and
        replacing the file, so that of several processes the last writer has also read last.

        Raises:
            ProcessingError: when the file cannot be replaced, or is another program's; it is as it
                was. The jobs are safe in the repository, so log this and go on. Another program's
                file is reported once.
        """
        if self._process != os.getpid():
            # A child of a fork: the thread that may have had the turn is not in it.
            self._process, self._turn = os.getpid(), threading.Lock()
        call = next(self._calls)
        with self._turn:
            if call < self._covered:
                return  # Meanwhile another thread has read all that was stored before this call.
            begun = next(self._calls)
            self._write()
            self._covered = begun

    def _write(self) -> None:
        try:
            if self._has_reported and not inspect_log(self._path).is_replaceable:
                return
            if not self._is_open:
                # Before the lock: opening a repository may import an old log, which takes the lock.
                self._repository.list(JobQuery(limit=0))
                self._is_open = True
            with self._lock():
                self._import_old_log()
                jobs = self._repository.list(JobQuery(limit=self._limit))
                oldest_first = [job.to_dict() for job in reversed(jobs)]
                content = json.dumps({"jobs": oldest_first}, indent=1)
                remove_leftovers(self._path.parent)
                # No fsync: after a power cut the next change writes it again.
                with replace_file(self._path, durable=False) as file:
                    file.write(content.encode("ascii"))
        except OSError as error:
            raise self._unwritable(error) from error

    def import_old_log(self) -> int:
        """Take the jobs of a log of 1.0.0 into the repository, and keep the file beside.

        Returns:
            How many jobs are new; 0 where there is no such file.

        Raises:
            ProcessingError: when the file cannot be kept, or is another program's.
        """
        try:
            if inspect_log(self._path).is_replaceable:
                return 0  # The usual case, without a lock file.
            with self._lock():
                return self._import_old_log()
        except OSError as error:
            raise self._unwritable(error) from error

    def _import_old_log(self) -> int:
        found = inspect_log(self._path)
        if found.is_replaceable:
            return 0
        if not found.old_jobs:
            self._has_reported = True
            raise ProcessingError(
                f"{self._path} is another program's file: it stays as it is, and no log of the "
                "jobs is written. Rename it if you want one",
                details={"path": str(self._path)},
                code=ErrorCode.GENERATION_LOG,
            )
        new = import_jobs(found.old_jobs, self._repository)
        # Renamed after the import: if it crashes in between, a repeated import finds the jobs
        # stored.
        _rename_without_overwriting(self._path, f"{self._path.stem}{OLD_LOG_SUFFIX}")
        return new

    def _lock(self) -> AbstractContextManager[None]:
        name = f".{self._path.name}.lock"
        if self._lock_folder is None:
            return lock_file(self._path.with_name(name), timeout_s=LOCK_TIMEOUT_S)
        make_private(self._lock_folder)
        return lock_file(self._lock_folder / name, timeout_s=LOCK_TIMEOUT_S, owner_only=True)

    def _unwritable(self, error: OSError) -> ProcessingError:
        return ProcessingError(
            f"the log {self._path} cannot be written: {error.strerror or error}",
            details={"path": str(self._path)},
            code=ErrorCode.GENERATION_LOG,
        )


def _rename_without_overwriting(path: Path, stem: str) -> None:
    """Rename a file, never over an existing one.

    Raises:
        OSError: when it cannot be renamed.
    """
    number = 1
    while True:
        target = path.with_name(f"{stem}{f'-{number}' if number > 1 else ''}{path.suffix}")
        number += 1
        try:
            # link() fails if the name exists: the check and the creation are one step.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        path.replace(target)
        return
