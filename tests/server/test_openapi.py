"""What the server says of itself is what it does: schemathesis reads it and sends requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

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
