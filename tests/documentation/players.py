"""Who makes the videos of the pages: what would need a GPU, or too much time, is played."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports import Capabilities, Observer, Report, Request
from tiomagic_domain.testing import FakeProvider
from tiomagic_domain.testing.provider import FakeRun
from tiomagic_local.provider import LocalProvider
from tiomagic_media.encode.mp4 import write_mp4


class PlayableProvider(FakeProvider):
    """A fake whose videos can be played: real mp4 files with their recipes."""

    numbers = itertools.count()

    def _fetch(self, run: FakeRun) -> VideoFile:
        recipe = build_recipe(run.job, versions={}, facts={})
        self._spool.mkdir(parents=True, exist_ok=True)
        path = self._spool / f"{next(self.numbers)}.mp4"
        write_mp4(path, np.full((9, 64, 64, 3), 90, np.uint8), fps=16, recipe=recipe)
        return VideoFile(path=path, recipe=recipe)


class LocalWithPlayedModels:
    """The provider ``local`` of a machine that has a GPU for every model.

    ``doodle`` is itself for one video of each wanted feature; all other runs are played, after
    everything that is checked before a run.

    Args:
        local: The real provider.
        spool: Folder of the played videos.
        wanted: Features that ``doodle`` makes.
    """

    name = "local"

    def __init__(self, local: LocalProvider, spool: Path, wanted: set[Feature]) -> None:
        self._local = local
        self._player = PlayableProvider(spool, name="local", blocking=True, default_model="doodle")
        self._wanted = wanted

    def capabilities(self) -> Capabilities:
        """Return what the real one is like."""
        return self._local.capabilities()

    def check(self, request: Request) -> None:
        """Check as the real one does, unless it would look for weights that are not here."""
        if request.job.model == "doodle":
            self._local.check(request)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Run a job to its end."""
        if request.job.model == "doodle" and request.feature in self._wanted:
            self._wanted.remove(request.feature)
            return self._local.submit(request, observer)
        return self._player.submit(request, observer)

    def poll(self, job: Job) -> Report:
        """Ask how a job is."""
        return self._provider_of(job).poll(job)

    def cancel(self, job: Job) -> Report:
        """Ask for a job to stop."""
        return self._provider_of(job).cancel(job)

    def _provider_of(self, job: Job) -> LocalProvider | PlayableProvider:
        return self._player if job.job_id in self._player.runs else self._local
