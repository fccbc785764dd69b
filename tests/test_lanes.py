"""The lanes of the tests: what the fast one leaves out, and what it does not even import."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import lanes as plugin
from tests.lanes import (
    FAST,
    HEAVY,
    LANES_OF_PATHS,
    ROOT,
    find_lanes,
    is_chosen,
    is_of_one_kind,
    may_be_chosen,
)


@pytest.mark.parametrize(
    ("path", "lanes"),
    [
        ("tests/domain/test_jobs.py", set()),
        ("tests/local/test_ltx.py", {"torch"}),
        ("tests/local/test_spool.py", set()),
        ("tests/ui/test_page.py", {"browser", "server", "slow"}),
        ("examples/swapped_adapters/test_swapped_adapters.py", set()),
    ],
)
def test_the_longest_path_that_fits_decides(path, lanes):
    """A folder's lanes are those of its files, but of a file that has lanes of its own."""
    assert find_lanes(ROOT / path) == lanes


@pytest.mark.parametrize(
    ("expression", "lanes", "left_out"),
    [
        (FAST, {"torch"}, True),
        (FAST, set(), False),
        ("slow", set(), False),  # Some test of the file may have a mark of its own.
        ("torch and not server", {"server"}, True),
        ("torch or server", set(), False),
        ("not a_mark_of_another_sort", {"torch"}, False),
    ],
)
def test_a_file_is_left_out_if_none_of_its_tests_can_be_chosen(expression, lanes, left_out):
    """Only then: a test that might be chosen is collected, and pytest decides."""
    assert may_be_chosen(expression, lanes) is not left_out


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("tests/catalogue", True),
        ("tests/local", False),  # Some of its files have lanes of their own.
        ("tests", False),
        ("tests/catalogue/test_tm.py", False),
    ],
)
def test_a_folder_with_one_lane_is_left_out_whole(path, whole):
    """Not even its fixtures are imported."""
    assert is_of_one_kind(ROOT / path) is whole


def test_contributing_has_the_expression_of_the_fast_lane():
    """What is guarded here is what a contributor types."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert f'uv run pytest -m "{FAST}"' in text or f'uv run pytest -n 2 -m "{FAST}"' in text


def test_no_file_of_the_fast_lane_imports_what_is_heavy():
    """A file that imports torch, gradio or Playwright as it is collected has its lane."""
    for path in [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "examples").rglob("test_*.py")]:
        if is_chosen(FAST, find_lanes(path)):
            tree = ast.parse(path.read_text("utf-8"))
            assert not set(imports_of(tree)) & HEAVY, path


def imports_of(tree):
    """Yield the roots of what a module imports when it is itself imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize(
    ("expression", "room", "in_memory"),
    [(FAST, 1, True), (FAST, 2**70, False), ("", 1, False), ("torch", 1, False)],
)
def test_a_run_without_torch_has_its_folders_in_memory(
    monkeypatch, tmp_path, expression, room, in_memory
):
    """Where there is room; what somebody has chosen stays."""
    config = SimpleNamespace(getoption={"markexpr": expression}.get)
    monkeypatch.setattr(plugin, "IN_MEMORY", tmp_path)
    monkeypatch.setattr(plugin, "ROOM_BYTES", room)
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "restored afterwards")
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT")
    plugin.pytest_configure(config)
    assert os.environ.get("PYTEST_DEBUG_TEMPROOT") == (str(tmp_path) if in_memory else None)
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "/elsewhere")
    plugin.pytest_configure(config)
    assert os.environ["PYTEST_DEBUG_TEMPROOT"] == "/elsewhere"


@pytest.mark.parametrize(
    ("options", "order"), [(["-p", "xdist", "-n1"], "bdac"), ([], "abcd")], ids=["xdist", "alone"]
)
def test_processes_side_by_side_begin_with_the_slow_tests(tmp_path, options, order):
    """The slow ones among themselves, and the others, stay in the order that they have."""
    slow = "@pytest.mark.slow\n"
    (tmp_path / "test_it.py").write_text(
        "import pathlib, pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def note(request):\n"
        "    with pathlib.Path('order').open('a') as file: file.write(request.node.name[-1])\n"
        + "".join(f"{slow * (name in 'bd')}def test_{name}(): pass\n" for name in "abcd")
    )
    assert run_pytest(tmp_path, *options) == {"passed": 4}
    assert (tmp_path / "order").read_text() == order


def test_every_path_with_lanes_exists():
    """A file that moves takes its lanes with it."""
    assert [path for path in LANES_OF_PATHS if not (ROOT / path).exists()] == []


def test_a_test_that_loads_torch_fails_in_the_fast_lane_alone(tmp_path):
    """It is named with what it loads; in a run of everything it may."""
    (tmp_path / "torch.py").touch()
    (tmp_path / "test_it.py").write_text(
        "import importlib\n"
        "def test_loads(): importlib.import_module('torch')\n"
        "def test_after(): pass\n"
    )
    assert run_pytest(tmp_path, "-m", FAST) == {"failed": 1, "passed": 1}
    assert run_pytest(tmp_path) == {"passed": 2}


def run_pytest(folder: Path, *options: str) -> dict[str, int]:
    """Run the tests of a folder under the plugin; return how many of them ended how."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.lanes", "-p", "no:randomly"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-o", "pythonpath=.", *options, "."],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    ends = re.findall(r"(\d+) (passed|failed|error)", done.stdout.splitlines()[-1])
    return {name: int(count) for count, name in ends}
