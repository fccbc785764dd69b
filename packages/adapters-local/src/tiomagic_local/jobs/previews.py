"""The previews of running jobs: files in the spool, from the process that runs to those that look.

============================  =====================================================================
``<job id>.watched``          someone looks at the job: its run draws previews
``<job id>.preview.jpg``      the newest preview, replaced by each next one
``<job id>.preview.txt``      why there are none
============================  =====================================================================

All of them go when the run ends. A file and not the job's record: that is written once a second at
the most, is kept for good, and is no place for pictures.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.progress import Preview

WATCHED, PICTURE, REASON = ".watched", ".preview.jpg", ".preview.txt"
ENDINGS: Final = (WATCHED, PICTURE, REASON)
ASK_AGAIN_S: Final = 60.0
"""Age of the question after which who looks renews it."""
STALE_S: Final = 86_400.0
"""Age of a question after which it is no longer taken for one of a waiting job."""


class SpooledPreviews:
    """Keeps the previews of jobs in the spool.

    Args:
        folder: The spool; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, job_id: str) -> Preview:
        """Return the newest preview of a job, and have its run draw more.

        Without a folder that can be written there is none.
        """
        question = self._path(job_id, WATCHED)
        with contextlib.suppress(OSError):
            if _age(question) > ASK_AGAIN_S:
                make_private(self._folder)
                question.touch()
        with contextlib.suppress(OSError):
            return Preview(jpeg=self._path(job_id, PICTURE).read_bytes())
        with contextlib.suppress(OSError, ValueError):
            return Preview(reason=self._path(job_id, REASON).read_text(encoding="utf-8"))
        return Preview()

    def is_asked(self, job_id: str) -> bool:
        """Return whether someone looks at a job."""
        return self._path(job_id, WATCHED).exists()

    def put(self, job_id: str, jpeg: bytes) -> None:
        """Replace the preview of a job; on a disk that is full or lost, nothing happens."""
        with (
            contextlib.suppress(OSError),
            replacing(self._path(job_id, PICTURE), durable=False) as part,
        ):
            part.write_bytes(jpeg)

    def refuse(self, job_id: str, reason: str) -> None:
        """Keep why a job has no previews."""
        with (
            contextlib.suppress(OSError),
            replacing(self._path(job_id, REASON), durable=False) as part,
        ):
            part.write_text(reason, encoding="utf-8")

    def remove(self, job_id: str) -> None:
        """Remove all that there is of a job."""
        for ending in ENDINGS:
            with contextlib.suppress(OSError):
                self._path(job_id, ending).unlink(missing_ok=True)

    def list_leftover(self) -> list[str]:
        """Return jobs whose previews are left over, unless they run."""
        found = {
            path.name.removesuffix(ending): path
            for ending in ENDINGS
            for path in self._folder.glob(f"[!.]*{ending}")
        }
        # A question may be for a job that waits; a picture is of a process that has died.
        return [
            job_id
            for job_id, path in found.items()
            if not path.name.endswith(WATCHED) or _age(path) > STALE_S
        ]

    def _path(self, job_id: str, ending: str) -> Path:
        return self._folder / f"{job_id}{ending}"


class RunPreviews:
    """Asks for the previews of one run: while someone looks at its job.

    Args:
        previews: Of all jobs.
        job_id: Which one.
    """

    def __init__(self, previews: SpooledPreviews, job_id: str) -> None:
        self._previews = previews
        self._job_id = job_id

    def is_wanted(self) -> bool:
        """Return whether someone looks; see the port."""
        return self._previews.is_asked(self._job_id)

    def refuse(self, reason: str) -> None:
        """Keep why there will be none; see the port."""
        self._previews.refuse(self._job_id, reason)


def _age(path: Path) -> float:
    """Return the seconds since a file was written; infinite when it is not there."""
    try:
        return time.time() - os.stat(path).st_mtime  # noqa: PTH116 - no Path for each poll
    except OSError:
        return float("inf")
