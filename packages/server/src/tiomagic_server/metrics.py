"""Metrics of a server, as Prometheus reads them.

Requests are counted by each process for itself; jobs are counted in the store, the same by all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiomagic_domain.jobs.job import JobQuery, JobStatus

if TYPE_CHECKING:
    from tiomagic import TioMagic

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
UNKNOWN_ROUTE: Final = "none"
"""The route of a request that no route takes: its path is anybody's text."""


class _JobCounts(Collector):
    """Counts the jobs that are not over, when somebody asks."""

    def __init__(self, tm: TioMagic) -> None:
        self._tm = tm

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the numbers."""
        family = GaugeMetricFamily("tiomagic_jobs", "Jobs that are not over", labels=["status"])
        repository = self._tm.session.container.repository()
        for status in JobStatus:
            if not status.is_terminal:
                count = repository.count(JobQuery(status=frozenset({status})))
                family.add_metric([status.value], count)
        yield family


class ServerMetrics:
    """The metrics of one process.

    Args:
        tm: Whose jobs are counted.
    """

    def __init__(self, tm: TioMagic) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_JobCounts(tm))
        self._requests = Counter(
            "tiomagic_requests",
            "Requests that were answered by this process",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tiomagic_request_seconds",
            "Seconds until the answer began",
            ["route"],
            registry=self._registry,
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def read(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class CountedRequests:
    """Counts the requests of an application. An ASGI middleware.

    Args:
        app: The application.
        metrics: Counts.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
                method = scope["method"] if route != UNKNOWN_ROUTE else UNKNOWN_ROUTE
                seconds = time.monotonic() - begun
                self._metrics.note(method, route, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, send_counted)
