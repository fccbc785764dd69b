"""Jobs over HTTP.

==========================  ==================================================================
``POST /jobs``              ``{"feature": …, "model": …, "arguments": {…}}`` → 201 and the job
``GET /jobs``               newest first; ``?status=``, ``?text=``, ``?limit=``, ``?after=``
``GET /jobs/<id>``          asks how the job is → the job
``GET /jobs/<id>/video``    the finished mp4
``DELETE /jobs/<id>``       asks for the job to stop → the job
==========================  ==================================================================

Errors are the domain's own, as JSON: 400 for what the caller can mend, 404 for what is not there,
409 for a video that is not finished, 500 for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from examples.embedded_service.card import MODELS, PROVIDER
from examples.embedded_service.parts import MachineClock, WordsOnly
from examples.embedded_service.provider import DrawingProvider

from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.errors import (
    ResourceNotFoundError,
    TioMagicError,
    UnknownModelError,
    ValidationError,
)
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.usecases.generation import Generation
from tiomagic_storage import FolderOutputStore, open_repository

MAX_BODY = 64 * 1024
"""Bytes of a request: a prompt and some numbers."""

Answer = tuple[HTTPStatus, dict[str, Any]]


class Service(ThreadingHTTPServer):
    """The service and everything that it stands on.

    Args:
        folder: Where jobs and videos are kept.
        port: Port on the loopback interface; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.drawing = DrawingProvider(folder / "spool")
        self.repository = open_repository(f"sqlite:///{folder.absolute() / 'jobs.db'}")
        self.generation = Generation(
            providers={PROVIDER: self.drawing},
            repository=self.repository,
            outputs=FolderOutputStore(folder / "videos"),
            media=WordsOnly(),
            clock=MachineClock(),
            catalogue=MODELS,
        )
        super().__init__(("127.0.0.1", port), Handler)

    def server_close(self) -> None:
        """Stop drawing and let go of the database."""
        super().server_close()
        self.drawing.close()
        self.repository.close()


class Handler(BaseHTTPRequestHandler):
    """Turns requests into use cases, and jobs into JSON."""

    server: Service

    def do_POST(self) -> None:
        """Make a job."""
        self._answer(self._submit)

    def do_GET(self) -> None:
        """Tell of one job or of many, or give a video."""
        match self._path:
            case ["jobs"]:
                self._answer(self._list)
            case ["jobs", job_id]:
                self._answer(lambda: told(self.server.generation.check(job_id)))
            case ["jobs", job_id, "video"]:
                self._video(job_id)
            case _:
                self._answer(self._nothing)

    def do_DELETE(self) -> None:
        """Ask for a job to stop."""
        match self._path:
            case ["jobs", job_id]:
                self._answer(lambda: told(self.server.generation.cancel(job_id)))
            case _:
                self._answer(self._nothing)

    @property
    def _path(self) -> list[str]:
        return urlsplit(self.path).path.strip("/").split("/")

    def _submit(self) -> Answer:
        if self._path != ["jobs"]:
            return self._nothing()
        asked = self._body()
        job = self.server.generation.submit(
            find_feature(str(asked.get("feature"))),
            provider=PROVIDER,
            model=asked.get("model"),
            arguments=asked.get("arguments") or {},
        )
        return HTTPStatus.CREATED, job.to_dict()

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            raise ValidationError(f"the request has {length} bytes, more than {MAX_BODY}")
        try:
            asked = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise ValidationError(f"the request is no JSON: {error}") from error
        if not isinstance(asked, dict) or not isinstance(asked.get("arguments", {}), dict):
            raise ValidationError("the request must be an object, and so must its arguments")
        return asked

    def _list(self) -> Answer:
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        try:
            status = frozenset({JobStatus(asked["status"])}) if "status" in asked else None
            limit = min(int(asked.get("limit", 50)), 500)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        query = JobQuery(
            status=status, text=asked.get("text"), after=asked.get("after"), limit=limit
        )
        jobs = self.server.generation.list(query)
        return HTTPStatus.OK, {"jobs": [job.to_dict() for job in jobs]}

    def _nothing(self) -> Answer:
        raise ResourceNotFoundError(f"there is nothing at {self.path}")

    def _video(self, job_id: str) -> None:
        try:
            job = self.server.generation.check(job_id)
        except TioMagicError as error:
            self._send(status_of(error), error.to_dict())
            return
        if job.result_video is None:
            self._send(HTTPStatus.CONFLICT, job.to_dict())
            return
        content = Path(job.result_video).read_bytes()
        self._send_bytes(HTTPStatus.OK, content, "video/mp4")

    def _answer(self, use_case: Callable[[], Answer]) -> None:
        try:
            status, content = use_case()
        except TioMagicError as error:
            status, content = status_of(error), error.to_dict()
        self._send(status, content)

    def _send(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(content).encode(), "application/json")

    def _send_bytes(self, status: HTTPStatus, content: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: what happened is in the jobs."""


def told(job: Job) -> Answer:
    """Return a job as an answer."""
    return HTTPStatus.OK, job.to_dict()


def status_of(error: TioMagicError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    match error:
        case ResourceNotFoundError():
            return HTTPStatus.NOT_FOUND
        case ValidationError() | UnknownModelError():
            return HTTPStatus.BAD_REQUEST
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR
