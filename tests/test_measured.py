"""Which tests count for coverage: those of the packages that have a floor."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from tests.lanes import ROOT
from tests.measured import FOR_CHILDREN, IN_A_LIBRARY, MEASURED, is_measured, pause


@pytest.mark.parametrize(
    ("path", "lanes", "measured"),
    [
        ("tests/domain/test_jobs.py", set(), True),
        ("tests/facade/test_cli.py", {"slow"}, True),
        ("tests/facade/test_cli.py", {"slow", "torch"}, False),
        ("tests/facade/test_diagnosis.py", {"torch"}, True),
        ("tests/modal/test_cli.py", {"server"}, True),
        ("tests/modal/test_story.py", {"server"}, False),
        ("tests/local/test_ltx.py", {"torch"}, False),
        ("tests/storage/test_processes.py", {"slow"}, False),
        ("tests/media/test_mp4.py", set(), False),
    ],
)
def test_the_longest_path_that_fits_decides(path, lanes, measured):
    """A test in a lane that is left out there is not measured."""
    assert is_measured(ROOT / path, lanes) is measured


def test_each_test_that_is_left_out_exists():
    """One that is renamed would be measured again, and nobody would know why CI is slower."""
    for name, path in IN_A_LIBRARY.items():
        assert f"\ndef {name}(" in (ROOT / path).read_text("utf-8"), name


TRACED = """
import sys
def test_counts(): assert sys.gettrace() is not None
"""
UNTRACED = """
import sys, threading
def test_does_not():
    seen = [sys.gettrace(), threading.gettrace()]
    thread = threading.Thread(target=lambda: seen.append(sys.gettrace()))
    thread.start()
    thread.join()
    assert seen == [None] * 3
"""


@pytest.mark.parametrize("processes", ["0", "1"])
def test_only_what_counts_is_traced(tmp_path, processes):
    """In the process of pytest, and in one of xdist, whose measuring begins before its tests."""
    folders = {"domain": TRACED, "local": UNTRACED}
    (tmp_path / "tests").mkdir()
    for plugin in ("lanes.py", "measured.py"):
        shutil.copyfile(ROOT / "tests" / plugin, tmp_path / "tests" / plugin)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.lanes", "tests.measured"]\n')
    (tmp_path / "pyproject.toml").write_text(
        '[tool.coverage.run]\nbranch = true\npatch = ["subprocess"]\nsource_pkgs = ["tests"]\n'
    )
    for name, code in folders.items():
        (tmp_path / "tests" / name).mkdir()
        (tmp_path / "tests" / name / f"test_{name}.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-n", processes, "--import-mode=importlib"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--cov", "--cov-report=", "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("before", ["{}", None])
def test_a_process_that_is_started_in_between_is_not_measured(monkeypatch, before):
    """Afterwards all is as it was, whatever happened."""
    monkeypatch.delenv(FOR_CHILDREN, raising=False)
    if before:
        monkeypatch.setenv(FOR_CHILDREN, before)

    @pause()
    def start() -> None:
        assert FOR_CHILDREN not in os.environ
        raise ValueError("of the test")

    with pytest.raises(ValueError, match="of the test"):
        start()
    assert os.environ.get(FOR_CHILDREN) == before


def test_every_measured_path_exists():
    """A file that moves takes its place with it."""
    assert [path for path in MEASURED if not (ROOT / path).exists()] == []


def test_the_packages_with_a_floor_are_measured():
    """What ``.ci/run`` asks for is what is measured."""
    asked = re.search(r"for package in ([\w ]+);", (ROOT / ".ci" / "run").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["coverage"]["run"]["source_pkgs"]) == set(asked[1].split())
