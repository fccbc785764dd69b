"""The log in the working directory: a view of the newest jobs for people and old scripts."""

from __future__ import annotations

import json
from pathlib import Path

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs import JobQuery
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_storage._files import locked, remove_leftovers, replacing

LOCK_TIMEOUT_S = 10.0
"""A refresh takes some ten milliseconds; whoever waits so long waits for a stopped process."""


class GenerationLog:
    """Mirrors the newest jobs as ``{"jobs": [job dict, …]}``, newest first. Never read back.

    Args:
        path: The file, such as ``generation_log.json``; its folder exists.
        repository: Where the jobs are kept.
        limit: How many jobs the file shows at the most.
    """

    def __init__(self, path: Path, repository: JobRepository, limit: int = 200) -> None:
        self._path = path.absolute()
        self._repository = repository
        self._limit = limit

    def refresh(self) -> None:
        """Replace the file by what is stored now.

        The jobs are read under the lock that the file is replaced under, so that of several
        processes the one that writes last is also the one that has read last.

        Raises:
            ProcessingError: when the file cannot be replaced; it is as it was. The jobs are safe
                in the repository, so this is worth a line in a log and no more.
        """
        lock = self._path.with_name(f".{self._path.name}.lock")
        try:
            with locked(lock, timeout_s=LOCK_TIMEOUT_S):
                jobs = self._repository.list(JobQuery(limit=self._limit))
                content = json.dumps({"jobs": [job.to_dict() for job in jobs]}, indent=1)
                remove_leftovers(self._path.parent)
                # Without fsync: after a power cut the next change writes it again.
                with replacing(self._path, durable=False) as file:
                    file.write(content.encode("ascii"))
        except OSError as error:
            raise ProcessingError(
                f"the log {self._path} cannot be written: {error.strerror or error}",
                details={"path": str(self._path)},
                code="generation_log",
            ) from error
