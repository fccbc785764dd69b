"""Starts the page: address and port, login, allowed hosts and files."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiomagic.ui.controller import UPLOADS_FOLDER, served_files_of
from tiomagic.ui.web.origins import is_loopback
from tiomagic.wiring.extras import part_missing_error
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError

if TYPE_CHECKING:
    from tiomagic.ui.web.login import Credentials
    from tiomagic.ui.web.middleware import SecurityMiddleware
    from tiomagic.ui.web.origins import AllowedHosts
    from tiomagic.ui.web.server import Server
    from tiomagic.wiring.session import Session

MAX_PAGE_SESSIONS = 200
"""Most open pages with their forms; the least recently used one is dropped."""
MAX_QUEUED_CALLS = 200
"""Most calls in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """Where the page listens, and its login."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None for the first free one from 7860 on; 0 for any."""
    auth: str | None = None
    """``user:password``; None for no login: everyone who can reach the port has access."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names that it answers to, such as a proxy's."""


def parse_login(door: ListenOptions) -> tuple[str, str] | None:
    """Return user and password; None when no login is needed.

    Raises:
        ConfigurationError: when other machines could reach the page without a login, or the login
            has another form.
    """
    if door.auth is None:
        if is_loopback(door.host):
            return None
        raise ConfigurationError(
            f"{door.host} can be reached by other machines, and the page would let anybody in: "
            "set TIOMAGIC_UI_AUTH=user:password (or give --auth), or stay on 127.0.0.1",
            code=ErrorCode.NO_LOGIN,
        )
    user, colon, password = door.auth.partition(":")
    if not (user and colon and password):
        raise ConfigurationError(
            "the login must be user:password, neither of them empty", code=ErrorCode.BAD_LOGIN
        )
    return user, password


class MountedPage:
    """A page that a server can run.

    Args:
        blocks: Its parts.
        application: Gradio's application over them.
        gate: The ASGI application that filters requests to it.
    """

    def __init__(self, blocks: Any, application: Any, gate: SecurityMiddleware) -> None:
        self._blocks = blocks
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None
        self.gate = gate

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Run it within the lifespan of another application."""
        self._loop = asyncio.get_running_loop()
        async with self._application.router.lifespan_context(self._application):
            self.begin()
            yield

    def begin(self) -> None:
        """Have its streams go on."""
        self._blocks.is_running = True

    def end(self) -> None:
        """End its streams, so that a server can stop. May be called twice."""
        self._blocks._queue.close()  # noqa: SLF001 - as the framework's own end does
        self._blocks.is_running = False  # Its streams check this flag, and end.
        if self._loop is not None:
            # The stream by which a tab shows that it is open waits 15 s before it checks anything.
            mounted = self._application.routes[-1].app
            self._loop.call_soon_threadsafe(mounted.stop_event.set)


class ServedPage:
    """A running page.

    Args:
        page: What is served.
        server: What serves it.
    """

    def __init__(self, page: MountedPage, server: Server) -> None:
        self._page = page
        self._server = server

    def close(self) -> None:
        """End it."""
        self._page.end()
        self._server.close()


def serve(
    session: Session, door: ListenOptions, *, open_browser: bool = False
) -> tuple[ServedPage, str]:
    """Start the page in threads of its own, and return it.

    It makes no request, neither to other machines nor to itself.

    Args:
        session: With the jobs to show.
        door: Where it listens.
        open_browser: True to show the page.

    Raises:
        ConfigurationError: when it would be open to others without a login, or the port is taken.
        MissingDependencyError: when the extra is not installed.
    """
    login = parse_login(door)
    try:
        from tiomagic.ui.web.login import PasswordCredentials  # noqa: PLC0415  # Of the extra.
        from tiomagic.ui.web.origins import AllowedHosts  # noqa: PLC0415  # The same.
        from tiomagic.ui.web.server import Server, listen  # noqa: PLC0415  # The same.
    except ImportError as error:
        raise part_missing_error("ui", error) from error
    # Before the page is built, because its cookie is named after the port.
    opened = listen(door.host, door.port)
    try:
        page = mount_page(
            session,
            names=AllowedHosts.of(door.host, door.allowed_hosts),
            credentials=PasswordCredentials(*login) if login else None,
            port=opened.getsockname()[1],
        )
    except BaseException:
        opened.close()
        raise
    server = Server(page.gate, opened)
    server.start()
    page.begin()
    address = _address(door.host, server.port)
    if open_browser:
        import webbrowser  # noqa: PLC0415  # Only for who has one.

        webbrowser.open(address)
    return ServedPage(page, server), address


def mount_page(
    session: Session, *, names: AllowedHosts, credentials: Credentials | None, port: int
) -> MountedPage:
    """Return the page for a server.

    Args:
        session: With the jobs to show.
        names: The host names that it answers to.
        credentials: Who may enter; None for everyone who can reach it.
        port: Where the server listens.

    Raises:
        MissingDependencyError: when the extra is not installed.
    """
    # Gradio reads these variables at its import only. Nothing is stored there.
    os.environ["GRADIO_TEMP_DIR"] = str(session.settings.state_dir / "page")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        from tiomagic.ui.page import build_page  # noqa: PLC0415  # Seconds, for who wants a page.
        from tiomagic.ui.web.login import Login  # noqa: PLC0415  # The same.
        from tiomagic.ui.web.middleware import SecurityMiddleware  # noqa: PLC0415  # The same.
        from tiomagic.ui.web.uploads import Uploads  # noqa: PLC0415  # The same.
    except ImportError as error:
        raise part_missing_error("ui", error) from error
    uploads = Uploads(session.settings.state_dir / UPLOADS_FOLDER)
    uploads.clear()
    files = served_files_of(session, uploads)
    can_log_out = credentials is not None and credentials.is_needed()
    blocks = build_page(session, files, can_log_out=can_log_out)
    application = _mount_gradio(blocks)
    gate = SecurityMiddleware(
        application,
        names=names,
        login=Login(credentials, clock=time.monotonic) if credentials else None,
        uploads=uploads,
        files=files,
        # All ports of a host share cookies: the name must differ from another page's.
        cookie=f"tiomagic-{port}",
    )
    return MountedPage(blocks, application, gate)


def _mount_gradio(blocks: Any) -> Any:
    """Return Gradio's application over the page, with its own API and file routes disabled."""
    import gradio as gr  # noqa: PLC0415  # Of the extra.
    from fastapi import FastAPI  # noqa: PLC0415  # The same.

    from tiomagic.ui import theme  # noqa: PLC0415  # The same.
    from tiomagic.ui.web.uploads import MAX_FILE_BYTES  # noqa: PLC0415  # The same.

    blocks.state_session_capacity = MAX_PAGE_SESSIONS
    blocks.queue(max_size=MAX_QUEUED_CALLS, api_open=False)
    return gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        root_path="",
        allowed_paths=[],
        show_error=False,
        max_file_size=MAX_FILE_BYTES,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        theme=theme.theme(),
        css_paths=[theme.STYLE],
        head=f"<script>{theme.SCRIPT.read_text(encoding='utf-8')}</script>",
    )


def _address(host: str, port: int) -> str:
    # A browser cannot open a wildcard address.
    name = "localhost" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - looked for, not used
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
