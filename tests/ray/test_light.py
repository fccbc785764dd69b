"""What can be said without a cluster: settings, places, and what Ray's own errors mean."""

import socket
import sys
import threading

import pytest

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    MissingDependencyError,
)
from tiomagic_domain.plugins import CommandContext
from tiomagic_ray.cluster import head_watch
from tiomagic_ray.cluster.head_watch import watch_head
from tiomagic_ray.cluster.inputs import find_shared_folder
from tiomagic_ray.cluster.worker_table import KnownWorker, WorkerTable
from tiomagic_ray.commands import status, up
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.link.connection_errors import explain
from tiomagic_ray.link.examination import compare_versions
from tiomagic_ray.link.loopback import is_on_loopback_alone
from tiomagic_ray.options import RayOptions
from tiomagic_ray.placement import Placement
from tiomagic_ray.shared_folder import SharedFolder

H100 = {"GPU": 2.0, "CPU": 8.0, "accelerator_type:H100": 1.0}
PLAIN = {"CPU": 8.0}


@pytest.mark.parametrize(
    "address", ["auto", "ray://head:10001", "10.0.0.1:6379", "[::1]:6379", "http://head:8265"]
)
def test_an_address_is_taken(address):
    RayOptions(address=address).check()


@pytest.mark.parametrize("address", ["head", "ray://head", "head:0", "local", "http://head/jobs"])
def test_no_address_is_refused_with_one_that_works(address):
    with pytest.raises(ConfigurationError, match=r"ray://"):
        RayOptions(address=address).check()


def test_a_blank_variable_is_named(monkeypatch):
    """To tiomagic it is not set, and Ray would read it in place of "auto"."""
    monkeypatch.setenv("RAY_ADDRESS", " ")
    with pytest.raises(ConfigurationError, match="RAY_ADDRESS=' ' is blank") as caught:
        RayOptions().check()
    assert caught.value.details["nearest"] == "auto"
    RayOptions(address="10.0.0.1:6379").check()
    monkeypatch.setenv("RAY_ADDRESS", "")
    RayOptions().check()


@pytest.mark.parametrize(
    ("device", "nearest"),
    [("tpu", "cuda"), ("CPU", "cpu"), ("cuda:0,cuda:1", "cuda"), ("", "cuda")],
)
def test_no_device_is_refused_with_one_that_works(device, nearest):
    """It is not taken for a GPU that no machine has."""
    with pytest.raises(ConfigurationError, match="'cuda' for a GPU") as caught:
        RayOptions(device=device).check()
    assert caught.value.details["nearest"] == nearest


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "gpu", None])
def test_a_device_is_taken(device):
    RayOptions(device=device).check()


@pytest.mark.parametrize(
    "address", ["http://head:8265", "http://head:8265/", "https://head", "http://[::1]:8265"]
)
def test_the_address_of_a_dashboard_names_its_head(address):
    """No model can be kept loaded through a dashboard; its head also listens for drivers."""
    host = "[::1]" if "::" in address else "head"
    assert RayOptions(address=address).ray_address == f"ray://{host}:10001"
    assert RayOptions(address=address).endpoint == (host.strip("[]"), 10001)


def test_a_gpu_that_the_autoscaler_adds_is_no_missing_one():
    """Ray tells no caller which machines could come: the user does."""
    options = RayOptions(gpu="L4:2", autoscaled_gpus="H100, L4:4")
    options.check()
    place = options.place(needs_gpu=True)
    assert place.settle([PLAIN, *options.find_autoscaled()]).kind == "L4"
    with pytest.raises(ConfigurationError, match="ray_autoscaled_gpus") as caught:
        place.settle([PLAIN, H100])
    assert caught.value.code == "no_such_gpu"
    three = RayOptions(gpu="H100:3", autoscaled_gpus="H100")
    with pytest.raises(ConfigurationError):
        three.place(needs_gpu=True).settle(three.find_autoscaled())
    with pytest.raises(ConfigurationError, match="ray_autoscaled_gpus='H100 L4'"):
        RayOptions(autoscaled_gpus="H100 L4").check()


def test_the_token_is_in_no_repr():
    assert "MARK" not in repr(RayOptions(token="MARK"))


def test_nothing_listens():
    """Known in a moment, where Ray itself takes half a minute."""
    connection = ClusterConnection(RayOptions(address="127.0.0.1:9"))
    with pytest.raises(APIError, match="no Ray cluster answers") as caught:
        connection.ask("nodes")
    assert caught.value.code == "no_cluster"
    assert caught.value.retryable


class SilentDriver:
    """A driver of a head that has ended: it lives, and has no answer."""

    is_alive, is_closed, unanswered = True, False, 0

    def ask(self, within_s, name, *arguments, **named):
        raise APIError("no answer", code="unreachable", retryable=True)

    def close(self):
        self.is_closed = True


def test_a_driver_without_answers_is_started_anew(monkeypatch):
    """It would ask a new head at the same address for actors of the old one, for ever."""
    started = []

    def connect():
        started.append(SilentDriver())
        return started[-1]

    connection = ClusterConnection(RayOptions())
    monkeypatch.setattr(connection, "_connect", connect)
    for _ in range(3):
        with pytest.raises(APIError, match="no answer"):
            connection.ask("nodes")
    assert [driver.is_closed for driver in started] == [True, False]


INSTALL_RAY, NEW_PYTHON, BY_CLIENT = "pip install 'ray[default]==2.60.0'", "uv venv", "ray://HOST"


@pytest.mark.parametrize(
    ("address", "ray", "python", "steps"),
    [
        ("10.0.0.1:6379", "2.50.0", "3.12.1", {INSTALL_RAY, NEW_PYTHON}),
        ("10.0.0.1:6379", "2.50.0", "3.11.7", {INSTALL_RAY}),
        ("10.0.0.1:6379", "2.60.0", "3.11.9", {NEW_PYTHON, BY_CLIENT}),
        ("ray://10.0.0.1:10001", "2.60.0", "3.12.1", {NEW_PYTHON}),
    ],
)
def test_other_versions_are_named_with_what_helps(address, ray, python, steps):
    """The text is Ray's own, of 2.60, which compares all of Python's version without ray://."""
    said = (
        f"RuntimeError: Version mismatch: The cluster was started with:\n    Ray: {ray}\n"
        f"    Python: {python}\nThis process on node 10.0.0.2 was started with:\n    Ray: 2.60.0\n"
        "    Python: 3.11.7\n"
    )
    error = explain(address, said, "")
    assert isinstance(error, ConfigurationError)
    assert error.code == "cluster_versions"
    assert f"Ray {ray} and Python {python}" in error.message
    assert "Ray 2.60.0 and Python 3.11.7" in error.message
    assert {step for step in (INSTALL_RAY, NEW_PYTHON, BY_CLIENT) if step in error.message} == steps
    assert error.details["theirs"] == [f"Ray {ray}", f"Python {python}"]


def test_versions_that_ray_does_not_name_are_other_ones():
    assert explain("10.0.0.1:6379", "Version mismatch", "").code == "cluster_versions"


@pytest.mark.parametrize("command", [status, up])
def test_without_ray_a_command_names_what_installs_it(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    context = CommandContext(settings={}, say=print, find_job=str)
    with pytest.raises(MissingDependencyError, match="pip install") as caught:
        command(context)
    assert caught.value.details["extra"] == "ray"


def test_a_missing_token_is_not_a_refused_one():
    missing = explain("a:1", "AuthenticationError: no authentication token was found", "")
    refused = explain("a:1", "ConnectionError: Failed to connect", "W InvalidAuthToken: incorrect")
    assert isinstance(missing, AuthenticationError)
    assert isinstance(refused, AuthenticationError)
    assert "there is none" in missing.message
    assert "refuses" in refused.message


def test_without_a_token_none_is_called_refused():
    """Ray says the same of a wrong one and of none."""
    error = explain("a:1", "ConnectionError", "W InvalidAuthToken: incorrect", has_token=False)
    assert error.code == "cluster_token"
    assert "there is none" in error.message


@pytest.mark.parametrize("token", ["two words", "two\nlines", "ü" * 20])
def test_what_cannot_be_a_token_is_refused_without_being_shown(token):
    """Ray's driver ends with it, which looked like a cluster that does not answer."""
    with pytest.raises(AuthenticationError, match="RAY_AUTH_TOKEN") as caught:
        RayOptions(token=token).check()
    assert caught.value.code == "cluster_token"
    assert token not in str(caught.value.to_dict())


def test_a_token_from_a_file_with_a_line_end_is_taken():
    RayOptions(token="f" * 48 + "\n").check()


@pytest.mark.parametrize(("listens_on", "is_alone"), [("127.0.0.1", True), ("", False)])
def test_a_cluster_on_loopback_alone_is_known(listens_on, is_alone):
    """Ray's driver looks for it at the machine's own address unless it knows."""
    with socket.create_server((listens_on, 0)) as server:
        port = server.getsockname()[1]
        assert is_on_loopback_alone(RayOptions(address=f"127.0.0.1:{port}")) is is_alone
        assert not is_on_loopback_alone(RayOptions(address=f"ray://127.0.0.1:{port}"))
        assert not is_on_loopback_alone(RayOptions(address=f"192.0.2.1:{port}"))


def test_auto_is_the_cluster_that_was_started_last(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert not is_on_loopback_alone(RayOptions())
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:9\n")
    assert is_on_loopback_alone(RayOptions())


def test_a_small_model_takes_a_cpu_where_there_is_no_gpu():
    wanted = RayOptions().place(needs_gpu=False)
    assert wanted.settle([PLAIN]).gpus == 0
    assert wanted.settle([PLAIN, H100]).gpus == 1
    assert RayOptions(device="cpu").place(needs_gpu=True).settle([H100]).gpus == 0


@pytest.mark.parametrize(
    ("options", "nodes"),
    [
        (RayOptions(), [PLAIN]),
        (RayOptions(gpu="A100"), [PLAIN, H100]),
        (RayOptions(gpu="H100:4"), [H100, H100]),
    ],
)
def test_no_such_gpu(options, nodes):
    """Several GPUs of one job are on one machine."""
    with pytest.raises(ConfigurationError) as caught:
        options.place(needs_gpu=True).settle(nodes)
    assert caught.value.code == "no_such_gpu"


def test_ray_is_asked_for_the_kind_of_gpu():
    placement = RayOptions(gpu="H100:2").place(needs_gpu=True).settle([H100])
    asked = placement.actor_options()
    assert (asked["num_gpus"], asked["accelerator_type"]) == (2, "H100")
    assert Placement(*placement.to_list()) == Placement(gpus=2, kind="H100")


def worker(name, **known):
    known = {"placement": Placement(), "idle_s": 300.0, **known}
    return KnownWorker(name=name, handle=None, is_alive=True, **known)


def test_a_worker_with_the_model_is_preferred():
    table = WorkerTable()
    for each in (worker("a", model="other"), worker("b"), worker("c", model="doodle")):
        table.add(each)
    chosen = []
    for _ in range(3):
        found = table.choose(Placement(), "doodle", any_model=False)
        chosen.append(found and found.name)
        if found is not None:
            found.job_id = "j"
    assert chosen == ["c", "b", None]
    last = table.choose(Placement(), "doodle", any_model=True)
    assert last is not None
    assert last.name == "a"


PAIR = Placement(gpus=2, kind="T4")


def room(**free):
    """Return what is free on machines with GPUs of that kind, as Ray names it."""
    return {node: {"accelerator_type:T4": 1.0, **there} for node, there in free.items()}


def names_in_the_way(table, **free):
    return [one.name for one in table.in_the_way(room(**free))]


def test_an_idle_worker_makes_room_for_one_of_another_kind():
    """Only where that is enough, the longest idle first, and none that works."""
    table = WorkerTable()
    table.add(worker("young", node="a", idle_since=9.0))
    table.add(worker("old", node="a", idle_since=5.0))
    table.add(worker("works", node="a", idle_since=1.0, job_id="j"))
    assert names_in_the_way(table, a={"GPU": 2}) == [], "nothing waits for a place"
    table.add(KnownWorker(name="waits", handle=None, placement=PAIR, idle_s=60.0))
    assert names_in_the_way(table, a={"GPU": 2}) == ["old"]
    assert names_in_the_way(table, a={"GPU": 2, "CPU": 1}) == []
    assert names_in_the_way(table, a={"GPU": 1}) == [], "its GPU is not theirs to give"
    assert table.in_the_way({"a": {"GPU": 2}}) == [], "its GPUs are of another kind"


def test_room_is_made_on_one_machine():
    """One idle GPU on each of two machines is no place for a group of two."""
    one = Placement(gpus=1)
    table = WorkerTable()
    table.add(worker("a-1", node="a", placement=one, idle_since=1.0))
    table.add(worker("b-1", node="b", placement=one, idle_since=2.0))
    table.add(KnownWorker(name="waits", handle=None, placement=PAIR, idle_s=60.0))
    half = {"GPU": 1, "CPU": 1}
    assert names_in_the_way(table, a=half, b=half) == ["a-1"], "both machines are half free"
    assert names_in_the_way(table, a={}, b={}) == [], "no machine would have two"
    table.add(worker("a-2", node="a", placement=one, idle_since=4.0))
    table.add(worker("b-2", node="b", placement=one, idle_since=3.0))
    assert names_in_the_way(table, a={}, b={}) == ["b-1", "b-2"], "idle for longer, as a whole"
    assert names_in_the_way(table, a=half, b={}) == ["a-1"], "the fewest"


def test_a_worker_that_gives_too_little_stays():
    """One with a CPU alone makes no room for a GPU, however long it was idle."""
    table = WorkerTable()
    table.add(worker("cpu", node="a", idle_since=1.0))
    table.add(worker("gpu", node="a", placement=Placement(gpus=1), idle_since=2.0))
    table.add(KnownWorker(name="waits", handle=None, placement=PAIR, idle_s=60.0))
    assert names_in_the_way(table, a={"GPU": 1}) == ["gpu"]


def listen():
    """Return a server of this machine, and its address."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()


def test_the_end_of_a_head_is_noticed():
    """A connection that ends is no end, where the next one is answered; a refused one is."""
    server, endpoint = listen()
    ended = threading.Event()
    watch_head(endpoint, ended.set)
    for _ in range(3):
        line, _ = server.accept()
        line.sendall(b"settings")
        line.close()
    line, _ = server.accept()
    assert not ended.is_set()
    server.close()
    line.close()
    assert ended.wait(60)


def test_a_tunnel_without_a_head_is_noticed(monkeypatch):
    """It takes every connection, and ends each without a word."""
    monkeypatch.setattr(head_watch, "PAUSE_S", 0.0)
    server, endpoint = listen()
    ended = threading.Event()
    watch_head(endpoint, ended.set)
    for _ in range(head_watch.SILENT):
        assert not ended.is_set()
        server.accept()[0].close()
    assert ended.wait(60)
    server.close()


def test_versions_that_differ_are_named():
    """A caller needs no engines: what only the machines have is no difference."""
    ours = {"python": "3.11.7", "ray": "2.60.0", "tiomagic-domain": "2.0.0"}
    theirs = {"python": "3.11.9", "ray": "2.60.0", "torch": "2.15.0", "diffusers": "0.42.1"}
    assert compare_versions(theirs, ours) == [
        "python 3.11.9 there, 3.11.7 here",
        "tiomagic missing there, 2.0.0 here",
    ]
    assert compare_versions({**ours, "torch": "2.14"}, {**ours, "torch": "2.15"}) == [
        "torch 2.14 there, 2.15 here"
    ]


def test_a_machine_that_came_later_may_have_another_folder(tmp_path, monkeypatch):
    """It refuses the job before it loads a model, and names the variable for its path."""
    (tmp_path / "theirs").mkdir()
    task = {"job": {"job_id": "j"}, "shared": str(tmp_path / "ours")}
    monkeypatch.setenv("TIOMAGIC_RAY_SHARED_DIR", str(tmp_path / "theirs"))
    with pytest.raises(ConfigurationError, match="TIOMAGIC_RAY_SHARED_DIR") as caught:
        find_shared_folder(task)
    assert caught.value.code == "shared_folder"
    SharedFolder(tmp_path / "theirs").open_job("j")
    assert find_shared_folder(task).has_job("j")
