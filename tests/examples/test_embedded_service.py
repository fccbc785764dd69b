"""The example service, started as a process of its own and talked to over loopback."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import av
import pytest
from examples.embedded_service.card import BALL, MODELS
from examples.embedded_service.provider import DrawingProvider

from tiomagic_domain.features import Feature
from tiomagic_domain.ports import Request
from tiomagic_domain.testing import QueueingProviderContract, make_job

ROOT = Path(__file__).parents[2]
SETTINGS = {"width": 64, "height": 48, "num_frames": 12, "fps": 24, "seed": 7}


def drawing(**settings):
    job = make_job(model=BALL.name, provider="drawing", optional_args=SETTINGS | settings)
    return Request(job=job, card=BALL)


class TestDrawingProvider(QueueingProviderContract):
    @pytest.fixture
    def provider(self, tmp_path):
        provider = DrawingProvider(tmp_path / "spool")
        yield provider
        provider.close()

    @pytest.fixture
    def catalogue(self):
        return MODELS

    @pytest.fixture
    def new_request(self):
        return drawing

    @pytest.fixture
    def long_request(self):
        return lambda: drawing(num_frames=7200, width=512, height=512)

    @pytest.fixture
    def count_runs(self, provider):
        return lambda: len(provider._runs)


class Client:
    """Talks JSON to the service."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, content=None):
        data = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, method, path, content=None):
        status, answer = self.ask(method, path, content)
        return status, json.loads(answer)

    def submit(self, **arguments):
        asked = {"feature": "text_to_video", "arguments": {"prompt": "a ball"} | arguments}
        status, job = self.json("POST", "/jobs", asked)
        assert status == 201, job
        return job["job_id"]

    def until_over(self, job_id):
        for _ in range(2000):
            _, job = self.json("GET", f"/jobs/{job_id}")
            if job["status"] in {"completed", "failed", "canceled"}:
                return job
            time.sleep(0.02)
        raise TimeoutError(job)


@pytest.fixture
def start(tmp_path):
    """Start services on the same folder; each is stopped at the end, with what it imported."""
    running = []

    def start():
        imports = (tmp_path / f"imports-{len(running)}.txt").open("w+")
        command = [sys.executable, "-X", "importtime", "-m", "examples.embedded_service"]
        process = subprocess.Popen(
            [*command, "--port", "0", "--folder", str(tmp_path / "clips")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=imports,
            text=True,
        )
        running.append((process, imports))
        return process, Client(process.stdout.readline().strip()), imports

    yield start
    for process, imports in running:
        stop(process)
        process.stdout.close()
        imports.close()


def stop(process):
    if process.poll() is None:
        # SIGINT would be lost on a process that was started in the background of a shell script.
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def list_imported_modules(imports):
    """Return the modules that a process started with ``-X importtime`` has imported."""
    imports.seek(0)
    return set(re.findall(r"\|\s+\d+ \|\s*(\S+)$", imports.read(), re.MULTILINE))


def test_a_prompt_becomes_a_video_without_the_facade(start, tmp_path):
    """A job is made, followed, listed and downloaded; the process never imported ``tiomagic``."""
    process, client, imports = start()
    job_id = client.submit(num_frames=30, width=64, height=48, seed=3)
    job = client.until_over(job_id)
    assert job["status"] == "completed", job
    assert job["generation"]["optional_args"]["seed"] == 3
    status, content = client.ask("GET", f"/jobs/{job_id}/video")
    assert status == 200
    (tmp_path / "ball.mp4").write_bytes(content)
    with av.open(str(tmp_path / "ball.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (64, 48, 24)
        assert sum(1 for _ in container.decode(video=0)) == 30
        assert json.loads(container.metadata["comment"])["job_id"] == job_id
    _, listed = client.json("GET", "/jobs?status=completed&text=BALL")
    assert [one["job_id"] for one in listed["jobs"]] == [job_id]
    stop(process)
    assert process.returncode == 0
    modules = list_imported_modules(imports)
    assert {
        "tiomagic_domain.usecases.generation",
        "tiomagic_storage.jobs.repository",
        "sqlite3",
    } <= modules
    roots = {name.partition(".")[0] for name in modules}
    assert roots.isdisjoint(
        {"tiomagic", "tiomagic_local", "tiomagic_media", "tiomagic_modal", "torch"}
    )


def test_a_job_can_be_stopped(start):
    """DELETE asks for the stop, and the job ends as canceled, without a video."""
    _, client, _ = start()
    job_id = client.submit(num_frames=7200, width=512, height=512)
    assert client.ask("GET", f"/jobs/{job_id}/video")[0] == 409
    status, job = client.json("DELETE", f"/jobs/{job_id}")
    assert (status, job["status"]) == (200, "canceling")
    assert client.until_over(job_id)["status"] == "canceled"


def test_what_was_under_way_when_the_service_died_is_told_truthfully(start):
    """After a kill the next process lists the job, and says that its drawing is lost."""
    process, client, _ = start()
    job_id = client.submit(num_frames=7200, width=512, height=512)
    process.kill()
    process.wait(60)
    _, client, _ = start()
    job = client.until_over(job_id)
    assert (job["status"], job["error_code"]) == ("failed", "lost")


def test_bad_requests_are_answered(start):
    """Each kind of bad request has its status and a message, and makes no job."""
    _, client, _ = start()
    text = "text_to_video"
    bad = {
        b"{": 400,
        b"[]": 400,
        b"\xff": 400,
        b'{"arguments": []}': 400,
        json.dumps({"feature": "text_to_vide"}).encode(): 400,
        json.dumps({"feature": text}).encode(): 400,
        json.dumps({"feature": text, "arguments": {"prompt": " ", "width": 65}}).encode(): 400,
        json.dumps({"feature": text, "model": "veo", "arguments": {"prompt": "a"}}).encode(): 400,
        json.dumps({"feature": "interpolate", "arguments": {"prompt": "a"}}).encode(): 400,
    }
    for content, expected in bad.items():
        status, answer = client.json("POST", "/jobs", content)
        assert (status, bool(answer["message"])) == (expected, True), content
    for method, path in (
        ("GET", "/jobs/nobody"),
        ("GET", "/jobs/nobody/video"),
        ("DELETE", "/jobs/nobody"),
        ("DELETE", "/jobs"),
        ("GET", "/"),
        ("POST", "/job"),
    ):
        assert client.ask(method, path, b"{}" if method == "POST" else None)[0] == 404, path
    for query in ("status=lost", "limit=many", "limit=-1"):
        assert client.ask("GET", f"/jobs?{query}")[0] == 400, query
    assert client.json("GET", "/jobs") == (200, {"jobs": []})
    _, problems = client.json("POST", "/jobs", next(c for c in bad if b"65" in c))
    assert [p["field"] for p in problems["details"]["problems"]] == ["prompt", "width"]


def test_the_example_asks_for_its_own_model_alone():
    """A service with a catalogue of its own does not offer the models of others."""
    assert set(MODELS) == {BALL.name}
    assert set(BALL.features) == {Feature.TEXT_TO_VIDEO}
