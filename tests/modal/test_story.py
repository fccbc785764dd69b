"""What a user lives through: old scripts, killed processes, a server that goes, two versions."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.modal.conftest import SMALL_VIDEO, TEXT_MODEL, TIMEOUT_S

from tiomagic import TioMagic
from tiomagic.errors import ResourceNotFoundError
from tiomagic_modal.constants import APP_NAME, TAG_VERSION

PROMPT = {"steps": 30, "pause_s": 0.1}
"""A run of three seconds."""


@pytest.fixture
def tm(fake, tmp_path):
    """A caller in the working directory."""
    tm = caller(fake, tmp_path)
    yield tm
    tm.close()


def caller(fake, folder, **settings):
    """Make a caller as a process of its own would: nothing shared but the folder."""
    given = fake.environment
    return TioMagic(
        working_dir=folder,
        provider="modal",
        modal_token_id=given["MODAL_TOKEN_ID"],
        modal_token_secret=given["MODAL_TOKEN_SECRET"],
        **settings,
    )


def submit(tm, **orders):
    prompt = json.dumps(orders) if orders else "a fox"
    return tm.text_to_video(TEXT_MODEL, {"prompt": prompt}, **SMALL_VIDEO)


def wait(job):
    job.wait(timeout=TIMEOUT_S, poll=0.05, progress=False)
    return job


def start(code, fake, folder, **environment):
    """Start a client in a process of its own, in a folder of its own."""
    paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, **fake.environment, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err
    return out


OLD_SCRIPT = """
import time
from tiomagic import tm

tm.configure(provider="modal", gpu="A100-80GB", timeout="1200", scaledown_window=60)
tm.list_implementations()
job = tm.text_to_video(
    model="wan2.1-vace-14b",
    required_args={"prompt": "a fox"},
    negative_prompt="blurry", num_frames=5, width=32, height=32,
)
print("ID", job.job_id, job.generation["status"])
other = tm.text_to_video(model="wan2.1-vace-14b", required_args={"prompt": '{"steps": 900}'})
tm.cancel_job(other.job_id)
while True:
    tm.check_generation_status(job.job_id)
    status = tm.check_generation_status(job_id=job.job_id, returnJob=True)
    if status.generation["status"] not in ("queued", "running"):
        break
    time.sleep(0.1)
print("END", status.generation["status"], status.generation["result_video"])
while tm.check_generation_status(other.job_id).status == "canceling":
    time.sleep(0.1)
print("OTHER", tm.check_generation_status(other.job_id).status)
"""


def test_a_script_written_for_1_0_0_runs_unchanged(fake, tmp_path):
    """And what it configured is seen by the server on the function that ran."""
    out = finish(start(OLD_SCRIPT, fake, tmp_path))
    facts = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert facts["ID"][1] == "queued"
    assert facts["END"][0] == "completed"
    video = Path(facts["END"][1])
    assert b"mdatvideo of " + facts["ID"][0].encode() in video.read_bytes()
    assert video.parent == tmp_path / "output_videos"
    assert facts["OTHER"] == ["canceled"]
    for call in fake.calls.values():
        assert (call.gpu, call.timeout_s, call.scaledown_window_s) == ("A100-80GB", 1200, 60)
    log = json.loads((tmp_path / "generation_log.json").read_text())
    assert {job["generation"]["status"] for job in log["jobs"]} == {"completed", "canceled"}


CLIENT = """
import json, os, time
from tiomagic import tm
tm.configure(provider="modal")
prompt = os.environ["PROMPT"]
settings = json.loads(os.environ["SMALL"])
job = tm.text_to_video(model=os.environ["MODEL"], required_args={"prompt": prompt}, **settings)
print(job.job_id, flush=True)
while (seen := tm.check_generation_status(job.job_id)).status in ("queued", "running"):
    time.sleep(0.05)
print(seen.status, flush=True)
"""


def client(fake, folder, **orders):
    prompt = json.dumps(orders) if orders else "a fox"
    return start(
        CLIENT, fake, folder, PROMPT=prompt, SMALL=json.dumps(SMALL_VIDEO), MODEL=TEXT_MODEL
    )


class TestKilled:
    """kill -9 of the client; a new caller ends with the one mp4, and the job ran once."""

    def survive(self, fake, folder):
        with closing(caller(fake, folder)) as tm:
            [job] = tm.list_jobs()
            wait(job)
            assert job.status == "completed", job.error
            assert Path(job.result_video).exists()
        assert len(list((folder / "output_videos").glob("*.mp4"))) == 1
        assert [call.runs for call in fake.calls.values()] == [1]

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def test_right_after_the_spawn(self, fake, tmp_path):
        """Modal has the job, the answer is on its way, and nobody is there to hear it."""
        fake.faults.hang("FunctionMap")
        process = client(fake, tmp_path)
        fake.wait_for(lambda: fake.calls, TIMEOUT_S)
        self.kill(process)
        self.survive(fake, tmp_path)

    def test_in_the_middle_of_a_poll(self, fake, tmp_path):
        process = client(fake, tmp_path, **PROMPT)
        fake.wait_for(lambda: fake.rpc_counts["FunctionGetOutputs"] > 1, TIMEOUT_S)
        self.kill(process)
        self.survive(fake, tmp_path)

    def test_in_the_middle_of_the_download(self, fake, tmp_path):
        fake.faults.download_bytes_per_s = 100_000
        process = client(fake, tmp_path, size=1_000_000)
        fake.wait_for(lambda: fake.http_counts["HTTP.GET"], TIMEOUT_S)
        self.kill(process)
        assert not list(tmp_path.rglob("*.mp4"))
        fake.faults.download_bytes_per_s = None
        self.survive(fake, tmp_path)


class TestAway:
    def test_a_server_that_goes_away_and_comes_back_loses_nothing(
        self, fake, tmp_path, new_provider
    ):
        """Each check while it is away ends soon, and leaves the job as it was."""
        provider = new_provider(deadline_s=1.0)
        with closing(caller(fake, tmp_path, overrides={"providers": {"modal": provider}})) as tm:
            job = submit(tm, **PROMPT)
            fake.go_away()
            before = time.monotonic()
            for _ in range(2):
                seen = tm.check_generation_status(job.job_id)
                assert seen.status == "queued"
                assert "Modal" in seen.generation["message"]
            assert time.monotonic() - before < 30
            fake.come_back()
            assert wait(job).status == "completed"
        assert [call.runs for call in fake.calls.values()] == [1]


class TestCancel:
    def test_while_it_is_queued(self, fake, tm):
        fake.hold()
        job = submit(tm)
        tm.cancel_job(job.job_id)
        assert tm.get_job(job.job_id).status == "canceled"
        fake.release()
        assert [call.runs for call in fake.calls.values()] == [0]

    def test_while_it_runs_and_twice(self, fake, tm):
        doomed, other = submit(tm, steps=900, pause_s=0.1), submit(tm, steps=3)
        call = fake.calls[doomed.generation["call_id"]]
        fake.wait_for(lambda: call.status == "running", TIMEOUT_S)
        for _ in range(2):
            assert tm.cancel_job(doomed.job_id).status in {"canceling", "canceled"}
        assert wait(doomed).status == "canceled"
        assert wait(other).status == "completed"
        assert tm.cancel_job(doomed.job_id).status == "canceled"

    def test_after_it_completed_here(self, tm):
        job = wait(submit(tm))
        assert tm.cancel_job(job.job_id).status == "completed"

    def test_after_it_completed_there(self, fake, tm):
        """The cancel comes too late, and the video comes home."""
        job = submit(tm)
        call = fake.calls[job.generation["call_id"]]
        fake.wait_for(lambda: call.status == "done", TIMEOUT_S)
        canceled = tm.cancel_job(job.job_id)
        assert canceled.status == "completed"
        assert Path(canceled.result_video).exists()

    def test_of_an_id_that_nobody_knows(self, tm):
        with pytest.raises(ResourceNotFoundError):
            tm.cancel_job("00000000-0000-0000-0000-000000000000")


NEWER = 'import tiomagic_domain; tiomagic_domain.__version__ = "2.1.0"\n'


class TestVersions:
    def test_two_versions_do_not_fight(self, fake, tmp_path, tm):
        """The newer one is deployed once; the older one uses it, says so, and leaves it."""
        wait(submit(tm))
        assert fake.tags[APP_NAME][TAG_VERSION] == "2.0.0"
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            process = start(
                NEWER + CLIENT,
                fake,
                tmp_path / name,
                PROMPT="a fox",
                SMALL=json.dumps(SMALL_VIDEO),
                MODEL=TEXT_MODEL,
            )
            assert finish(process).split()[-1] == "completed"
            (tmp_path / name / "older").mkdir()
            with (
                closing(caller(fake, tmp_path / name / "older")) as older,
                pytest.warns(UserWarning, match="newer version"),
            ):
                assert wait(submit(older)).status == "completed"
        assert fake.tags[APP_NAME][TAG_VERSION] == "2.1.0"
        assert len(fake.apps[APP_NAME].deployments) == 2

    def test_first_calls_at_one_time_deploy_once(self, fake, tmp_path):
        processes = []
        for name in ("one", "two", "three"):
            (tmp_path / name).mkdir()
            processes.append(client(fake, tmp_path / name))
        for process in processes:
            assert finish(process).split()[-1] == "completed"
        assert fake.rpc_counts["AppPublish"] == 1

    def test_a_container_of_another_format_is_refused_in_words(self, fake, tm, monkeypatch):
        """Belt and braces: the app's name carries the format, too."""
        monkeypatch.setattr("tiomagic_modal.wire.PROTOCOL_VERSION", 99)
        job = wait(submit(tm))
        assert job.status == "failed"
        assert "tiomagic modal deploy" in job.error


SECRETS = ("as-fake-secret", "ak-fake-token", "hf_very_secret_token")


def test_no_secret_is_anywhere(fake, tmp_path, monkeypatch, caplog):
    """Not in a log, a job record, metadata, the image's recipe or a shipped file."""
    caplog.set_level("DEBUG", logger="tiomagic")
    monkeypatch.setenv("HF_TOKEN", SECRETS[2])
    fake.add_secret("tiomagic-huggingface", {"HF_TOKEN": SECRETS[2]})
    (tmp_path / "here").mkdir()
    tm = caller(fake, tmp_path / "here")
    for orders in ({}, {"error": "ValueError"}):
        wait(submit(tm, **orders))
    tm.close()
    state = fake.state
    told = [caplog.text, repr([image.SerializeToString() for image in state.images.values()])]
    told += [repr(record.definition.SerializeToString()) for record in state.functions.values()]
    told += [repr(call.input) + repr(call.output) for call in state.calls.values()]
    told += [repr(state.dicts), repr(fake.tags)]
    folders = [tmp_path / "here"]
    folders += [fake.root / name for name in ("shipped", "blobs", "logs", "volumes")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    for secret in SECRETS:
        assert not [text for text in told if secret in text]
        assert not [path for path in files if secret.encode() in path.read_bytes()]
