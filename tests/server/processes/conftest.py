"""``tiomagic serve`` in several processes over PostgreSQL, once for all tests of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.server.processes.commands import Forks, ServeCommand
from tests.storage.postgresql import create_database


@pytest.fixture(scope="module")
def run_command(
    tmp_path_factory: pytest.TempPathFactory, postgresql_server: str
) -> Iterator[Callable[..., ServeCommand]]:
    """Start commands, each over a database of its own; they are ended with the file."""
    with ExitStack() as stack:

        def run(**options: Any) -> ServeCommand:
            url = stack.enter_context(create_database(postgresql_server))
            folder: Path = tmp_path_factory.mktemp("served")
            made = ServeCommand(folder, url, **options)
            stack.callback(made.kill)
            made.start()
            return made

        yield run


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Starts a command quickly."""
    made = Forks()
    yield made
    made.close()


@pytest.fixture(scope="module")
def command(run_command: Callable[..., ServeCommand]) -> ServeCommand:
    """A server of two processes, which a test may end."""
    return run_command(workers=2)


@pytest.fixture
def served(command: ServeCommand) -> ServeCommand:
    """The server, started again if a test has ended it."""
    assert command.process is not None
    if command.process.poll() is not None:
        command.start()
    return command
