"""Port: where finished videos go."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import VideoFile


@runtime_checkable
class ClaimsFetches(Protocol):
    """What an output store may do as well: see that a job's video is brought home once."""

    def claim(self, job_id: str, *, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold a job's result for the block, among all threads and processes that may fetch it.

        Whoever dies holds it no more. Where nothing can be held, everybody may fetch.

        Args:
            job_id: Which job.
            timeout_s: Seconds to wait for others at the most; 0 for a look.

        Returns:
            A context manager that gives False when others held it for so long.
        """
        ...


class OutputStore(Protocol):
    """Puts finished videos in their place, whole or not at all."""

    def save(self, job: Job, video: VideoFile) -> Path:
        """Put a video and its recipe in place under the job's name.

        Saving the same job again replaces the files by the same name. The source file is removed
        only when the copy is safe on the disk.

        Returns:
            The absolute path of the video.

        Raises:
            ProcessingError: when it cannot be written (disk full, folder not writable). The source
                file is untouched and no partial file is left under the final name.
        """
        ...

    def find(self, job: Job) -> VideoFile | None:
        """Return the video that is in place for a job, with its recipe, or None.

        A process may die between the saving of a video and the storing of its job; whoever looks
        at the job next finds the video here.
        """
        ...

    def remove(self, job: Job) -> list[Path]:
        """Delete a job's video and its recipe; harmless when they are gone.

        Returns:
            The absolute paths of the files that were deleted.

        Raises:
            ProcessingError: when a file cannot be deleted; the others may be gone.
        """
        ...

    def remove_partials(self) -> None:
        """Remove what dead writers have left half-written, and nothing that the living write.

        Called at recovery. Cheap, and harmless when there is nothing; what cannot be removed now
        is left for the next time.
        """
        ...
