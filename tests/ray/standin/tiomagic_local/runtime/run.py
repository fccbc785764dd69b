"""What `run_request` promises, without a model."""

import json
import os
import time
import uuid

import numpy as np

from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_media.encode.mp4 import write_mp4

FRAMES = 5


def write_diary(word, job_id, run):
    """Write what a run did, and when by the machine's clock, which all processes share."""
    if diary := os.environ.get("STANDIN_DIARY"):
        place = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(place, f"{word} {job_id} {run} {time.monotonic():.3f}\n".encode())
        os.close(place)


def run_request(request, *, runtime, target, progress, cancel, note):
    job, run = request.job, uuid.uuid4().hex[:8]
    told = json.loads(job.required_args["prompt"])
    note(f"run {run}")
    write_diary("began", job.job_id, run)
    for step in range(1, told["steps"] + 1):
        cancel.raise_if_canceled()
        time.sleep(told["pause_s"])
        progress(Progress(phase=Phase.DENOISING, step=step, steps=told["steps"]))
        write_diary("step", job.job_id, run)
    recipe = build_recipe(job, versions={}, facts={})
    shade = int(job.job_id[:2], 16)
    write_mp4(target, np.full((FRAMES, 32, 32, 3), shade, np.uint8), fps=8, recipe=recipe)
    write_diary("ended", job.job_id, run)
    video = VideoFile(path=target, recipe=recipe)
    facts = {"device": runtime.device}
    return Report(status=JobStatus.COMPLETED, message="completed", video=video, facts=facts)
