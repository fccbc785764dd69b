"""The server for tests keeps its own promises, seen through the real Modal client."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from modal._utils.async_utils import synchronizer
from tests.modal.servicer import FakeModal, FakeModalProcess, sample_app
from tests.modal.servicer.sample_app import SampleError

import modal

TIMEOUT_S = 240


@pytest.fixture(scope="session")
def server():
    """One server for the process: handles such as the app's volume are tied to the first."""
    with FakeModal() as fake:
        yield fake


@pytest.fixture(scope="session")
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def fake(server, client):
    """The server with the sample app on it, nothing else, and nothing counted yet."""
    server.reset()
    sample_app.app.deploy(client=client)
    server.traffic.clear()
    return server


@pytest.fixture
def sample(fake, client):
    """A handle of the deployed class, found by name."""
    return modal.Cls.from_name(sample_app.NAME, "Sample", client=client)


def get(call):
    return call.get(timeout=TIMEOUT_S)


def wait_until_started(fake, call):
    """Wait until a container runs the call."""
    record = fake.calls[call.object_id]
    fake.wait_for(lambda: record.status == "running")
    return record


def read_notes(call, client):
    """What the container put in the Dict for this call."""
    book = modal.Dict.from_name("fake-sample-notes", create_if_missing=True, client=client)
    return book.get(call.object_id)


class TestCalls:
    def test_a_spawned_method_runs_in_a_container_of_its_own_process(self, fake, sample):
        """Deploy, look up, spawn, poll, result: the way of every job."""
        call = sample(model="m").echo.spawn("hello")
        with pytest.raises(TimeoutError):
            call.get(timeout=0)
        answer = get(call)
        assert answer["value"] == "hello"
        assert answer["model"] == "m"
        assert answer["pid"] != os.getpid()
        assert fake.calls[call.object_id].runs == 1
        assert "echo hello" in fake.log(call.object_id)

    def test_a_new_handle_finds_a_call_by_its_id(self, sample, client):
        call_id = sample(model="m").echo.spawn(1).object_id
        again = modal.FunctionCall.from_id(call_id, client=client)
        assert get(again)["value"] == 1
        assert get(again)["value"] == 1

    def test_options_are_seen_on_the_variant_that_ran(self, fake, sample):
        """Each (parameters, options) pair has containers of its own."""
        options = {"gpu": "H100:2", "timeout": 1800, "scaledown_window": 900}
        call = sample.with_options(**options)(model="big").echo.spawn(1)
        plain = sample(model="big").echo.spawn(2)
        assert get(call)["pid"] != get(plain)["pid"]
        record = fake.calls[call.object_id]
        assert (record.gpu, record.timeout_s, record.scaledown_window_s) == ("H100:2", 1800, 900)
        assert record.parameters == {"model": "big"}
        other = fake.calls[plain.object_id]
        assert (other.gpu, other.timeout_s, other.scaledown_window_s) == ("T4", 600, 60)

    def test_a_warm_container_is_used_again_and_costs_one_rpc(self, fake, sample):
        worker = sample(model="m")
        first = get(worker.echo.spawn(1))
        fake.traffic.clear()
        call = worker.echo.spawn(2)
        assert fake.rpc_counts == Counter(FunctionMap=1)
        second = get(call)
        assert (second["pid"], second["inputs"]) == (first["pid"], 2)
        assert fake.containers_started == 1

    def test_a_cold_submit_costs_four_rpcs_and_a_poll_one(self, fake, sample, client):
        call = sample(model="m").wait.spawn(5)
        assert sum(fake.rpc_counts.values()) == 4
        fake.traffic.clear()
        with pytest.raises(TimeoutError):
            modal.FunctionCall.from_id(call.object_id, client=client).get(timeout=0)
        assert fake.rpc_counts == Counter(FunctionGetOutputs=1)

    def test_waiting_calls_get_containers_up_to_the_limit(self, fake, sample):
        fake.settings.max_containers = 2
        calls = [sample(model="m").wait.spawn(0.3) for _ in range(4)]
        assert [get(call) for call in calls] == ["slept"] * 4
        assert fake.containers_started == 2

    def test_an_idle_container_leaves(self, fake, sample):
        fake.settings.idle_s = 0.2
        get(sample(model="m").echo.spawn(1))
        fake.wait_for(lambda: not fake.containers)
        assert get(sample(model="m").echo.spawn(2))["inputs"] == 1

    def test_an_exception_comes_home_as_it_was(self, sample):
        with pytest.raises(SampleError, match="it broke"):
            get(sample(model="m").fail.spawn("it broke"))

    def test_an_exception_at_the_start_comes_home_too(self, sample):
        with pytest.raises(SampleError, match="cannot load"):
            get(sample(model="broken").echo.spawn(1))

    @pytest.mark.parametrize("size", [100, 20_000, 3_000_000])
    def test_results_and_arguments_of_any_size_pass(self, fake, sample, size):
        """Above 8 KiB they go through blobs, both ways."""
        answer = get(sample(model="m").bulk.spawn(size, given=b"y" * size))
        assert answer == {"data": b"x" * size, "given": size}
        assert bool(fake.http_counts["HTTP.PUT"]) == (size > 8 * 1024)

    def test_logs_of_a_call_are_the_lines_of_that_call(self, sample):
        worker = sample(model="m")
        get(worker.echo.spawn("one"))
        call = worker.echo.spawn("two")
        get(call)
        assert [entry.message for entry in call.logs.tail(10)] == ["echo two\n"]

    def test_the_container_sees_the_image_and_its_secrets_and_not_the_test(
        self, fake, sample, client, monkeypatch
    ):
        monkeypatch.setenv("HF_TOKEN", "hf_not_for_containers")
        fake.add_secret("sample-secret", {"SAMPLE_KEY": "value"})
        secret = modal.Secret.from_name("sample-secret", client=client)
        worker = sample.with_options(secrets=[secret])(model="m")
        names = ["SAMPLE_HOME", "SAMPLE_KEY", "HF_TOKEN", "MODAL_TOKEN_SECRET"]
        seen = get(worker.see.spawn(names))
        assert seen["SAMPLE_HOME"].endswith("/home")
        assert not seen["SAMPLE_HOME"].startswith("/outputs")
        assert seen["SAMPLE_KEY"] == "value"
        assert seen["HF_TOKEN"] is seen["MODAL_TOKEN_SECRET"] is None


class TestProgress:
    def test_a_dict_carries_progress_out_of_the_container(self, fake, sample, client):
        call = sample(model="m").count.spawn(4, 0.1)
        seen = []
        fake.wait_for(lambda: seen.append(read_notes(call, client)) or call_is_done(fake, call))
        assert get(call) == 4
        steps = [value["step"] for value in seen if value]
        assert steps == sorted(steps)
        assert len(set(steps)) > 1

    def test_a_missing_dict_is_not_found(self, fake, client):
        with pytest.raises(modal.exception.NotFoundError):
            modal.Dict.from_name("nobody-made-this", client=client).get("key")


def call_is_done(fake, call):
    return fake.calls[call.object_id].status == "done"


class TestCancel:
    def test_a_running_method_is_interrupted(self, fake, sample, client):
        call = sample(model="m").wait.spawn(20)
        wait_until_started(fake, call)
        fake.wait_for(lambda: read_notes(call, client) == "started")
        call.cancel()
        with pytest.raises(modal.exception.RemoteError):
            get(call)
        assert read_notes(call, client) == "cancelled"
        assert fake.calls[call.object_id].outcome == "TERMINATED"
        assert get(sample(model="m").echo.spawn(1))["inputs"] == 1, "the container lives on"
        assert fake.containers_started == 1

    def test_with_terminate_containers_the_container_goes(self, fake, sample):
        call = sample(model="m").wait.spawn(20)
        record = wait_until_started(fake, call)
        call.cancel(terminate_containers=True)
        with pytest.raises(modal.exception.RemoteError):
            get(call)
        fake.wait_for(lambda: record.task_id not in {c.task_id for c in fake.containers})

    def test_a_waiting_call_never_starts(self, fake, sample):
        fake.hold()
        call = sample(model="m").echo.spawn(1)
        call.cancel()
        call.cancel()
        fake.release()
        with pytest.raises(modal.exception.RemoteError):
            get(call)
        assert fake.calls[call.object_id].runs == 0

    def test_a_finished_call_keeps_its_result(self, fake, sample):
        call = sample(model="m").echo.spawn(1)
        get(call)
        call.cancel()
        assert get(call)["value"] == 1

    def test_an_unknown_call_is_not_found(self, fake, client):
        with pytest.raises(modal.exception.NotFoundError):
            modal.FunctionCall.from_id("fc-unknown", client=client).cancel()


class TestVolumes:
    def test_a_committed_file_is_read_by_the_client(self, fake, sample, client):
        get(sample(model="m").write.spawn("a.txt", "from the container", commit=True))
        volume = modal.Volume.from_name(sample_app.VOLUME_NAME, client=client)
        assert b"".join(volume.read_file("a.txt")) == b"from the container"
        assert [entry.path for entry in volume.listdir("/")] == ["a.txt"]
        assert (fake.volume_path(sample_app.VOLUME_NAME) / "a.txt").exists()

    def test_without_a_commit_nothing_is_seen(self, fake, sample, client):
        """A worker that forgets to commit is found out."""
        get(sample(model="m").write.spawn("b.txt", "kept to itself", commit=False))
        volume = modal.Volume.from_name(sample_app.VOLUME_NAME, client=client)
        with pytest.raises(FileNotFoundError):
            list(volume.read_file("b.txt"))

    @pytest.mark.parametrize("version", [1, 2])
    def test_what_a_client_puts_in_the_client_gets_out(self, fake, client, version):
        name = f"uploads-{version}"
        volume = modal.Volume.from_name(
            name, create_if_missing=True, version=version, client=client
        )
        with volume.batch_upload() as batch:
            batch.put_file(BytesIO(b"z" * 9_000_000), "/deep/er/big.bin")
        assert sum(len(block) for block in volume.read_file("deep/er/big.bin")) == 9_000_000
        volume.remove_file("deep/er/big.bin")
        assert [e.path for e in volume.listdir("/", recursive=True)] == ["deep", "deep/er"]

    def test_a_container_finds_what_a_client_put(self, fake, sample, client):
        volume = modal.Volume.from_name(sample_app.VOLUME_NAME, client=client)
        with volume.batch_upload() as batch:
            batch.put_file(BytesIO(b"weights"), "/weights.bin")
        names = get(sample(model="m").write.spawn("c.txt", "x", commit=True))
        assert names == ["c.txt", "weights.bin"]


class TestDeploy:
    def test_tags_are_read_back(self, fake, client):
        tags = modal.App.lookup(sample_app.NAME, client=client).get_tags()
        assert tags == {"sample-version": "1.0.0"} == fake.tags[sample_app.NAME]
        assert fake.rpc_counts == Counter(AppGetOrCreate=1, AppGetTags=1)

    def test_the_image_and_the_options_are_there_to_be_checked(self, fake):
        lines = [line for image in fake.image_defs.values() for line in image.dockerfile_commands]
        assert "ENV SAMPLE_HOME=/outputs/home" in lines
        [record] = [f for f in fake.functions.values() if f.base_id is None]
        assert (record.gpu, record.timeout_s) == ("T4", 600)
        assert record.definition.module_name == sample_app.__name__

    def test_a_second_deploy_of_the_same_is_no_deployment(self, fake, client):
        sample_app.app.deploy(client=client)
        assert len(fake.apps[sample_app.NAME].deployments) == 1

    def test_a_running_call_survives_a_new_version(self, fake, sample, client, monkeypatch):
        """Rolling: the old container finishes what it holds, the next call gets a new one."""
        call = sample(model="m").wait.spawn(0.5)
        wait_until_started(fake, call)
        inner = synchronizer._translate_in(sample_app.app)
        monkeypatch.setitem(inner._local_state.tags, "sample-version", "2.0.0")
        sample_app.app.deploy(client=client)
        assert fake.tags[sample_app.NAME] == {"sample-version": "2.0.0"}
        assert get(call) == "slept"
        assert get(sample(model="m").echo.spawn(1))["inputs"] == 1
        assert fake.containers_started == 2

    def test_a_stopped_app_is_gone(self, fake, sample, client):
        call = sample(model="m").wait.spawn(20)
        wait_until_started(fake, call)
        modal.App.lookup(sample_app.NAME, client=client).stop()
        with pytest.raises(modal.exception.RemoteError):
            get(call)
        with pytest.raises(modal.exception.NotFoundError):
            modal.App.lookup(sample_app.NAME, client=client)

    def test_what_does_not_exist_is_not_found(self, fake, client):
        for app, name in [("no-app", "Sample"), (sample_app.NAME, "NoClass")]:
            with pytest.raises(modal.exception.NotFoundError):
                modal.Cls.from_name(app, name, client=client)().echo.spawn(1)

    def test_a_refused_gpu_is_an_invalid_request(self, fake, sample):
        fake.settings.refused_gpus = frozenset({"NOPE"})
        with pytest.raises(modal.exception.InvalidError, match="NOPE"):
            sample.with_options(gpu="nope")(model="m").echo.spawn(1)


class TestFaults:
    def test_a_lost_spawn_answer_is_repeated_by_the_client_and_runs_once(self, fake, sample):
        fake.faults.drop_answer("FunctionMap")
        assert get(sample(model="m").echo.spawn(1))["value"] == 1
        assert fake.rpc_counts["FunctionMap"] == 2
        assert len(fake.calls) == 1

    def test_a_spawn_answer_can_be_lost_for_good(self, fake, sample):
        """The client sees an error, the server has the call: the job must be found again."""
        fake.faults.drop_answer("FunctionMap", "FAILED_PRECONDITION")
        with pytest.raises(modal.exception.ConflictError):
            sample(model="m").echo.spawn(1)
        assert len(fake.calls) == 1

    def test_a_server_that_forgets_repeats_runs_a_lost_spawn_twice(self, fake, sample):
        fake.dispatcher.deduplicates = False
        fake.faults.drop_answer("FunctionMap")
        get(sample(model="m").echo.spawn(1))
        assert len(fake.calls) == 2

    def test_a_named_rpc_fails_as_often_as_asked(self, fake, sample):
        fake.faults.fail("FunctionMap", "RESOURCE_EXHAUSTED", "too many inputs", times=2)
        for _ in range(2):
            with pytest.raises(modal.exception.ResourceExhaustedError, match="too many"):
                sample(model="m").echo.spawn(1)
        assert get(sample(model="m").echo.spawn(1))["value"] == 1

    def test_an_rpc_can_be_slow(self, fake, client):
        fake.faults.delay("AppGetOrCreate", 0.3)
        before = time.monotonic()
        modal.App.lookup(sample_app.NAME, client=client)
        assert time.monotonic() - before > 0.3

    def test_a_rejected_token_is_an_auth_error(self, fake, sample):
        fake.faults.reject_tokens = True
        with pytest.raises(modal.exception.AuthError):
            sample(model="m").echo.spawn(1)

    def test_a_wrong_token_is_an_auth_error(self, fake):
        from modal_proto import api_pb2

        wrong = ("ak-wrong", "as-wrong")
        with (
            modal.Client(fake.url, api_pb2.CLIENT_TYPE_CLIENT, wrong) as client,
            pytest.raises(modal.exception.AuthError),
        ):
            modal.App.lookup(sample_app.NAME, client=client)

    def test_a_result_expires(self, fake, sample):
        call = sample(model="m").echo.spawn(1)
        get(call)
        fake.expire(call.object_id)
        with pytest.raises(modal.exception.OutputExpiredError):
            call.get(timeout=0)

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ("time_out", modal.exception.FunctionTimeoutError),
            ("internal_failure", modal.exception.InternalFailure),
            ("remote_error", modal.exception.RemoteError),
            ("out_of_memory", modal.exception.RemoteError),
            ("kill_container", modal.exception.RemoteError),
        ],
    )
    def test_a_running_call_ends_badly(self, fake, sample, fault, error):
        call = sample(model="m").wait.spawn(20)
        wait_until_started(fake, call)
        getattr(fake, fault)(call.object_id)
        with pytest.raises(error):
            get(call)

    def test_a_waiting_call_ends_badly_too(self, fake, sample):
        fake.hold()
        call = sample(model="m").echo.spawn(1)
        fake.internal_failure(call.object_id)
        with pytest.raises(modal.exception.InternalFailure):
            get(call)

    def test_the_functions_own_timeout_is_enforced(self, fake, sample):
        call = sample.with_options(timeout=1)(model="m").wait.spawn(20)
        with pytest.raises(modal.exception.FunctionTimeoutError):
            get(call)

    def test_the_startup_timeout_is_enforced(self, fake, sample):
        """It comes from the decorator; `with_options(timeout=)` leaves it alone."""
        [record] = fake.functions.values()
        assert record.definition.startup_timeout_secs == 120
        record.definition.startup_timeout_secs = 2
        with pytest.raises(modal.exception.FunctionTimeoutError, match="startup"):
            get(sample.with_options(timeout=600)(model="slow").echo.spawn(1))

    def test_a_preempted_call_starts_again_from_the_beginning(self, fake, sample):
        call = sample(model="m").wait.spawn(0.5)
        first = wait_until_started(fake, call).task_id
        fake.preempt(call.object_id)
        assert get(call) == "slept"
        record = fake.calls[call.object_id]
        assert record.runs == 2
        assert record.task_id != first

    def test_downloads_fail_and_are_repeated(self, fake, sample):
        call = sample(model="m").bulk.spawn(20_000)
        fake.wait_for(lambda: call_is_done(fake, call))
        fake.faults.fail("HTTP.GET", times=2)
        assert len(get(call)["data"]) == 20_000
        assert fake.http_counts["HTTP.GET"] == 3

    def test_a_server_that_went_away_comes_back_with_everything(self, fake, sample):
        """The container works on in between, and neither side loses anything."""
        call = sample(model="m").wait.spawn(0.5)
        wait_until_started(fake, call)
        fake.go_away()
        with pytest.raises(modal.exception.ConnectionError):
            get(call)
        fake.come_back()
        assert get(call) == "slept"
        assert fake.calls[call.object_id].runs == 1


SPAWN = """
import modal, sys
worker = modal.Cls.from_name("fake-sample", "Sample")(model="m")
print(worker.wait.spawn(float(sys.argv[1])).object_id, flush=True)
sys.stdin.read()
"""

POLL = """
import modal, sys
print(modal.FunctionCall.from_id(sys.argv[1]).get(timeout=240))
"""

DEPLOY = """
from tests.modal.servicer import sample_app
sample_app.app.deploy()
"""


def python(code, server, *arguments):
    """Start a client in a process of its own."""
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **server.environment, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class TestProcesses:
    def test_a_killed_client_leaves_a_call_that_another_finishes(self, fake):
        with python(SPAWN, fake, "0.3") as first:
            call_id = first.stdout.readline().strip()
            first.send_signal(signal.SIGKILL)
        with python(POLL, fake, call_id) as second:
            assert second.communicate(timeout=TIMEOUT_S)[0].strip() == "slept"
        assert [call.runs for call in fake.calls.values()] == [1]

    def test_a_client_can_be_killed_before_it_learns_the_call_id(self, fake):
        """The server has the call, nobody has its id."""
        fake.faults.hang("FunctionMap")
        with python(SPAWN, fake, "0.1") as client:
            fake.wait_for(lambda: fake.calls)
            client.kill()
            assert client.stdout.read() == ""
        [call] = fake.calls.values()
        fake.wait_for(lambda: call.outcome == "SUCCESS")

    def test_a_client_can_be_killed_in_the_middle_of_a_download(self, fake, sample):
        call = sample(model="m").bulk.spawn(1_000_000)
        fake.wait_for(lambda: call_is_done(fake, call))
        fake.faults.download_bytes_per_s = 200_000
        with python(POLL, fake, call.object_id) as client:
            fake.wait_for(lambda: fake.http_counts["HTTP.GET"])
            client.kill()
        fake.faults.download_bytes_per_s = None
        assert len(get(call)["data"]) == 1_000_000

    @pytest.mark.parametrize("ending", ["stop", "kill"])
    def test_a_server_process_goes_on_where_it_was(self, tmp_path, ending):
        """What was deployed and what has a result stays; what ran begins again."""
        with FakeModalProcess(tmp_path / "state") as server, server.client() as client:
            with python(DEPLOY, server) as deploy:
                assert deploy.wait(TIMEOUT_S) == 0
            worker = modal.Cls.from_name(sample_app.NAME, "Sample", client=client)(model="m")
            done = worker.echo.spawn(1)
            get(done)
            running = worker.wait.spawn(1.0)
            record = running.object_id
            wait_for(lambda: is_saved_as_running(tmp_path / "state" / "state.pickle", record))
            getattr(server, ending)()
            server.start()
            assert get(done)["value"] == 1
            assert get(running) == "slept"
            assert server.state()["calls"][record]["runs"] == 2

    def test_a_server_process_takes_orders(self, tmp_path):
        with FakeModalProcess(tmp_path / "state", idle_s=5) as server:
            server.do("faults.fail", "AppGetOrCreate", "NOT_FOUND", "made up")
            server.do("add_secret", "name", {"KEY": "value"})
            assert server.state()["rpc_counts"] == {}


def is_saved_as_running(state, call_id):
    """Return whether a server that is killed now goes on with a call that had begun."""
    calls = pickle.loads(state.read_bytes()).calls if state.exists() else {}
    return call_id in calls and calls[call_id].status == "running"


def wait_for(condition):
    until = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


class TestThreads:
    """A thousand calls without a thousand processes; in a child, which has a client of its own."""

    SCRIPT = """
import os, sys, time
from tests.modal.servicer import FakeModal, sample_app
import modal

def engine(call, args, kwargs):
    return [args[0], call.parameters["model"]]

with FakeModal(executor={executor}, max_containers=8) as fake:
    os.environ.update(fake.environment)
    sample_app.app.deploy()
    worker = modal.Cls.from_name("fake-sample", "Sample")(model="m")
    before = time.monotonic()
    calls = [worker.echo.spawn(i) for i in range({count})]
    answers = [call.get(timeout=240) for call in calls]
    assert fake.scheduler.runner.peak <= 8
    assert all(call.runs == 1 for call in fake.calls.values())
    print(answers[-1])
"""

    @pytest.mark.parametrize(
        ("executor", "count", "expected"),
        [("engine", 300, "[299, 'm']"), ("'thread'", 20, "'value': 19")],
    )
    def test_calls_run_in_threads(self, executor, count, expected, tmp_path):
        code = self.SCRIPT.format(executor=executor, count=count)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
