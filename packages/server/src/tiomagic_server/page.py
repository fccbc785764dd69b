"""The page of ``tiomagic ui`` in the same process: ``tiomagic serve --ui``.

It shows the jobs of all, and makes jobs beside the limits of keys, so it is for the owner of the
server: the login takes only keys that were made for it. The page has a closed list of paths; all
others are the API's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiomagic.ui.serve import MountedPage, mount_page
from tiomagic.ui.web.login import LoginDeniedError
from tiomagic.ui.web.origins import AllowedHosts, is_loopback
from tiomagic_server.access.keys import ClientKeys

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tiomagic import TioMagic
    from tiomagic_server.options import ServeOptions


class KeyCredentials:
    """Lets in who has a key for the page. A removed key ends its logins at once.

    Args:
        state_dir: Where the keys are.
        host: The address that the server listens on: beyond loopback a key is always needed.
    """

    asks_for_key = True

    def __init__(self, state_dir: Path, host: str) -> None:
        self._keys = ClientKeys(state_dir)
        self._is_local = is_loopback(host)

    def is_needed(self) -> bool:
        """Return whether there is a key, or others could reach the page."""
        return not self._is_local or bool(self._keys.list())

    def identify(self, user: str, password: str) -> str | None:
        """Return the digest of a key for the page; None for what is no key."""
        del user  # A key is enough.
        found = self._keys.find(password.strip())
        if found is None:
            return None
        if not found.page:
            raise LoginDeniedError(
                "This key is for the API only. The page shows the jobs of all, so the owner of the "
                "server makes a key of its own for it"
            )
        return found.digest

    def is_valid(self, who: str) -> bool:
        """Return whether the key is still there."""
        return any(one.digest == who and one.page for one in self._keys.list())


class PageBesideApi:
    """Gives the page its paths, and the API all others. An ASGI application.

    Args:
        api: Answers all other requests, and has the lifespan.
        page: Has its own checks of host, website and login.
    """

    def __init__(self, api: ASGIApp, page: MountedPage) -> None:
        self._api = api
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_page = scope["type"] == "http" and self._page.gate.has(scope["path"])
        await (self._page.gate if is_page else self._api)(scope, receive, send)


def open_page(tm: TioMagic, options: ServeOptions) -> MountedPage:
    """Return the page of a server.

    Args:
        tm: Whose jobs it shows.
        options: Of the server; its port names the cookie.

    Raises:
        MissingDependencyError: when the extra ``ui`` is not installed.
    """
    return mount_page(
        tm.session,
        names=AllowedHosts.of(options.host, options.allowed_hosts),
        credentials=KeyCredentials(tm.session.settings.state_dir, options.host),
        port=options.port,
    )
