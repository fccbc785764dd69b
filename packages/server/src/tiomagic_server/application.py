"""The ASGI application over a ``TioMagic``: its routes and what guards them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from tiomagic import TioMagic, __version__
from tiomagic_server.options import ServeOptions
from tiomagic_server.probes import build_probes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

OPTIONS_VARIABLE: Final = "TIOMAGIC_SERVE_PROCESS"
"""The variable by which the processes of a server get their options."""


def create_app(tm: TioMagic, options: ServeOptions) -> FastAPI:
    """Return the application.

    Args:
        tm: Whose jobs it serves.
        options: How.
    """
    del options
    app = FastAPI(title="tiomagic", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(build_probes(tm))
    return app


def create_from_environment() -> ASGIApp:
    """Return the application of one of several processes; ``serving`` has set its options."""
    options = ServeOptions.from_json(os.environ[OPTIONS_VARIABLE])
    return create_app(connect(options), options)


def connect(options: ServeOptions) -> TioMagic:
    """Return ``tm`` as the server uses it: with a provider, and silent."""
    tm = TioMagic(announce_jobs=False)
    if options.provider is not None:
        tm.configure(provider=options.provider)  # type: ignore[arg-type]  # It is checked there.
    elif tm.settings.provider is None:
        tm.configure(provider="local")  # As the other commands do.
    return tm
