"""As for local jobs: previews, rehearsals, weights, groups of GPUs, many videos, ``doctor``."""

from __future__ import annotations

import time
from io import BytesIO

import pytest
from PIL import Image
from tests.ray.cluster import PATIENCE_S
from tests.ray.test_files import FEW, PROMPT, wait_for

from tiomagic.doctor import diagnose
from tiomagic.wiring.registry import settings_of
from tiomagic_domain.plugins import CommandContext
from tiomagic_ray.commands import prefetch, weights
from tiomagic_ray.plugin import PLUGIN


def test_a_preview_while_it_is_made(new_tm):
    """Who looks gets pictures; who does not, costs the run none."""
    tm = new_tm()
    job = tm.text_to_video("doodle", prompt=PROMPT, num_inference_steps=100)
    deadline = time.monotonic() + PATIENCE_S
    seen = job.preview()
    while not seen.jpeg:
        assert time.monotonic() < deadline, job.to_dict()
        time.sleep(0.2)
        job = tm.check_generation_status(job.job_id)
        assert job.status in {"queued", "running"}, job.error
        seen = job.preview()
    assert Image.open(BytesIO(seen.jpeg)).format == "JPEG"
    tm.cancel_job(job.job_id)
    (job,) = wait_for(tm, [job])
    assert job.status == "canceled"
    coordinator = tm.session.provider("ray").provider._connection.coordinator
    assert coordinator("preview", job.job_id) == (b"", "")


def test_a_rehearsal_on_the_cluster(new_tm):
    """With the machine that it ran on; a job of the same model then has its place."""
    found = new_tm(device="cpu").rehearse("doodle")
    assert found["ok"], found
    assert found["provider"] == "ray"
    parts = [check["part"] for check in found["checks"]]
    assert parts[:2] == ["machine", "device"]
    assert "run" in parts


def test_which_machines_have_weights(new_tm):
    """The model that the package brings is everywhere; a large one is nowhere here."""
    settings = settings_of(PLUGIN, new_tm().settings)
    context = CommandContext(settings=settings, say=print, find_job=None)
    assert [one["has"] for one in weights(context, "doodle").data] == [True]
    assert [one["has"] for one in weights(context, "wan2.1-t2v-14b").data] == [False]
    fetched = prefetch(context, "doodle")
    assert fetched.exit_code == 0
    ((_, said),) = fetched.data.items()
    assert said["weights"].startswith("package@")


def test_a_group_of_gpus_makes_a_video_together(new_tm, connection):
    """Ray gives one worker both of one machine; a third is nowhere."""
    tm = new_tm(gpu="T4:2", worker_idle_s=1)
    (job,) = wait_for(tm, [tm.text_to_video("doodle", prompt=PROMPT, **FEW)])
    assert job.status == "completed", job.error
    assert job.facts["gpus_of_worker"] == 2
    # An engine that has nothing to say leaves no empty log.
    assert f"has started on {job.facts['host']}" in job.logs()
    assert "is completed" in job.logs()
    with pytest.raises(Exception, match="no machine of the Ray cluster has 3 T4") as caught:
        new_tm(gpu="T4:3").text_to_video("doodle", prompt=PROMPT)
    assert caught.value.code == "no_such_gpu"


def test_a_batch_keeps_order_and_failures(new_tm, tmp_path):
    """All are on the cluster at once; each cell is its own, as on this machine."""
    tm = new_tm()
    requests = [
        {"feature": "text_to_video", "model": "doodle", "prompt": f"circle {n}", "seed": n, **FEW}
        for n in range(6)
    ]
    requests[2]["num_inference_steps"] = "many"
    made = tm.batch(requests, progress=False)
    assert [cell.error is None for cell in made.cells] == [True, True, False, True, True, True]
    assert "num_inference_steps" in made.cells[2].error
    seeds = [cell.job and cell.job.optional_args["seed"] for cell in made.cells]
    assert seeds == [0, 1, None, 3, 4, 5]
    again = tm.batch(requests, progress=False)
    assert [cell.found for cell in again.cells] == [True, True, False, True, True, True]


def test_a_comparison_on_the_cluster(new_tm, tmp_path):
    tm = new_tm()
    made = tm.compare(
        "text_to_video",
        prompts=[PROMPT],
        models=["doodle"],
        seeds=(1, 2),
        folder=tmp_path / "sheet",
        progress=False,
        **FEW,
    )
    assert [cell.error for cell in made.cells] == [None, None]
    assert (tmp_path / "sheet" / "sheet.png").exists()


def test_doctor_says_what_the_cluster_has(new_tm, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    found = {one.part: one for one in diagnose(new_tm(ray_shared_dir=shared, gpu="T4").session)}
    (machine,) = [
        part for part in found if part.startswith("ray ") and "CPUs" in found[part].message
    ]
    assert "1 machine at" in found["ray"].message
    assert "2 CPUs, 2 GPUs T4; has the weights of doodle" in found[machine].message
    assert found["ray gpu"].message == "T4 is there"
    assert "is the same folder on all machines" in found["ray folder"].message


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ray_token": "f" * 48}, "refuses the token"),
        ({"address": "127.0.0.1:9"}, "no Ray cluster answers"),
        ({"gpu": "H100"}, "no machine of the Ray cluster has 1 H100; it has 2 of the kinds T4"),
    ],
)
def test_doctor_says_what_is_wrong_with_the_cluster(new_tm, settings, text):
    found = diagnose(new_tm(**settings).session)
    problems = [one.message for one in found if one.part == "ray" and one.state == "problem"]
    assert len(problems) == 1
    assert text in problems[0]
