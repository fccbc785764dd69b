"""What a user sees of a cluster: videos, errors, a second driver, a cancel, and losses."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.ray.cluster import PATIENCE_S

from tiomagic import errors
from tiomagic_domain.testing.contracts.provider import RecordingObserver
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.options import RayOptions
from tiomagic_ray.provider import RayProvider

FEW = {"num_inference_steps": 1, "guidance_scale": 1.0}
LONG = {"num_inference_steps": 100}
PROMPT = "a red circle moves right"


def watch(tm, job, is_there):
    """Check a job until something holds; return it."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_there(job):
        assert time.monotonic() < deadline, job.to_dict()
        time.sleep(0.1)
        job = tm.check_generation_status(job.job_id)
    return job


def is_making(job):
    return job.progress is not None and job.progress.phase == "denoising"


def is_over(job):
    return job.status in {"completed", "failed", "canceled"}


def written_files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def read(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:  # Ray and tiomagic replace files.
        return b""


@pytest.fixture
def picture(tmp_path):
    from PIL import Image

    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), "blue").save(path)
    return str(path)


def test_the_four_features(new_tm, cluster, picture, tmp_path):
    """Each gives a video with the cluster's facts; the inputs of all travel once."""
    tm = new_tm()
    pictures = {"first_frame": picture, "last_frame": picture}
    pose = {"image": picture, "pose_video": [picture] * 17}
    jobs = [
        tm.text_to_video("doodle", prompt=PROMPT, **FEW),
        tm.image_to_video("doodle", prompt=PROMPT, image=picture, **FEW),
        tm.interpolate("doodle", prompt=PROMPT, **pictures, **FEW),
        tm.pose_guidance("doodle", prompt=PROMPT, **pose, **FEW),
    ]
    for job in (watch(tm, job, is_over) for job in jobs):
        assert job.status == "completed", job.error
        assert job.result().stat().st_size > 0
        assert job.facts["worker"].startswith("worker-")
        assert job.facts["ray"].startswith("2.60")
    assert {path.suffix for path in written_files(tmp_path)} >= {".db", ".json", ".mp4"}
    for place in (tmp_path, cluster.folder):  # What tiomagic wrote, and what Ray did.
        assert not [file for file in written_files(place) if cluster.token.encode() in read(file)]


def test_a_second_driver_sees_and_cancels(new_tm):
    """Another process with the same job store follows the job, and ends it at its next step."""
    first, second = new_tm(), new_tm(own_driver=True)
    job = first.text_to_video("doodle", prompt=PROMPT, **LONG)
    seen = watch(second, second.check_generation_status(job.job_id), is_making)
    assert seen.status == "running"
    second.cancel_job(job.job_id)
    assert watch(first, first.check_generation_status(job.job_id), is_over).status == "canceled"


def test_two_drivers_submit_one_job_at_the_same_time(options, connection, new_request, tmp_path):
    """Whichever comes first is the one that is made; both are told of the same run."""
    other = ClusterConnection(options)
    other.ask("nodes")
    request, both = new_request(), Barrier(2)

    def submit(link):
        provider = RayProvider(options, tmp_path / "spool", connection=link)
        both.wait()
        return provider.submit(request, RecordingObserver())

    try:
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(submit, [connection, other]))
        assert len({report.call_id for report in reports}) == 1
        deadline = time.monotonic() + PATIENCE_S
        while (known := other.coordinator("look", request.job.job_id))["state"] != "done":
            assert time.monotonic() < deadline, known
            time.sleep(0.1)
        assert known["outcome"]["status"] == "completed"
        assert known["lost"] == 0
    finally:
        other.close()


def test_a_job_behind_others_says_where_it_is(new_tm):
    """Its position counts those before it, and it is asked for less often."""
    tm = new_tm()
    jobs = [tm.text_to_video("doodle", prompt=PROMPT, **LONG) for _ in range(4)]
    watch(tm, jobs[0], is_making)
    last = watch(tm, jobs[3], lambda job: job.facts.get("queue_position") == 1)
    assert last.status == "queued"
    assert last.facts["retry_after_s"] == 1.25
    # One that waits is withdrawn at once, and those behind it move up.
    assert tm.cancel_job(jobs[2].job_id).status == "canceled"
    assert watch(tm, last, lambda job: job.facts.get("queue_position") == 0).status == "queued"
    for job in jobs:
        tm.cancel_job(job.job_id)
    assert {watch(tm, job, is_over).status for job in jobs} == {"canceled"}


@pytest.mark.parametrize("form", ["address", "client_address"])
def test_a_wrong_token(cluster, form):
    """Said as such, and at once: Ray would say half a minute later that there is no cluster."""
    connection = ClusterConnection(RayOptions(address=getattr(cluster, form), token="f" * 48))
    with pytest.raises(errors.AuthenticationError, match="refuses the token") as caught:
        connection.ask("nodes")
    assert caught.value.code == "cluster_token"
    assert "f" * 48 not in str(caught.value.to_dict())


def test_a_gpu_that_the_cluster_lacks_stores_nothing(new_tm):
    tm = new_tm(gpu="H100")
    with pytest.raises(errors.ConfigurationError, match="no machine of the Ray cluster has"):
        tm.text_to_video("doodle", prompt=PROMPT)
    assert not tm.list_jobs()


@pytest.mark.parametrize(("retry", "end"), [(0, "failed"), (2, "completed")])
def test_a_worker_dies(new_tm, cluster, retry, end):
    """Its job fails as lost, or is made again if it may be; once, and its worker is new."""
    tm = new_tm()
    job = tm.text_to_video("doodle", prompt=PROMPT, wait=False, retry=retry, num_inference_steps=15)
    watch(tm, job, is_making)
    for process in cluster.find("ray::ClusterWorker"):
        process.send_signal(signal.SIGKILL)
    job = watch(tm, job, is_over)
    assert job.status == end, job.error
    # Both workers of the two CPUs die here. The job may be given to the other one before the
    # coordinator knows that it is gone, too; that uses up no retry.
    assert job.facts["workers_lost"] == 1
    assert job.error_code == ("worker_lost" if retry == 0 else None)


def test_the_coordinator_dies(new_tm, cluster):
    """It comes back with its folder, and finds the runs where they are: nothing is made again.

    It also finds the worker that waits for a place, and asks for another one in its stead.
    """
    tm = new_tm()
    jobs = [tm.text_to_video("doodle", prompt=PROMPT, num_inference_steps=12) for _ in range(3)]
    for job in jobs[:2]:
        watch(tm, job, lambda job: is_making(job) or is_over(job))
    (coordinator,) = cluster.find("ray::Coordinator")
    coordinator.send_signal(signal.SIGKILL)
    coordinator.wait(30)
    for job in [watch(tm, job, is_over) for job in jobs]:
        assert job.status == "completed", job.error
        assert "workers_lost" not in job.facts


def test_the_driver_dies(new_tm):
    """A job goes on without the process that sent it, and the next request connects again."""
    tm = new_tm(own_driver=True)
    job = tm.text_to_video("doodle", prompt=PROMPT, **FEW)
    connection = tm.session.provider("ray").provider._connection
    driver = connection._driver._process
    driver.kill()
    driver.wait()
    job = watch(tm, job, is_over)
    assert job.status == "completed", job.error
    assert connection._driver._process.pid != driver.pid


def test_an_idle_worker_leaves(new_tm):
    """Its GPU is free for others after ``worker_idle_s``."""
    tm = new_tm(worker_idle_s=1)
    job = watch(tm, tm.text_to_video("doodle", prompt=PROMPT, **FEW), is_over)
    assert job.status == "completed", job.error
    connection = tm.session.provider("ray").provider._connection
    deadline = time.monotonic() + PATIENCE_S
    name = job.facts["worker"]
    while name in [each["name"] for each in connection.coordinator("describe")["workers"]]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
