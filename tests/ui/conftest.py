"""One page for all visits of a process of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ui.serving import Server, serving
from tests.ui.visiting import Scenario, visit

Visit = Callable[..., None]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A served page, over a job store that is empty at first and that the tests share."""
    with serving(tmp_path_factory.mktemp("studio")) as server:
        yield server


@pytest.fixture
def visits(studio: Server, tmp_path: Path) -> Visit:
    """Visit the page."""

    def run(scenario: Scenario, **how: Any) -> None:
        visit(studio, scenario, tmp_path, **how)

    return run
