"""Before a run: the plan's facts, the table of models, the refusal, and the question."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from tests.facade.conftest import MODEL, VACE, FakeApp, Run

from tiomagic.api.plan import check_models
from tiomagic.cli import _trust
from tiomagic.cli._output import Output
from tiomagic.cli._trust import announce_download
from tiomagic.display.plans import describe_plan
from tiomagic.errors import AuthenticationError, ConfigurationError
from tiomagic_domain.catalogue import models
from tiomagic_domain.ports.preflight import (
    PlanNeed,
    RunConditions,
    RunDevice,
    RunTime,
    TokenState,
    WeightsOnDisk,
)

GIB = 2**30
WEIGHTS = WeightsOnDisk(
    total_bytes=14 * GIB, here_bytes=0, place="/cache", disk_free_bytes=100 * GIB
)
ON_A_GPU = RunConditions(
    device=RunDevice(name="cuda:0", title="NVIDIA L4", memory_gib=24.0, free_gib=23.0),
    weights=WEIGHTS,
    plans=(PlanNeed(plan="resident", device_gib=20.0, main_gib=11.0),),
    main_memory_gib=64.0,
    is_certain=True,
    time=RunTime(seconds=600, basis="a guess"),
    place="this machine",
)
ON_A_CPU = replace(
    ON_A_GPU,
    device=RunDevice(name="cpu", is_cpu=True),
    plans=(PlanNeed(plan="resident", device_gib=87.0, main_gib=87.0),),
)


@pytest.fixture
def on_a_gpu(fake_app: FakeApp) -> FakeApp:
    """``tm`` on a provider with a GPU, where the weights are not here yet."""
    fake_app.tm.configure(provider="local")
    fake_app.local.conditions = ON_A_GPU
    return fake_app


def test_the_plan_has_the_facts_beside_the_old_keys(on_a_gpu: FakeApp) -> None:
    """What 2.0 had stays; what a run would take is one key more, and plain data."""
    plan = on_a_gpu.tm.plan("text_to_video", MODEL, prompt="a fox")
    for name in ("gpu", "cost", "weights_gib", "gpu_memory_gib", "memory", "arguments"):
        assert name in plan
    found = plan["preflight"]
    assert json.loads(json.dumps(found)) == found
    assert (found["fit"], found["can_run"], found["is_here"]) == ("fits", True, False)
    assert found["weights"]["fetch_bytes"] == 14 * GIB
    assert (found["plan"], found["time"]["seconds"]) == ("resident", 600)
    assert found["licence"]["use"] == "free"
    assert on_a_gpu.tm.list_jobs() == []


def test_a_plan_names_measured_times(on_a_gpu: FakeApp) -> None:
    """A finished job of the same model and size here is a better word than an estimate."""
    tm = on_a_gpu.tm
    job = tm.text_to_video(MODEL, prompt="a fox")
    assert job.status == "completed"
    time = tm.plan("text_to_video", MODEL, prompt="a bear")["preflight"]["time"]
    assert time["is_measured"]
    assert "1 run of this size" in time["basis"]


def test_what_cannot_work_is_refused_with_the_calls_that_would(on_a_gpu: FakeApp) -> None:
    """In Python's words, before anything is stored; ``force=True`` runs it."""
    on_a_gpu.local.conditions = ON_A_CPU
    with pytest.raises(ConfigurationError) as caught:
        on_a_gpu.tm.text_to_video(MODEL, prompt="a fox")
    assert caught.value.code == "does_not_fit"
    assert "[tm.configure(provider='modal')]" in caught.value.message
    assert caught.value.message.endswith("[force=True]")
    assert on_a_gpu.tm.list_jobs() == []
    assert on_a_gpu.tm.text_to_video(MODEL, prompt="a fox", force=True).status == "completed"


def test_a_rerun_is_forced_as_well(on_a_gpu: FakeApp) -> None:
    """A recipe of a machine that could is no promise for this one."""
    tm = on_a_gpu.tm
    job = tm.text_to_video(MODEL, prompt="a fox")
    on_a_gpu.local.conditions = ON_A_CPU
    with pytest.raises(ConfigurationError):
        tm.rerun(job.job_id)
    assert tm.rerun(job.job_id, force=True).status == "completed"


def test_a_batch_names_the_refusal_in_its_cell_and_takes_force(on_a_gpu: FakeApp) -> None:
    """One that cannot work stops no other; by force the same batch makes it."""
    on_a_gpu.local.conditions = ON_A_CPU
    wanted = [{"feature": "text_to_video", "model": MODEL, "prompt": "a fox"}]
    refused = on_a_gpu.tm.batch(wanted, progress=False)
    assert "cannot run on this machine" in str(refused.cells[0].error)
    made = on_a_gpu.tm.batch(wanted, progress=False, force=True)
    assert (made.name, made.failures) == (refused.name, [])


def test_many_models_are_checked_without_the_container(on_a_gpu: FakeApp) -> None:
    """For a table or a page: quick, and by the model's name."""
    tm = on_a_gpu.tm
    found = check_models(tm.session, models().values())
    assert set(found) == set(models())
    assert not tm.session.is_built
    assert found[VACE].fetch_bytes == 14 * GIB
    tm.configure(provider="modal")
    assert check_models(tm.session, [models()[VACE]])[VACE].fit == "unknown"


def test_a_plan_is_lines_for_people(on_a_gpu: FakeApp) -> None:
    """Each fact on a line of its own, and at the end whether it works."""
    tm = on_a_gpu.tm
    lines = describe_plan(tm.plan("text_to_video", MODEL, prompt="a fox")).splitlines()
    said = {line[:9].strip(): line[10:] for line in lines}
    assert said["weights"] == "about 14 GiB to download to /cache, where 100 GiB are free"
    assert said["time"] == "about 10 minutes, after the download (a guess)"
    assert said["verdict"] == "it fits"
    on_a_gpu.local.conditions = ON_A_CPU
    text = describe_plan(tm.plan("text_to_video", MODEL, prompt="a fox"))
    assert "there is no GPU" in text
    assert "you can: run it on modal" in text
    assert "you can: run it all the same" in text
    forced = describe_plan(tm.plan("text_to_video", MODEL, prompt="a fox"), forced=True)
    assert "you can: run it on modal" in forced
    assert "you can: run it all the same" not in forced
    assert "it is tried all the same" in forced


def test_a_plan_names_what_else_is_downloaded(on_a_gpu: FakeApp) -> None:
    """With its size beside that of the weights; alone, by its name."""
    plan = on_a_gpu.tm.plan("text_to_video", MODEL, prompt="a fox")
    weights = plan["preflight"]["weights"]
    weights["other_fetches"] = {"the pose estimator": 351_000_000}
    assert "(0.3 GiB for the pose estimator) to /cache" in describe_plan(plan)
    weights["fetch_bytes"] = 351_000_000
    assert "0.3 GiB to download for the pose estimator to /cache" in describe_plan(plan)


def test_a_plan_of_modal_needs_no_token(on_a_gpu: FakeApp) -> None:
    """The token is a line of the plan, not the end of it."""
    token = TokenState(service="Modal", is_needed=True, is_there=False, why="Sign in")
    on_a_gpu.modal.conditions = RunConditions(tokens=(token,))
    on_a_gpu.modal.rejection = AuthenticationError("there is no token")
    on_a_gpu.tm.configure(provider="modal")
    plan = on_a_gpu.tm.plan("text_to_video", VACE, prompt="a fox")
    assert not plan["preflight"]["can_run"]
    text = describe_plan(plan)
    assert "token     of Modal: not there" in text
    assert "it cannot run: a token of Modal is needed" in text
    assert "all the same" not in text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A person at a terminal who gives the answers of the list; what is asked goes to stderr."""
    answers: list[str] = []

    class Answers:
        def readline(self) -> str:
            return answers.pop(0)

    monkeypatch.setattr(_trust, "is_terminal", lambda stream: True)
    monkeypatch.setattr(sys, "stdin", Answers())
    yield answers
    assert answers == []


def announce(app: FakeApp, *, as_json: bool = False, **options: bool) -> None:
    given = {"quiet": False, "yes": False, "force": False} | options
    announce_download(Output(as_json=as_json, debug=False), app.tm, MODEL, **given)


def test_a_large_download_is_asked_about_on_a_terminal(
    on_a_gpu: FakeApp, terminal: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A yes goes on; anything else ends the command with the code of a cancel."""
    terminal[:] = ["y\n", "\n"]
    announce(on_a_gpu)
    with pytest.raises(typer.Exit) as caught:
        announce(on_a_gpu)
    assert caught.value.exit_code == 6
    said = capsys.readouterr().err
    assert f"{MODEL}: about 14 GiB to download to /cache" in said
    assert said.endswith("nothing was downloaded\n")


def test_who_has_said_yes_is_not_asked(on_a_gpu: FakeApp, terminal: list[str]) -> None:
    """Nor for JSON, for 5 GB or less, or for a run that is refused anyway."""
    assert terminal == []
    announce(on_a_gpu, yes=True)
    announce(on_a_gpu, as_json=True)
    on_a_gpu.local.conditions = ON_A_CPU
    announce(on_a_gpu)
    on_a_gpu.local.conditions = replace(ON_A_GPU, weights=replace(WEIGHTS, total_bytes=4 * GIB))
    announce(on_a_gpu)


def test_a_script_goes_on_with_one_line(
    on_a_gpu: FakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can answer, so nobody is asked; quiet is quiet."""
    announce(on_a_gpu)
    assert capsys.readouterr().err.count("\n") == 1
    announce(on_a_gpu, quiet=True)
    assert capsys.readouterr().err == ""


def test_the_table_of_models_begins_with_what_fits(shell: Run) -> None:
    """Then the small before the large; ``--here`` leaves those whose weights are here."""
    options = {"TIOMAGIC_DEVICE": "cpu", "HF_HUB_CACHE": "/nowhere"}
    found = json.loads(shell("models", "-p", "local", "--json", **options).stdout)
    assert found[0]["name"] == "doodle"
    assert (found[0]["fits_here"], found[0]["is_here"]) == ("fits", True)
    order = ["fits", "slow", "unknown", "no"]
    ranks = [(order.index(one["fits_here"]), one["weights_gib"]) for one in found]
    assert ranks == sorted(ranks)
    here = shell("models", "--here", "-p", "local", **options).stdout.splitlines()
    assert here[0].split() == ["model", "fits", "here", "GiB", "use", "GPU", "can", "do", "licence"]
    assert here[1].split()[:4] == ["doodle", "yes", "yes", "0.035"]


def test_a_dry_run_of_what_cannot_work_shows_why(shell: Run, folder: Path) -> None:
    """It ends well: the plan is what was asked for. No job, no database, no token."""
    words = ("text-to-video", "a fox", "-m", "wan2.1-t2v-14b", "--dry-run")
    done = shell(*words, "-p", "local", TIOMAGIC_DEVICE="cpu")
    assert done.returncode == 0
    assert "it cannot run: there is no GPU" in done.stdout
    assert "[-p modal]" in done.stdout
    assert "[-m doodle]" in done.stdout
    forced = shell(*words, "-p", "local", "--force", TIOMAGIC_DEVICE="cpu")
    assert "[-p modal]" in forced.stdout
    assert "[--force]" not in forced.stdout
    done = shell(*words, "-p", "modal", MODAL_CONFIG_PATH=str(folder / "none.toml"))
    assert (done.returncode, "of H100 with CPU and memory" in done.stdout) == (0, True)
    refused = shell(*words[:-1], "-p", "local", TIOMAGIC_DEVICE="cpu")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "wan2.1-t2v-14b cannot run on this machine" in refused.stderr
    assert "[--force]" in refused.stderr
    assert not (folder / ".tiomagic" / "jobs.db").exists()
