"""The previews of running jobs: who looks at which job, and the newest picture of each.

Only in the coordinator's memory: a preview is worth nothing once its run is over.
"""

from __future__ import annotations

import time
from typing import Final

LOOKED_S: Final = 60.0
"""For so long after the last look a run draws previews."""
WAITING_LOOK_S: Final = 86_400.0
"""A look at a job that waits counts for the run that comes."""


class Previews:
    """The previews of all jobs."""

    def __init__(self) -> None:
        self._looks: dict[str, float] = {}
        self._pictures: dict[str, tuple[bytes, str]] = {}

    def ask(self, job_id: str) -> tuple[bytes, str]:
        """Return the newest picture, or why there is none, and have the run draw more."""
        now = time.monotonic()
        self._looks[job_id] = now
        self._looks = {one: at for one, at in self._looks.items() if now - at < WAITING_LOOK_S}
        return self._pictures.get(job_id, (b"", ""))

    def is_wanted(self, job_id: str) -> bool:
        """Say whether someone looks at a job's run; one look at a job that waits is enough."""
        looked = self._looks.get(job_id)
        has_begun = job_id in self._pictures
        return looked is not None and (not has_begun or time.monotonic() - looked < LOOKED_S)

    def take(self, job_id: str, jpeg: bytes, reason: str) -> None:
        """Take a new picture, or the reason why there will be none."""
        if jpeg or reason:
            self._pictures[job_id] = (jpeg, reason)

    def remove(self, job_id: str) -> None:
        """Forget a job that is over."""
        self._looks.pop(job_id, None)
        self._pictures.pop(job_id, None)


class WorkerPreviews:
    """Asks for the previews of one run, on its worker; has the newest one until it is sent."""

    def __init__(self) -> None:
        self.is_asked = False
        self._new: tuple[bytes, str] = (b"", "")

    def is_wanted(self) -> bool:
        """Say whether someone looks, as the coordinator last said."""
        return self.is_asked

    def refuse(self, reason: str) -> None:
        """Take the reason why there will be none."""
        self._new = (b"", reason)

    def put(self, jpeg: bytes) -> None:
        """Take a new picture."""
        self._new = (jpeg, "")

    def take_new(self) -> tuple[bytes, str]:
        """Return what has come since the last call, and forget it."""
        new, self._new = self._new, (b"", "")
        return new
