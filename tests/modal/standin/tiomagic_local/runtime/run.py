"""What `run_request` promises, without a model."""

import builtins
import json
import os
import time
from pathlib import Path

from tiomagic_domain import errors
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Phase, Progress


def orders(prompt):
    try:
        return json.loads(prompt)
    except ValueError:
        return {}


def note(word, job_id):
    """Write in the diary, where a campaign keeps one, that a run of a job began or ended."""
    if diary := os.environ.get("STANDIN_DIARY"):
        import modal

        with Path(diary).open("a") as file:
            file.write(f"{word} {job_id} {modal.current_function_call_id()}\n")


def draw(target, frames):
    """Write a real clip, of noise: too large to travel within an answer."""
    import av
    import numpy as np

    chance = np.random.default_rng(7)
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 160
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            noise = chance.integers(0, 256, (160, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(stream.encode())


def run_request(request, *, runtime, target, progress, cancel=None):
    told = orders(request.job.required_args["prompt"])
    runtime.runs += 1
    print(f"job {request.job.job_id}, run {runtime.runs}")  # For `tiomagic modal logs`.
    note("began", request.job.job_id)
    steps = told.get("steps", 2)
    for step in range(steps):
        progress(Progress(phase=Phase.DENOISING, step=step, steps=steps))
        time.sleep(told.get("pause_s", 0.01))
    if "error" in told:
        kind = getattr(errors, told["error"], None) or getattr(builtins, told["error"])
        raise kind(told.get("text", "it broke"))
    media = b"".join(item.read_bytes() for item in request.media.values())
    filling = b"\0" * told.get("size", 0)
    target.write_bytes(as_mp4(f"video of {request.job.job_id} ".encode() + media + filling))
    if "frames" in told:
        draw(target, told["frames"])
    note("ended", request.job.job_id)
    facts = {"device": runtime.device, "seconds": {"loading": 1.5, "denoising": 2.0}}
    recipe = build_recipe(request.job, versions={}, facts=facts)
    video = VideoFile(path=target, recipe=recipe)
    return Report(status=JobStatus.COMPLETED, message="completed", video=video, facts=facts)


def as_mp4(content: bytes) -> bytes:
    """Return the boxes of an mp4 around bytes that are no frames; those come last."""
    boxes = (b"ftyp", b"isom\0\0\0\0isom"), (b"moov", b""), (b"mdat", content)
    return b"".join((8 + len(body)).to_bytes(4, "big") + kind + body for kind, body in boxes)
