"""Commands that hand their job to a warm worker: real processes, as a user's would be."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.facade.conftest import Run, clean_environment

from tiomagic import TioMagic

WARM = {"TIOMAGIC_WARM_WORKER": "on", "TIOMAGIC_WORKER_IDLE_S": "900"}
MAKE = ("text-to-video", "a fox", "-p", "fake")


@pytest.fixture(autouse=True)
def stopped_workers(cli: Run) -> Iterator[None]:
    """Leave no process behind."""
    yield
    assert cli("worker", "stop").returncode == 0
    assert "no worker runs" in cli("worker").stderr


def find_processes(cli: Run) -> list[str]:
    """Return the process of each job, the newest first."""
    jobs = json.loads(cli("jobs", "--json").stdout)
    return [job["generation"]["call_id"].rsplit(":", 2)[1] for job in jobs]


def test_a_second_command_uses_the_worker_of_the_first(cli: Run) -> None:
    """The same output as without; other settings have another worker; stop ends them."""
    first = cli(*MAKE, **WARM)
    assert first.returncode == 0, first.stderr
    assert Path(first.stdout.strip()).is_file()
    assert "a worker keeps the model loaded for 900 s" in first.stderr
    second = cli(*MAKE, "-q", **WARM)
    assert "keeps the model" not in second.stderr
    detached = cli(*MAKE, "--detach", **WARM)
    assert cli("status", detached.stdout.strip(), "--wait", **WARM).returncode == 0
    assert cli(*MAKE, **WARM, HF_HOME="/elsewhere").returncode == 0
    cold = cli(*MAKE, "-q", TIOMAGIC_WARM_WORKER="off")
    plain = [re.sub(r"[0-9a-f]{8}\S*", "ID", done.stderr) for done in (second, cold)]
    assert plain[0] == plain[1]
    alone, other, background, again, once = find_processes(cli)
    assert once == again == background
    assert len({once, other, alone}) == 3
    # The first worker has made room on the device.
    (row,) = json.loads(cli("worker", "--json").stdout)
    assert (row["process"], row["job"]) == (other, None)
    assert "1 running" in cli("doctor").stdout


@pytest.mark.parametrize("manner", ["fails", "unauthorized"])
def test_a_failure_is_the_same_error_and_exit_code(cli: Run, manner: str) -> None:
    """As the run in the command's own process has them."""
    warm, alone = (
        cli(*MAKE, "-q", FAKE=manner, **{**WARM, "TIOMAGIC_WARM_WORKER": choice})
        for choice in ("on", "off")
    )
    assert warm.returncode == alone.returncode
    assert warm.stderr.splitlines()[0] == alone.stderr.splitlines()[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, -1)])
def test_a_command_that_ends_cancels_its_job(
    cli: Run, folder: Path, plugin_path: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C and a closed terminal; the worker stays for the next one."""
    environment = clean_environment(PYTHONPATH=str(plugin_path), FAKE="unhurried", **WARM)
    command = [sys.executable, "-m", "tiomagic.cli.main", *MAKE]
    tm = TioMagic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        # What started the tests may have it ignored, and hands that down.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as process:
        assert process.stderr is not None
        assert b"denoising" in process.stderr.readline()
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == code
    (job,) = tm.list_jobs()
    assert job.wait(60, poll=0.05).status == "canceled"
    tm.close()
    (row,) = json.loads(cli("worker", "--json").stdout)
    assert row["job"] is None
