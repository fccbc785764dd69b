"""A provider as somebody else would write it; the test copies it into a package of its own.

It is of another kind than ours: no engine, no GPU, and it answers before the video is there.
"""

from dataclasses import replace

import numpy as np

from tiomagic_domain.catalogue.families.wan import T2V_1_3B
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Capabilities, Report
from tiomagic_media.encode.mp4 import write_mp4

NOISE = replace(T2V_1_3B, name="noise", title="Noise", engine="studio")
MODELS = (NOISE,)


class NoiseProvider:
    """Draws noise, and shows it when it is asked for the second time."""

    name = "studio"

    def __init__(self, folder):
        self._folder = folder
        self._asked = set()

    def capabilities(self):
        return Capabilities(default_model=NOISE.name, blocking=False)

    def check(self, request):
        pass

    def submit(self, request, observer):
        settings = request.settings
        size = (settings["num_frames"], settings["height"], settings["width"], 3)
        frames = np.random.default_rng(settings["seed"]).integers(0, 256, size, np.uint8)
        recipe = build_recipe(request.job, versions={}, facts={})
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{request.job.job_id}.mp4"
        write_mp4(path, frames, fps=settings["fps"], recipe=recipe)
        self._made = VideoFile(path=path, recipe=recipe)
        return Report(status=JobStatus.QUEUED, call_id="1", message="waits for the next look")

    def poll(self, job):
        if job.job_id not in self._asked:
            self._asked.add(job.job_id)
            return Report(status=JobStatus.RUNNING)
        return Report(status=JobStatus.COMPLETED, video=self._made)

    def cancel(self, job):
        return Report(status=JobStatus.CANCELED)


def build(settings):
    """Return the provider, as the entry point asks for it."""
    return NoiseProvider(settings.state_dir / "studio")
