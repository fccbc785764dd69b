"""Where the page listens, who may come in, and which files it gives."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiomagic.builders import INPUTS
from tiomagic.installing import missing
from tiomagic.ui.desk import UPLOADS
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.owner_only import make_private

if TYPE_CHECKING:
    from tiomagic.session import Session

PORT = 7860
"""Where the page is looked for first."""
PORTS = 100
"""How many ports from there are tried when none is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the page listens."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None for the first that is free from :data:`PORT` on; 0 for any."""
    auth: str | None = None
    """``user:password``; None lets in whoever can reach the port."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def login_of(door: Door) -> tuple[str, str] | None:
    """Return user and password; None when the page asks for none.

    Raises:
        ConfigurationError: when others could reach the page without a login, or the login has
            another form.
    """
    if door.auth is None:
        if is_loopback(door.host):
            return None
        raise ConfigurationError(
            f"{door.host} can be reached by other machines, and the page would let anybody in: "
            "set TIOMAGIC_UI_AUTH=user:password (or give --auth), or stay on 127.0.0.1",
            code="no_login",
        )
    user, colon, password = door.auth.partition(":")
    if not (user and colon and password):
        raise ConfigurationError(
            "the login must be user:password, neither of them empty", code="bad_login"
        )
    return user, password


def serve(session: Session, door: Door, *, open_browser: bool = False) -> tuple[Any, str]:
    """Start the page in threads of its own, and return the server and the page's address.

    Files are given from the folders of finished videos, of uploads and of kept inputs alone.
    Nothing is loaded from or told to anybody else.

    Args:
        session: Whose jobs are shown.
        door: Where it listens.
        open_browser: True to show the page.

    Raises:
        ConfigurationError: when it would stand open, or the port is taken.
        MissingDependencyError: when the extra is not installed.
    """
    login = login_of(door)
    settings = session.settings
    uploads = settings.state_dir / UPLOADS
    # Gradio reads these as it is imported, and takes them from nowhere else.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        from tiomagic.ui import look  # noqa: PLC0415  # Seconds, and only for who wants a page.
        from tiomagic.ui.page import build_page  # noqa: PLC0415  # The same.
    except ImportError as error:
        raise missing("ui", error) from error
    make_private(uploads)
    blocks = build_page(session)
    try:
        _, address, _ = blocks.launch(
            server_name=door.host,
            server_port=_port(door),
            auth=login,
            auth_message="Who are you?" if login else None,
            allowed_paths=[str(settings.output_dir), str(settings.state_dir / INPUTS)],
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            quiet=True,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            theme=look.theme(),
            css_paths=[look.STYLE],
            head=f"<script>{look.SCRIPT.read_text(encoding='utf-8')}</script>",
        )
    except OSError as error:
        raise ConfigurationError(
            f"the page cannot listen on {door.host}: {error}", code="no_port"
        ) from error
    return blocks, address


def _port(door: Door) -> int | None:
    """Return the port to ask for; None lets the first free one be taken."""
    if door.port != 0:
        return door.port
    import socket  # noqa: PLC0415  # Only for tests and scripts.

    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    with socket.socket(family) as free:
        free.bind((door.host, 0))
        port: int = free.getsockname()[1]
        return port
