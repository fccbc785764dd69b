"""What a job's handle shows: pictures and files of its video, and itself in a notebook."""

# ruff: noqa: PLC0415 - nobody pays for pictures who wants none.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.jobs.job import Job


class HandlePictures:
    """A job that can be looked at.

    See :class:`tiomagic.api.picture_methods.PictureMethods` for the errors.
    """

    _job: Job
    _session: Session

    def contact_sheet(
        self,
        path: str | Path | None = None,
        *,
        frames: int = 12,
        columns: int = 4,
        width: int = 240,
    ) -> Path:
        """Write a PNG of frames with their times; see :meth:`tiomagic.TioMagic.contact_sheet`."""
        from tiomagic.results import pictures

        return pictures.contact_sheet(
            self._session, self._job, path, frames=frames, columns=columns, width=width
        )

    def poster(self, path: str | Path | None = None) -> Path:
        """Write the frame in the middle as PNG."""
        from tiomagic.results import pictures

        return pictures.poster(self._session, self._job, path)

    def last_frame(self, path: str | Path | None = None) -> Path:
        """Write the last frame as PNG, to continue from it."""
        return self.convert("png", path)

    def convert(
        self,
        to: str,
        path: str | Path | None = None,
        *,
        width: int | None = None,
        frame: int = -1,
    ) -> Path:
        """Write the video in another format; see :meth:`tiomagic.TioMagic.convert`."""
        from tiomagic.results import pictures

        return pictures.convert(self._session, self._job, to, path, width=width, frame=frame)

    def _repr_html_(self) -> str:
        """Return an inline player with the settings, for a notebook."""
        from tiomagic.display.notebook import render_job

        return render_job(self._job)
