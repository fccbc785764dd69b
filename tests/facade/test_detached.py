"""A job that outlives its caller, from a shell: a real worker process and a real database."""

import json
import re
from pathlib import Path
from typing import Any

from tests.facade.conftest import Run

from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import make_job
from tiomagic_storage import open_repository


def test_a_detached_job_is_made_by_a_worker(cli: Run, folder: Path) -> None:
    """The id is all that is printed; another process waits for the video and reads the log."""
    # It takes long enough for the wait to find it running, and to leave it alone.
    quick = {"TIOMAGIC_WORKER_IDLE_S": "1", "FAKE": "unhurried"}
    done = cli("text-to-video", "a fox", "-p", "fake", "--detach", "--retry", "1", **quick)
    assert done.returncode == 0, done.stderr
    job_id = done.stdout.strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", job_id)
    done = cli("status", job_id, "--wait", "--timeout", "120", "-q", **quick)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()
    stored = json.loads(cli("status", job_id, "--json").stdout)
    assert (stored["status"], stored["retry"], stored["attempt"]) == ("completed", 1, 1)
    assert stored["queue"].startswith("fake:")
    assert cli("logs", job_id).returncode == 0
    assert cli("jobs", "--recover", "--json").stdout == "[]\n"


def test_a_job_without_a_log_says_why(shell: Run) -> None:
    """A run in the caller's own process prints where the caller sees it."""
    shell("text-to-video", "a fox", "-p", "fake", "-q")
    job_id = shell("jobs").stdout.splitlines()[1].split()[0]
    done = shell("logs", job_id)
    assert done.returncode == 3
    assert "a run in a background worker keeps one" in done.stderr


def store_foreign_job(folder: Path, **changes: Any) -> str:
    """Store a job as another machine has left it, and return its id."""
    repository = open_repository(f"sqlite:///{folder}/.tiomagic/jobs.db")
    job = make_job(model="doodle", provider="local", **changes)
    repository.add(job)
    repository.close()
    return job.job_id


def test_a_job_whose_machine_is_gone_is_ended_by_the_command_that_it_names(
    cli: Run, folder: Path
) -> None:
    """Nobody can tell whether it runs; its owner can."""
    job_id = store_foreign_job(
        folder, status=JobStatus.RUNNING, call_id="local:gone:7:100-4026531836-b00"
    )
    told = json.loads(cli("status", job_id, "--json").stdout)
    message = told["generation"]["message"]
    assert (told["status"], "cannot tell" in message) == ("running", True)
    command = re.search(r"tiomagic (cancel \S+ --lost)", message)
    assert command is not None
    assert cli(*command[1].split()).stdout.strip() == "canceled"
    assert json.loads(cli("status", job_id, "--json").stdout)["status"] == "canceled"


def test_a_listing_says_why_a_queue_does_not_go_on(cli: Run, folder: Path) -> None:
    """Beside the table, not in it."""
    store_foreign_job(folder, queue="local:elsewhere:auto")
    done = cli("jobs")
    assert "queue local:elsewhere:auto waits: its worker runs on" in done.stderr
    assert "waits: its worker" not in done.stdout
