"""How inputs and videos travel: in pieces, once for each machine, or by a folder that is shared."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from PIL import Image
from tests.ray.cluster import PATIENCE_S

from tiomagic import errors
from tiomagic_ray.constants import CHUNK_BYTES
from tiomagic_ray.link.spool import FetchedVideos
from tiomagic_ray.shared_folder import Probe, SharedFolder

FEW = {"num_inference_steps": 1, "guidance_scale": 1.0}
PROMPT = "a red circle moves right"
BIG_BYTES = 256 * 2**20
MOST_GROWTH = 64 * 2**20
"""A piece has 4 MiB; Ray's own buffers and the allocator keep some."""


def wait_for(tm, jobs):
    """Check jobs until all are over; return them."""
    deadline = time.monotonic() + PATIENCE_S
    return [wait_for_one(tm, job, deadline) for job in jobs]


def wait_for_one(tm, job, deadline):
    while job.status not in {"completed", "failed", "canceled"}:
        assert time.monotonic() < deadline, job.to_dict()
        time.sleep(0.1)
        job = tm.check_generation_status(job.job_id)
    return job


@pytest.fixture
def picture(tmp_path):
    """One that no other test has sent."""
    path = tmp_path / "picture.png"
    Image.frombytes("RGB", (64, 64), secrets.token_bytes(3 * 64 * 64)).save(path)
    return path


def test_an_input_is_sent_once(new_tm, connection, picture):
    """Of four jobs with the same picture, on two workers of one machine."""
    tm = new_tm()
    before = connection.coordinator("describe")["sent"]
    jobs = wait_for(
        tm, [tm.image_to_video("doodle", prompt=PROMPT, image=picture, **FEW) for _ in range(4)]
    )
    assert [job.status for job in jobs] == ["completed"] * 4
    after = connection.coordinator("describe")["sent"]
    sent = {name: after[name] - before[name] for name in after}
    assert sent["inputs_in"] == sent["inputs_out"] == picture.stat().st_size
    assert sent["videos_in"] == sent["videos_out"] > 0


def test_a_shared_folder_takes_inputs_and_videos(new_tm, connection, picture, tmp_path):
    """Nothing is sent; the video stays there, and another process finds it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    tm = new_tm(ray_shared_dir=shared)
    before = connection.coordinator("describe")["sent"]
    (job,) = wait_for(tm, [tm.image_to_video("doodle", prompt=PROMPT, image=picture, **FEW)])
    assert job.status == "completed", job.error
    assert connection.coordinator("describe")["sent"] == before
    kept = shared / "jobs" / job.job_id / "video.mp4"
    assert kept.read_bytes() == job.result().read_bytes()
    assert [path.name for path in (shared / "inputs").iterdir()] == [
        hashlib.sha256(picture.read_bytes()).hexdigest()
    ]
    assert not list(shared.glob(".tiomagic-probe*"))


def test_a_folder_that_is_not_shared_stores_nothing(new_tm, tmp_path, monkeypatch):
    """Known before a job is stored: no machine finds the probe."""
    monkeypatch.setattr(SharedFolder, "show_probe", show_elsewhere)
    shared = tmp_path / "shared"
    shared.mkdir()
    tm = new_tm(ray_shared_dir=shared)
    with pytest.raises(errors.ConfigurationError, match="is not the same folder on") as caught:
        tm.text_to_video("doodle", prompt=PROMPT)
    assert caught.value.code == "shared_folder"
    assert not tm.list_jobs()


def show_elsewhere(_folder):
    """Say that there is a probe, which is in the folder of that name on another machine."""
    from contextlib import nullcontext

    return nullcontext(Probe("elsewhere", "text"))


def test_a_folder_that_cannot_be_written_is_named(new_tm, tmp_path):
    tm = new_tm(ray_shared_dir=tmp_path / "nothing")
    with pytest.raises(errors.ConfigurationError, match="cannot be written here") as caught:
        tm.text_to_video("doodle", prompt=PROMPT)
    assert caught.value.code == "shared_folder"
    assert not tm.list_jobs()


def test_a_big_video_passes_in_pieces(cluster, connection, tmp_path):
    """Neither the driver nor this process ever has more than some pieces of it."""
    job = SimpleNamespace(job_id=f"big-{secrets.token_hex(4)}")
    connection.coordinator("describe")
    place = cluster.state / "results" / f"{job.job_id}.mp4"
    digest = hashlib.sha256()
    with place.open("wb") as file:
        for _ in range(BIG_BYTES // 2**20):
            piece = secrets.token_bytes(2**20)
            digest.update(piece)
            file.write(piece)
    watched = Watched(connection, cluster.find("ray::Coordinator"))
    outcome = {"sha256": digest.hexdigest(), "recipe": {}}
    video = FetchedVideos(tmp_path).take(job, outcome, watched)
    assert video.path.stat().st_size == BIG_BYTES
    assert len(watched.grown) > BIG_BYTES // CHUNK_BYTES
    assert max(watched.grown) < MOST_GROWTH, watched.grown
    place.unlink()


class Watched:
    """A connection that measures, between the pieces, what the processes on the way have."""

    def __init__(self, connection, more):
        self._connection = connection
        driver = psutil.Process(connection._driver._process.pid)
        self._processes = [psutil.Process(), driver, *more]
        self._before = [own_bytes(process) for process in self._processes]
        self.grown = []

    def coordinator(self, *arguments):
        piece = self._connection.coordinator(*arguments)
        now = [own_bytes(process) for process in self._processes]
        self.grown.append(max(b - a for a, b in zip(self._before, now, strict=True)))
        return piece


def own_bytes(process):
    """Return the memory of a process without what it shares, such as Ray's object store."""
    with Path(f"/proc/{process.pid}/status").open() as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))
