"""Port: the output store, which saves finished videos."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import VideoFile


@runtime_checkable
class ClaimsFetches(Protocol):
    """Optional base of an output store: a claim, so that one process fetches a job's video."""

    def claim(self, job_id: str, *, timeout_s: float) -> AbstractContextManager[bool]:
        """Claim a job's result within the block, against other threads and processes.

        The claim of a process that dies is released. Without locks in the file system every process
        may fetch.

        Args:
            job_id: Which job.
            timeout_s: Most seconds to wait for other processes; 0 to try once.

        Returns:
            A context manager that yields False after the timeout.
        """
        ...


class OutputStore(Protocol):
    """Saves finished videos, whole or not at all."""

    def save(self, job: Job, video: VideoFile) -> Path:
        """Save a video and its recipe under the job's name.

        Idempotent: saving the same job again replaces its files. The source file is removed only
        after the copy is safe on the disk.

        Returns:
            The absolute path of the video.

        Raises:
            ProcessingError: when it cannot be written (disk full, folder not writable). The source
                file is untouched and no partial file is left under the final name.
        """
        ...

    def find(self, job: Job) -> VideoFile | None:
        """Return a job's saved video with its recipe, or None.

        A process may die between saving a video and storing its job; the next check finds the video
        here.
        """
        ...

    def remove(self, job: Job) -> list[Path]:
        """Delete a job's video and its recipe. Idempotent.

        Returns:
            The absolute paths of the files that were deleted.

        Raises:
            ProcessingError: when a file cannot be deleted; others may be deleted already.
        """
        ...

    def remove_partials(self) -> None:
        """Remove partial files of dead writers, and none of live writers.

        Called at recovery. Cheap; files that cannot be removed now are left for the next time.
        """
        ...
