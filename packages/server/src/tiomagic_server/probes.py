"""Health and readiness, for whatever watches the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from tiomagic import __version__
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_server.metrics import CONTENT_TYPE, ServerMetrics
from tiomagic_server.routes.answers import ERRORS, KEY

if TYPE_CHECKING:
    from tiomagic import TioMagic


def build_probes(tm: TioMagic, metrics: ServerMetrics) -> APIRouter:
    """Return the routes ``/healthz`` and ``/readyz``, which need no key, and ``/metrics``.

    Args:
        tm: Whose job store must answer before the server is ready.
        metrics: What is counted.
    """
    router = APIRouter(tags=["probes"])

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @router.get(
        "/readyz",
        summary="The job store answers, and there is a provider",
        response_model=dict[str, str],
        responses={503: {"description": "Not yet, or not any more"}},
    )
    async def readyz() -> JSONResponse:
        try:
            await run_in_threadpool(_ask_store, tm)
        except TioMagicError as error:
            # The message may name hosts and folders, and nobody has shown a key here.
            return JSONResponse({"status": "unavailable", "code": error.code}, 503)
        return JSONResponse({"status": "ok"})

    @router.get(
        "/metrics",
        summary="Counters for Prometheus",
        response_class=PlainTextResponse,
        responses={status: ERRORS[status] for status in (401, 403)},
        dependencies=[KEY],
    )
    async def read_metrics() -> Response:
        return Response(await run_in_threadpool(metrics.read), media_type=CONTENT_TYPE)

    return router


def _ask_store(tm: TioMagic) -> None:
    session = tm.session
    session.configured_provider()
    session.container.repository().list(JobQuery(limit=1))
