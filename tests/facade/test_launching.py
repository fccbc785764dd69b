"""Workers that come up, and workers that do not: real processes, started as a user's would be."""

import os
import sys
from pathlib import Path

import pytest

from tiomagic.wiring.background.launcher import ProcessLauncher
from tiomagic.wiring.settings import Settings, check_configured, resolve
from tiomagic.worker import ReadySignal, check_writable, end_without_project
from tiomagic_domain.errors import ConfigurationError, ProcessingError

BROKEN = """
import os, sys
def end():
    os.write(2, b"first line\\nbroken installation\\n")
    os._exit(1)
if "tiomagic.worker" in sys.orig_argv:
    os.register_at_fork(after_in_child=end)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    configured = check_configured({"provider": "local", "worker_idle_s": 1.0})
    return resolve(configured, environment={}, dotenv={}, working_dir=tmp_path)


def launcher(settings: Settings, patience_s: float = 120) -> ProcessLauncher:
    return ProcessLauncher(lambda: settings, patience_s=patience_s)


def test_a_worker_that_comes_up_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    """And no file of the working folder becomes code in it."""
    (tmp_path / "queue.py").write_text('open("it-was-run", "w").close()\n')
    launcher(settings).launch("local:nowhere:cpu")
    assert not (tmp_path / "it-was-run").exists()


def test_a_worker_that_ends_at_once_is_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its last words, and where the others are."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(broken), *filter(None, sys.path)]))
    with pytest.raises(ConfigurationError, match="broken installation") as caught:
        launcher(settings).launch("local:nowhere:cpu")
    assert caught.value.code == "no_worker"
    assert "first line" in Path(str(caught.value.details["log"])).read_text()


def test_an_interpreter_that_does_not_run_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade that took it away."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConfigurationError, match="/nowhere/python"):
        launcher(settings).launch("local:nowhere:cpu")


def test_a_worker_speaks_once_and_nobody_has_to_listen() -> None:
    """A second word is none; a starter that has gone away is no error."""
    hears, tells = os.pipe()
    ready = ReadySignal(tells)
    ready()
    ready()
    assert os.read(hears, 64) == b"ready"
    assert os.read(hears, 64) == b""
    os.close(hears)
    hears, tells = os.pipe()
    os.close(hears)
    ReadySignal(tells)()
    ReadySignal(None)()


def test_a_folder_that_cannot_be_written_is_found_out(settings: Settings) -> None:
    """Before the next job is tried; afterwards nothing is left of it."""
    check_writable(settings)
    assert list(settings.output_dir.iterdir()) == []
    settings.output_dir.rmdir()
    settings.output_dir.write_text("in the way")
    with pytest.raises(ProcessingError) as caught:
        check_writable(settings)
    assert caught.value.code == "output_unwritable"


def test_a_worker_ends_when_its_project_is_deleted(tmp_path: Path) -> None:
    """A heartbeat that fails for another reason is no reason to end."""
    left: list[str] = []
    error = ProcessingError("the database cannot be opened")
    end_without_project(error, tmp_path, lambda: left.append("early"))
    end_without_project(error, tmp_path / "deleted", lambda: left.append("in time"))
    assert left == ["in time"]
