"""The real engines, in real containers, on tiny pipelines: every feature from `tm` to an mp4."""

import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from tests.media import graphs
from tests.media.test_pose import frame_with
from tests.modal.conftest import SMALL_VIDEO, TIMEOUT_S, VACE_MODEL, picture, use_workspace
from tests.tiny import TINY

from tiomagic import TioMagic
from tiomagic_media.encode.mp4 import read_embedded_recipe, write_mp4
from tiomagic_media.pose.models import DETECTOR_FILE, POSE_FILE

pytestmark = pytest.mark.slow
RED, BLUE = picture((200, 30, 30)), picture((30, 30, 200))


@pytest.fixture(scope="module")
def engines(workspace, tmp_path_factory):
    """The server, whose containers have the real engines. One container serves the module."""
    weights = tmp_path_factory.mktemp("weights")
    TINY[VACE_MODEL](weights / VACE_MODEL)
    workspace.reset()
    settings, before = workspace.settings, workspace.settings.container_env
    settings.container_env = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TIOMAGIC_WEIGHTS_DIR": str(weights),
        "TIOMAGIC_POSE_MODELS": str(pose_models(tmp_path_factory.mktemp("pose"))),
        "OMP_NUM_THREADS": "2",
    }
    settings.idle_s = 300.0
    with pytest.MonkeyPatch.context() as patch:
        use_workspace(workspace, patch)
        yield workspace
    workspace.reset()
    settings.container_env = before


def pose_models(folder):
    """Build two small networks that see a figure where a picture has its marks."""
    graphs.detector(folder / DETECTOR_FILE)
    graphs.estimator(folder / POSE_FILE)
    return folder


@pytest.fixture
def tm(engines, tmp_path):
    """A caller of its own, in a folder of its own."""
    with_server = engines.environment
    tm = TioMagic(
        working_dir=tmp_path,
        provider="modal",
        gpu="L4",
        modal_token_id=with_server["MODAL_TOKEN_ID"],
        modal_token_secret=with_server["MODAL_TOKEN_SECRET"],
    )
    yield tm
    tm.close()


def check(job, engines):
    """Wait for the job and look at its file, its record and the call that made it."""
    assert job.status == "queued"
    job.wait(timeout=TIMEOUT_S, poll=0.1, progress=False)
    assert job.status == "completed", job.error
    with av.open(job.result_video) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (32, 32, 16)
        assert sum(1 for _ in video.decode(stream)) == SMALL_VIDEO["num_frames"]
    recipe = read_embedded_recipe(Path(job.result_video))
    assert recipe["job_id"] == job.job_id
    assert recipe["model"] == VACE_MODEL
    assert recipe["versions"]["torch"]
    call = engines.calls[job.generation["call_id"]]
    assert (call.gpu, call.timeout_s, call.scaledown_window_s, call.runs) == ("L4", 1800, 900, 1)
    facts = job.to_dict()["facts"]
    assert facts["worker_version"] == "2.0.0"
    assert facts["gpu"] == "L4"
    assert facts["seconds_generating"] > 0


def test_text_to_video(tm, engines):
    check(tm.text_to_video(VACE_MODEL, {"prompt": "a fox"}, **SMALL_VIDEO), engines)


def test_image_to_video(tm, engines):
    given = {"prompt": "a fox", "image": RED}
    check(tm.image_to_video(VACE_MODEL, given, **SMALL_VIDEO), engines)


def test_interpolate(tm, engines):
    given = {"prompt": "a fox", "first_frame": RED, "last_frame": BLUE}
    check(tm.interpolate(VACE_MODEL, given, **SMALL_VIDEO), engines)


def test_pose_guidance(tm, engines, tmp_path):
    poses = np.zeros((5, 32, 32, 3), np.uint8)
    poses[:, 8:24, 15:17] = (255, 0, 0)
    write_mp4(tmp_path / "poses.mp4", poses, fps=16, recipe={})
    given = {"prompt": "a fox", "image": RED}
    job = tm.pose_guidance(VACE_MODEL, given, pose_video=str(tmp_path / "poses.mp4"), **SMALL_VIDEO)
    check(job, engines)


def test_pose_guidance_by_a_video_of_somebody(tm, engines, tmp_path):
    """The poses are estimated in the container."""
    moving = np.stack([frame_with((step % 2, 0)) for step in range(5)])
    write_mp4(tmp_path / "moving.mp4", moving, fps=16, recipe={})
    given = {"prompt": "a fox", "image": RED}
    job = tm.pose_guidance(
        VACE_MODEL, given, guiding_video=str(tmp_path / "moving.mp4"), **SMALL_VIDEO
    )
    check(job, engines)


def test_the_first_job_of_a_new_user_needs_no_gpu_and_no_download(engines, tmp_path):
    """`doodle` travels with the source and runs on the processor."""
    given = engines.environment
    tm = TioMagic(
        working_dir=tmp_path,
        provider="modal",
        modal_token_id=given["MODAL_TOKEN_ID"],
        modal_token_secret=given["MODAL_TOKEN_SECRET"],
    )
    job = tm.text_to_video("doodle", {"prompt": "a red circle moves left"})
    job.wait(timeout=TIMEOUT_S, poll=0.1, progress=False)
    tm.close()
    assert job.status == "completed", job.error
    assert engines.calls[job.generation["call_id"]].gpu is None
    assert read_embedded_recipe(Path(job.result_video))["facts"]["weights"]["origin"] == "package"


def test_a_run_of_a_real_engine_is_canceled_in_the_middle(tm, engines):
    """And the container goes on to serve the next job."""
    long = {
        **SMALL_VIDEO,
        "width": 128,
        "height": 128,
        "num_frames": 81,
        "num_inference_steps": 100,
    }
    job = tm.text_to_video(VACE_MODEL, {"prompt": "a fox"}, **long)
    call = engines.calls[job.generation["call_id"]]
    engines.wait_for(lambda: call.status == "running", TIMEOUT_S)
    tm.cancel_job(job.job_id)
    job.wait(timeout=TIMEOUT_S, poll=0.1, progress=False)
    assert job.status == "canceled"
    check(tm.text_to_video(VACE_MODEL, {"prompt": "a fox"}, **SMALL_VIDEO), engines)
