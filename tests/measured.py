"""Coverage is measured by the tests of the packages that have a floor, where no torch runs.

Tracing makes a tiny pipeline, and whatever else loads torch, three times as slow, and would show
nothing of packages whose coverage nobody asks for.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.lanes import LANES, ROOT

MEASURED: dict[str, set[str]] = {
    "tests/documentation": set(),
    "tests/domain": {"torch"},
    "tests/facade": {"torch"},
    "tests/facade/test_diagnosis.py": set(),
    "tests/modal/test_cli.py": {"torch"},
    "tests/storage": {"torch"},
    "tests/storage/test_processes.py": {"slow"},  # Many processes that do what others have shown.
    "tests/ui": {"torch"},
    "tests/weights": {"torch"},
}
"""Folders and files that are measured, and the lanes whose tests are not; the longest path that
fits counts."""
IN_A_LIBRARY = {
    "test_json_schema_is_the_same_law": "tests/domain/test_schema.py",
    "test_json_schema_is_the_same_law_beside_each_legal_value": "tests/domain/test_schema.py",
    "test_json_schema_is_the_same_law_for_the_least_call": "tests/domain/test_schema.py",
}
"""Tests of measured files that are not: nearly all of their work is a library's, and tracing makes
it three times as slow. What they reach of ours, their neighbours reach."""
FOR_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable a process that is started knows that it is measured."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave out all other tests: their fixtures, themselves, and the processes that they start."""
    lanes = {lane for lane in LANES if item.get_closest_marker(lane) is not None}
    name = getattr(item, "originalname", None)
    if name not in IN_A_LIBRARY and is_measured(item.path, lanes):
        return (yield)
    with pause():
        return (yield)


def is_measured(path: Path, lanes: set[str]) -> bool:
    """Return whether a test counts for coverage.

    Args:
        path: Of its file.
        lanes: That it is in.
    """
    left_out = find_left_out(path)
    return left_out is not None and not left_out & lanes


@functools.cache
def find_left_out(path: Path) -> set[str] | None:
    """Return the lanes that are left out of a file; None if all of it is."""
    places = (place for place in (path, *path.parents) if place.is_relative_to(ROOT))
    known = (MEASURED.get(place.relative_to(ROOT).as_posix()) for place in places)
    return next((lanes for lanes in known if lanes is not None), None)


@contextmanager
def pause() -> Iterator[None]:
    """Measure nothing within the block.

    In a process of xdist coverage is started three times: by ``patch = subprocess``, when the
    plugin of pytest-cov loads, and when its session begins. As one ends the one below it goes on,
    so that all of them have to end. In a run without coverage there is none.
    """
    for_children = os.environ.pop(FOR_CHILDREN, None)
    coverage = sys.modules.get("coverage")
    stopped = []
    while coverage is not None and (top := coverage.Coverage.current()) is not None:
        top.stop()
        stopped.append(top)
    try:
        yield
    finally:
        for one in reversed(stopped):
            one.start()
        if for_children is not None:
            os.environ[FOR_CHILDREN] = for_children
