"""A real server on loopback for each test, over a job store of its own and a fake provider."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from openai import OpenAI
from tests.server.hook_receiver import HookReceiver, run_receiver
from tests.storage.postgresql import REQUIRED, create_database, find_binaries
from tests.storage.postgresql import run_server as run_postgresql

from tiomagic import TioMagic
from tiomagic.ui.web.server import listen
from tiomagic_domain.testing import FakeProvider
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.application import create_app
from tiomagic_server.options import ServeOptions
from tiomagic_server.serving import configure

MODEL = "wan2.1-vace-14b"
"""A model with all four features."""


class AnnouncingServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def run_server(tm: TioMagic, **options: Any) -> Iterator[str]:
    """Serve some jobs in a thread; gives the address."""
    opened = listen("127.0.0.1", 0)
    server = AnnouncingServer(configure(create_app(tm, ServeOptions(**options))))
    thread = threading.Thread(target=lambda: server.run(sockets=[opened]), daemon=True)
    thread.start()
    assert server.is_up.wait(120)
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(120)
        opened.close()
        assert not thread.is_alive()


@dataclass
class FakeStudio:
    """A server, and the fakes behind it."""

    url: str
    tm: TioMagic
    provider: FakeProvider
    clients: ExitStack = field(default_factory=ExitStack)
    """Ends the connections of all clients."""

    @property
    def keys(self) -> ClientKeys:
        """The keys of its clients."""
        return ClientKeys(self.tm.session.settings.state_dir)

    def http(self, key: str | None = None, **more: Any) -> httpx.Client:
        """Return a plain client."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        made = httpx.Client(base_url=self.url, headers=headers, timeout=120, **more)
        return self.clients.enter_context(made)

    def openai(self, key: str = "none") -> OpenAI:
        """Return the client of OpenAI, which gives up at once."""
        made = OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=120)
        return self.clients.enter_context(made)


def make_tm(folder: Path, provider: FakeProvider, **settings: Any) -> TioMagic:
    """Return ``tm`` over a fake provider in a folder."""
    return TioMagic(
        working_dir=folder,
        provider="local",
        announce_jobs=False,
        overrides={"providers": {"local": provider}},
        **settings,
    )


@pytest.fixture
def hooks() -> Iterator[HookReceiver]:
    """A receiver of webhooks that listens on loopback."""
    with run_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL on loopback."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get(REQUIRED) == "required" or os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed, and this run must not go without it")
        pytest.skip("PostgreSQL is not installed: install the package postgresql to run this")
    with run_postgresql(binaries) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with create_database(postgresql_server) as url:
        yield url


@pytest.fixture
def make_studio(tmp_path: Path) -> Iterator[Callable[..., FakeStudio]]:
    """Make servers; those of one test share a job store and a provider."""
    provider = FakeProvider(tmp_path / "spool", name="local", default_model=MODEL)
    stack = ExitStack()

    def make(*, settings: dict[str, Any] | None = None, **options: Any) -> FakeStudio:
        tm = make_tm(tmp_path, provider, **(settings or {}))
        stack.callback(tm.close)
        running = run_server(tm, **options)
        studio = FakeStudio(stack.enter_context(running), tm, provider)
        stack.callback(studio.clients.close)
        return studio

    with stack:
        yield make


@pytest.fixture
def studio(make_studio: Callable[..., FakeStudio]) -> FakeStudio:
    """A server without keys."""
    return make_studio()
