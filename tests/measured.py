"""Coverage is measured by the tests of the packages that have a floor, where no torch runs.

Tracing makes a tiny pipeline, and whatever else loads torch, three times as slow, and would show
nothing of packages whose coverage nobody asks for.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.lanes import ROOT

MEASURED: dict[str, bool] = {
    "tests/documentation": True,
    "tests/domain": False,
    "tests/facade": False,
    "tests/facade/test_diagnosis.py": True,
    "tests/modal/test_cli.py": False,
    "tests/storage": False,
    "tests/ui": False,
    "tests/weights": False,
}
"""Folders and files that are measured; True if they are where torch is loaded too."""
FOR_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable a process that is started knows that it is measured."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave out all other tests: their fixtures, themselves, and the processes that they start."""
    plugin = item.config.pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None or is_measured(item.path, torch="torch" in item.keywords):
        return (yield)
    with pause(controller):
        return (yield)


@functools.cache
def is_measured(path: Path, *, torch: bool) -> bool:
    """Return whether a test counts for coverage.

    Args:
        path: Of its file.
        torch: True if it is in the lane of that name.
    """
    for place in (path, *path.parents):
        if place.is_relative_to(ROOT):
            measured = MEASURED.get(place.relative_to(ROOT).as_posix())
            if measured is not None:
                return measured or not torch
    return False


@contextmanager
def pause(controller: Any) -> Iterator[None]:
    """Measure nothing within the block.

    Args:
        controller: What pytest-cov holds the measuring by.
    """
    for_children = os.environ.pop(FOR_CHILDREN, None)
    controller.pause()
    try:
        yield
    finally:
        controller.resume()
        if for_children is not None:
            os.environ[FOR_CHILDREN] = for_children
