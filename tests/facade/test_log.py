"""Events: silent until an application asks, and without a secret."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.facade.conftest import FakeApp, Run

from tiomagic.display.journal import Journal, get_logger
from tiomagic.errors import GenerationError
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing import NOON, make_job


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the events that reached the standard library's logging."""
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_a_run_tells_its_story(fake_app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Submitted, started, completed: one event each, with what belongs to it."""
    caplog.set_level(logging.INFO, "tiomagic")
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(prompt="a fox")
    told = events(caplog)
    assert [event["event"] for event in told] == ["job.submitted", "job.started", "job.completed"]
    assert {event["job_id"] for event in told} == {job.job_id}
    assert told[0]["model"] == job.model
    assert told[-1]["result_video"] == job.result_video
    assert told[-1]["seconds"] == 0.0


def test_a_failure_is_an_error(fake_app: FakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """A failed job is told at the level that wakes people."""
    fake_app.tm.configure(provider="local")
    fake_app.local.failure = GenerationError("out of paint", code="paint")
    with pytest.raises(GenerationError):
        fake_app.tm.text_to_video(prompt="a fox")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert isinstance(record.msg, dict)
    assert (record.msg["event"], record.msg["error_code"]) == ("job.failed", "paint")


def test_an_unwritable_log_file_is_a_warning(
    fake_app: FakeApp, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on, and somebody who listens hears of it."""
    (folder / "generation_log.json").mkdir()
    fake_app.tm.configure(provider="local")
    fake_app.tm.text_to_video(prompt="a fox")
    assert {"run.troubled"} == {
        event["event"] for event in events(caplog) if event["level"] == "warning"
    }


class ForgetfulLog:
    """A log file that is told to refresh and counts it."""

    def __init__(self) -> None:
        self.refreshed = 0

    def refresh(self) -> None:
        """Count."""
        self.refreshed += 1


def test_each_status_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Phases within a status are for debugging; a job of another process is not submitted anew."""
    caplog.set_level(logging.DEBUG, "tiomagic")
    log = ForgetfulLog()
    journal = Journal(log)  # type: ignore[arg-type]  # Only ``refresh`` is used.
    job = make_job()
    running = job.to(JobStatus.RUNNING, at=NOON, call_id="c1", version=2)
    loading = running.with_changes(at=NOON, progress=Progress(phase=Phase.LOADING))
    stopping = loading.to(JobStatus.CANCELING, at=NOON)
    stopped = stopping.to(JobStatus.CANCELED, at=NOON)
    seen_late = make_job(version=3)
    for state in (job, running, running, loading, stopping, stopped, seen_late):
        journal.job_changed(state)
    assert [event["event"] for event in events(caplog)] == [
        "job.submitted",
        "job.started",
        "job.progressed",
        "job.stop_requested",
        "job.canceled",
    ]
    assert log.refreshed == 7
    journal.trouble(TioMagicError("disk", code="disk_full"))
    assert events(caplog)[-1]["code"] == "disk_full"


SCRIPT = """
from pathlib import Path
from tiomagic import TioMagic, errors
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.testing import FakeProvider
fake = FakeProvider(Path("spool"), name="local", blocking=True, default_model="wan2.1-t2v-1.3b")
tm = TioMagic(provider="local", overrides={"providers": {"local": fake}})
Path("generation_log.json").mkdir()
tm.text_to_video(prompt="a fox")
fake.failure = GenerationError("broke")
try: tm.text_to_video(prompt="a fox")
except errors.GenerationError: pass
"""


def test_a_library_is_silent(python: Run) -> None:
    """A run, a failure and a warning put nothing on stdout or stderr."""
    done = python(SCRIPT)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_an_application_decides_what_it_sees(python: Run) -> None:
    """With the application's own handler the events arrive, and structlog's defaults are its."""
    code = (
        "import logging, structlog\n"
        "handler = logging.StreamHandler()\n"
        "handler.setFormatter(structlog.stdlib.ProcessorFormatter("
        "processor=structlog.processors.JSONRenderer()))\n"
        "logging.basicConfig(level=logging.INFO, handlers=[handler])\n"
        f"{SCRIPT}\nassert not structlog.is_configured()"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert told.count("job.completed") == 1
    assert told.count("job.failed") == 1
    assert "run.troubled" in told


def test_names_that_the_standard_library_uses_are_free(caplog: pytest.LogCaptureFixture) -> None:
    """An event may carry ``name`` or ``filename``, which a plain record would refuse."""
    get_logger().warning("x.happened", name="n", filename="f", created=1)
    (told,) = events(caplog)
    assert (told["name"], told["filename"], told["created"]) == ("n", "f", 1)
