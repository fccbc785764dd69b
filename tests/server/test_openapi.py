"""What the server says of itself is what it does: schemathesis reads it and sends requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hypothesis
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tiomagic_media.encode.mp4 import write_mp4

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio

EXAMPLES: Final = 5
"""Requests for each route: some hundred in all."""
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DESCRIBED: Final = frozenset(
    {"Video", "VideoError", "VideoPage", "DeletedVideo", "ErrorObject", "Usage"}
    | {"ServedModel", "OpenRouterJob", "OpenRouterError"}
)
"""Answers whose fields are described."""
FOREVER: Final = ("/v1/videos/sync", "/v1/videos/{video_id}/events")
"""Routes that last as long as a video takes; ``test_following`` has them."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_answer_is_described(studio: FakeStudio) -> None:
    """No request, legal or not, gets an answer of the server's fault, or one that is not listed."""
    schema = schemathesis.openapi.from_url(f"{studio.url}/openapi.json")
    sent: list[int] = []

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @hypothesis.seed(1)
    @hypothesis.given(data=hypothesis.strategies.data())
    def send(operation: Any, data: Any) -> None:
        case = data.draw(operation.as_strategy())
        answer = case.call(timeout=60)
        sent.append(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    routes = [found.ok() for found in schema.get_all_operations()]
    for operation in routes:
        if operation.path not in FOREVER:
            send(operation)
    assert len(routes) > 15
    assert len(sent) >= 2 * (len(routes) - len(FOREVER))
    assert {200, 404} <= set(sent)


def test_every_field_of_an_answer_is_described(studio: FakeStudio) -> None:
    """With its unit, and when it is null."""
    schemas = studio.http().get("/openapi.json").json()["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        if name in DESCRIBED
        for field, described in schema["properties"].items()
        if not described.get("description")
    ]
    assert bare == []
    assert set(schemas) >= DESCRIBED


def test_every_example_works(studio: FakeStudio) -> None:
    """Its body is sent as it is; an id in capitals stands for one of the caller's own."""
    http = studio.http()
    video = http.post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
    studio.provider.finish(video)
    assert http.get(f"/v1/videos/{video}").json()["status"] == "completed"
    # The fake's file is a text.
    place = studio.tm.get_job(video).record.result_video
    assert place is not None
    Path(place).unlink()
    write_mp4(Path(place), np.zeros((16, 64, 64, 3), np.uint8), fps=16, recipe={})
    sent = []
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        body = methods.get("post", {}).get("requestBody")
        if body is None or path in FOREVER:
            continue
        example = body["content"]["application/json"]["example"]
        text = json.dumps(example).replace("ID_OF_A_COMPLETED_VIDEO", video)
        answer = http.post(
            path.format(video_id=video), content=text, headers={"content-type": "application/json"}
        )
        assert answer.status_code in {200, 202}, (path, answer.text)
        sent.append(path)
    assert len(sent) == 4
