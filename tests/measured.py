"""Coverage is measured where no torch and no browser runs.

The floors are those of packages that know no torch, and their own tests reach them.
Python's tracing makes a tiny pipeline, and whatever else loads torch, three times as slow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.lanes import ROOT

UNMEASURED = ("torch", "browser")
"""The lanes whose tests are left out: see ``tests.lanes``."""
ALL_THE_SAME = ("tests/documentation", "tests/facade/test_diagnosis.py")
"""Folders and files of these lanes that are measured: they are the tests of commands."""
FOR_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable a process that is started knows that it is measured."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave out a test of the lane: its fixtures, itself, and the processes that it starts."""
    plugin = item.config.pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None or is_measured(item):
        return (yield)
    with pause(controller):
        return (yield)


def is_measured(item: pytest.Item) -> bool:
    """Return whether a test counts for coverage."""
    if any(item.path.is_relative_to(ROOT / path) for path in ALL_THE_SAME):
        return True
    return not any(item.get_closest_marker(lane) for lane in UNMEASURED)


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
