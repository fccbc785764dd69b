"""The methods of ``tm`` that make pictures, and files for other programs, of a video."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic.handle.handle import JobHandle
    from tiomagic.wiring.session import Session
    from tiomagic_domain.jobs.job import Job


class PictureMethods(ABC):
    """What can be made of a video that is on this machine, whoever made it.

    Each method takes a job's handle, a job's id or the path of an mp4, and a ``path``: the file to
    write, a folder that is there, or None for a file beside the video. It returns the path.

    Each raises ``ResourceNotFoundError`` when there is no such job or file, or the job has no
    video; ``ValidationError`` when an argument is refused or the file is no video; and
    ``ProcessingError`` when nothing can be written.
    """

    @property
    @abstractmethod
    def _session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def contact_sheet(
        self,
        job: JobHandle | str | Path,
        path: str | Path | None = None,
        *,
        frames: int = 12,
        columns: int = 4,
        width: int = 240,
    ) -> Path:
        """Write a PNG of frames spread over the video, each with its time.

        Args:
            job: Which video.
            path: Where to.
            frames: How many, the first and the last among them; a shorter video gives all.
            columns: Frames in a row.
            width: Of each frame, in pixels.
        """
        from tiomagic.results import pictures

        source = _source(job)
        return pictures.contact_sheet(
            self._session, source, path, frames=frames, columns=columns, width=width
        )

    def poster(self, job: JobHandle | str | Path, path: str | Path | None = None) -> Path:
        """Write the frame in the middle of the video as PNG, for a title or a thumbnail."""
        from tiomagic.results import pictures

        return pictures.poster(self._session, _source(job), path)

    def last_frame(self, job: JobHandle | str | Path, path: str | Path | None = None) -> Path:
        """Write the last frame as PNG: give it to ``image_to_video`` and the shot goes on."""
        return self.convert(job, "png", path)

    def convert(
        self,
        job: JobHandle | str | Path,
        to: str,
        path: str | Path | None = None,
        *,
        width: int | None = None,
        frame: int = -1,
    ) -> Path:
        """Write the video in another format.

        Args:
            job: Which video.
            to: ``gif``; ``webp``, smaller and with all colours; ``png``, one frame; ``frames``, a
                folder of numbered PNG; ``prores``, a .mov for editors; ``ffv1``, a lossless .mkv.
            path: Where to.
            width: Pixels, the shape is kept; None for the video's own.
            frame: Which frame a ``png`` shows; negative counts from the end.
        """
        from tiomagic.results import pictures

        return pictures.convert(self._session, _source(job), to, path, width=width, frame=frame)


def _source(job: JobHandle | str | Path) -> Job | str | Path:
    return job if isinstance(job, str | Path) else job._job  # noqa: SLF001 - the same package
