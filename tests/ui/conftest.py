"""One page for all visits of a process of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ui.serving import PageProcess, serve_page

if TYPE_CHECKING:
    from tests.ui.visiting import Scenario

VisitPage = Callable[..., None]


@pytest.fixture(scope="session")
def page_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """A served page, over a job store that is empty at first and that the tests share."""
    with serve_page(tmp_path_factory.mktemp("studio")) as server:
        yield server


@pytest.fixture
def visit_page(page_process: PageProcess, tmp_path: Path) -> VisitPage:
    """Visit the page."""
    # Playwright is imported by the tests in a browser alone.
    from tests.ui.visiting import visit

    def run(scenario: Scenario, **how: Any) -> None:
        visit(page_process, scenario, tmp_path, **how)

    return run
