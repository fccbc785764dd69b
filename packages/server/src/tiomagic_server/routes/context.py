"""What every route needs: ``tm``, the desk, the caller, and threads to block in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request

from tiomagic_server.jobs.callers import Caller
from tiomagic_server.jobs.desk import JobDesk
from tiomagic_server.options import ServeOptions
from tiomagic_server.webhooks.registering import WebhookRegistry

if TYPE_CHECKING:
    from tiomagic import TioMagic

T = TypeVar("T")

READERS: Final = 32
"""Requests that read the job store or ask a provider at once, in one process."""
SUBMITTERS: Final = 8
"""Requests that fetch inputs and store jobs at once; each may wait for a download."""
DRAWERS: Final = 2
"""Thumbnails and sheets that are drawn at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """What every route needs."""

    tm: TioMagic
    options: ServeOptions
    desk: JobDesk
    webhooks: WebhookRegistry
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READERS))
    submitters: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SUBMITTERS))
    drawers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(DRAWERS))

    async def read(self, function: Callable[[], T]) -> T:
        """Run what reads the store or asks a provider, in a thread."""
        return await anyio.to_thread.run_sync(function, limiter=self.readers)

    async def submit(self, function: Callable[[], T]) -> T:
        """Run what fetches inputs and stores a job, in a thread."""
        return await anyio.to_thread.run_sync(function, limiter=self.submitters)

    async def draw(self, function: Callable[[], T]) -> T:
        """Run what draws a picture, in a thread."""
        return await anyio.to_thread.run_sync(function, limiter=self.drawers)


def caller_of(request: Request) -> Caller:
    """Return who sends a request, as the guard has found out."""
    found = request.scope.get("tiomagic.caller")
    return found if isinstance(found, Caller) else Caller()
