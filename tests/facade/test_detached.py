"""A job that outlives its caller, from a shell: a real worker process and a real database."""

import json
import re
from pathlib import Path

from tests.facade.conftest import Run


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
    assert "only a run in a background worker keeps one" in done.stderr
