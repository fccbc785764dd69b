"""The lanes of the test suite: which tests need torch, a browser or a server, and which are slow.

Folders and fixtures decide, so that a new test is in the right lane without a mark of its own. A
file is not even imported if ``-m`` can choose none of its tests, so that the fast lane does not
import torch to find out that it has nothing to do there. In the fast lane a test that loads torch,
gradio or Playwright into the process all the same fails. With xdist the slow tests come first.

A run without torch keeps its temporary folders in memory: it writes little, and syncs it often.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FAST = "not (torch or browser or server or slow)"
"""The expression of the fast lane, as CONTRIBUTING has it."""
LANES = ("torch", "browser", "server", "slow")

LANES_OF_PATHS: dict[str, set[str]] = {
    "tests/catalogue": {"torch"},
    "tests/documentation": {"torch"},
    "tests/e2e": {"torch", "slow"},
    "tests/examples": {"torch", "slow"},
    "tests/facade/test_cli.py": {"slow"},
    "tests/facade/test_detached.py": {"slow"},
    "tests/facade/test_diagnosis.py": {"torch"},
    "tests/facade/test_plugins.py": {"slow"},
    "tests/facade/test_provider_package.py": {"torch", "slow"},
    "tests/facade/test_streams.py": {"slow"},
    "tests/facade/test_warm.py": {"slow"},
    "tests/faults": {"server", "slow"},
    "tests/local": {"torch"},
    "tests/local/test_preflight.py": set(),
    "tests/local/test_processes.py": set(),
    "tests/local/test_spool.py": set(),
    "tests/media/test_skeleton_conventions.py": {"slow"},
    "tests/media_files": {"slow"},
    "tests/modal/test_batches.py": {"server"},
    "tests/modal/test_cli.py": {"server"},
    "tests/modal/test_contract.py": {"server"},
    "tests/modal/test_engines.py": {"torch", "server", "slow"},
    "tests/modal/test_provider.py": {"server"},
    "tests/modal/test_servicer.py": {"server"},
    "tests/modal/test_story.py": {"server"},
    "tests/ray": {"torch", "server", "slow"},
    "tests/ray/test_light.py": set(),
    "tests/server": {"server"},
    "tests/server/processes": {"server", "slow"},
    "tests/server/test_doodle.py": {"torch", "server", "slow"},
    "tests/server/test_page.py": {"server", "slow"},
    "tests/storage/test_machine.py": {"slow"},
    "tests/storage/test_processes.py": {"slow"},
    "tests/typing": {"slow"},
    "tests/ui/test_attacks.py": {"server"},
    "tests/ui/test_form.py": {"server"},
    "tests/ui/test_markup.py": {"server"},
    "tests/ui/test_page.py": {"browser", "server", "slow"},
    "tests/ui/test_page_continuing.py": {"browser", "server", "slow"},
    "tests/ui/test_page_spending.py": {"browser", "server", "slow"},
    "tests/ui/test_serve.py": {"server"},
}
"""Lanes of all tests of a folder or a file; the longest path that fits counts."""

LANES_OF_FIXTURES: dict[str, set[str]] = {
    "doodle": {"torch"},
    "page_process": {"server"},
    "postgresql_server": {"server"},
    "postgresql_url": {"server"},
    "shared_runtime": {"torch"},
    "visit_page": {"browser", "server"},
    "visit_served": {"browser", "server"},
    "weights_dir": {"torch"},
    "workspace": {"server"},
}
"""Lanes of every test that asks for a fixture, itself or as a parameter."""

HEAVY = frozenset({"torch", "diffusers", "transformers", "gradio", "playwright"})
"""Modules that the fast lane must not load."""
IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 2**30
"""Free space below which the tests leave the memory alone; they use a tenth of it."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose where the temporary folders are, before the first one is made.

    The first job in a folder is synced to the disk seventeen times. A test that makes one waits for
    that most of its time, and without a power cut nothing comes of it.
    """
    if takes_torch(config) or not os.access(IN_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


def takes_torch(config: pytest.Config) -> bool:
    """Return whether a run takes tests of the lane of torch."""
    return is_chosen(config.getoption("markexpr") or "True", {"torch"})


@functools.cache
def find_lanes(path: Path) -> set[str]:
    """Return the lanes that all tests of a file or a folder have, but for those named below it."""
    for place in (path, *path.parents):
        if place.is_relative_to(ROOT):
            lanes = LANES_OF_PATHS.get(place.relative_to(ROOT).as_posix())
            if lanes is not None:
                return lanes
    return set()


def is_chosen(expression: str, marks: set[str]) -> bool:
    """Return what the expression of ``-m`` says of a test with these marks."""
    names = {name: name in marks for name in (*LANES, *marks)}
    try:
        return bool(eval(expression, {"__builtins__": {}}, names))
    except Exception:
        # A mark of another sort, or no expression at all: pytest itself chooses, and complains.
        return True


def may_be_chosen(expression: str, lanes: set[str]) -> bool:
    """Return whether a test with these lanes, and perhaps with others, can be among the chosen."""
    others = [lane for lane in LANES if lane not in lanes]
    return any(
        is_chosen(expression, lanes | set(more))
        for count in range(len(others) + 1)
        for more in itertools.combinations(others, count)
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a file of which no test can be chosen, and a folder with nothing else in it."""
    expression = config.getoption("markexpr")
    if not expression or not (collection_path.suffix == ".py" or is_of_one_kind(collection_path)):
        return None
    return None if may_be_chosen(expression, find_lanes(collection_path)) else True


def is_of_one_kind(path: Path) -> bool:
    """Return whether a path is a folder whose files have no lanes of their own."""
    inside = (ROOT / other for other in LANES_OF_PATHS)
    return path.is_dir() and not any(path in other.parents for other in inside)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its lanes."""
    for item in items:
        for lane in find_lanes(item.path).union(*lanes_of_fixtures(item)):
            item.add_marker(lane)


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_begin_with_slow_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With xdist, begin with the slow tests; within both parts the order stays as it is.

    The first process gets them all, so that they share one browser, one page and one set of
    weights. They wait for other processes most of their time, while its neighbours compute. When
    these have nothing left they take some over, and none of the slow ones begins last.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def lanes_of_fixtures(item: pytest.Item) -> Iterator[set[str]]:
    """Yield the lanes of what a test asks for."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for name in (*getattr(item, "fixturenames", ()), *parameters.values()):
        if isinstance(name, str):
            yield LANES_OF_FIXTURES.get(name, set())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail the test of the fast lane by whose end something heavy is loaded."""
    yield
    if not takes_torch(item.config):
        loaded = (HEAVY & sys.modules.keys()) - item.config.stash.setdefault(LOADED, set())
        item.config.stash[LOADED] |= loaded
        if loaded:
            pytest.fail(f"loads {', '.join(sorted(loaded))}: tests.lanes has to know of it")


LOADED = pytest.StashKey[set[str]]()
"""What earlier tests have been blamed for."""
