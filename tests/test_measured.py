"""Which tests count for coverage: those of the packages that have a floor."""

import os
import re
import tomllib

import pytest
from tests.lanes import ROOT
from tests.measured import FOR_CHILDREN, MEASURED, is_measured, pause


class Controller:
    """Says what is asked of it, and whether a process that is started now would be measured."""

    def __init__(self):
        self.heard = []

    def pause(self):
        self.heard.append(("pause", os.environ.get(FOR_CHILDREN)))

    def resume(self):
        self.heard.append(("resume", os.environ.get(FOR_CHILDREN)))


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


@pytest.mark.parametrize("before", ["{}", None])
def test_nothing_is_measured_in_between(monkeypatch, before):
    """Neither here nor in a process that is started; afterwards all is as it was."""
    monkeypatch.delenv(FOR_CHILDREN, raising=False)
    if before:
        monkeypatch.setenv(FOR_CHILDREN, before)
    controller = Controller()
    with pytest.raises(ValueError, match="of the test"), pause(controller):
        raise ValueError("of the test")
    assert controller.heard == [("pause", None), ("resume", None)]
    assert os.environ.get(FOR_CHILDREN) == before


def test_every_measured_path_exists():
    """A file that moves takes its place with it."""
    assert [path for path in MEASURED if not (ROOT / path).exists()] == []


def test_the_packages_with_a_floor_are_measured():
    """What ``.ci/run`` asks for is what is measured."""
    asked = re.search(r"for package in ([\w ]+);", (ROOT / ".ci" / "run").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["coverage"]["run"]["source_pkgs"]) == set(asked[1].split())
