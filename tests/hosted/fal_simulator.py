"""fal on loopback, as its real client speaks to it: queue, results, uploads, files.

The shapes are those that ``fal_client`` 1.0.3 reads; those of prices and schemas are in the pages
fal.ai/docs/platform-apis/v1/models.md and v1/models/pricing.md.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Run, Simulator, VendorHandler

from tiomagic_hosted.catalogue.fal import CATALOGUE
from tiomagic_hosted.services import fal as service

if TYPE_CHECKING:
    import pytest


class FalSimulator(Simulator):
    """A fal of its own."""

    prices: Any = None
    """Its answer about prices; None for a fal that has none."""
    models: Any = None
    """Its answer about endpoints and their schemas; None for a fal that has none."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it: its addresses are constants."""
        from fal_client import client

        monkeypatch.setattr(client, "QUEUE_URL_FORMAT", f"{self.address}/queue/")
        monkeypatch.setattr(client, "REST_URL", f"{self.address}/rest")
        monkeypatch.setattr(client, "CDN_URL", f"{self.address}/cdn")
        monkeypatch.setattr(service, "PLATFORM_URL", f"{self.address}/platform")


class Handler(VendorHandler):
    """Answers as fal."""

    def route(self, path: str, body: bytes) -> None:
        area, _, rest = path.partition("/")
        is_known = self.headers["authorization"] == f"Key {self.vendor.key}"
        if area in {"queue", "platform"} and not is_known:
            self.say(401, {"detail": "Invalid key"})
        elif area == "platform":
            self._say_listed(rest)
        elif area == "queue" and self.command == "POST":
            self._create(rest, json.loads(body))
        elif area == "queue":
            self._ask(rest)
        elif area == "rest":
            base = f"{self.vendor.address}/cdn"
            token = {"token": "t", "token_type": "Bearer", "base_url": base}
            self.say(200, {**token, "expires_at": "2099-01-01T00:00:00+00:00"})
        elif self.command == "POST":
            name = f"{uuid.uuid4().hex}-{self.headers['x-fal-file-name']}"
            self.vendor.uploads[name] = body
            self.say(200, {"access_url": f"{self.vendor.address}/files/{name}"})
        else:
            self.send_file()

    def _say_listed(self, rest: str) -> None:
        self.vendor.seen[rest] += 1
        answer = self.vendor.prices if rest == "models/pricing" else self.vendor.models
        if answer is None:
            self.say(500, {"error": {"type": "server_error", "message": "try later"}})
        else:
            self.say(200, answer)

    def _create(self, endpoint: str, arguments: dict[str, Any]) -> None:
        self.vendor.seen["create"] += 1
        fault = self.vendor.next_fault(self.vendor.creates)
        match fault:
            case "slow down":
                self.say(429, {"detail": "Too many requests"}, {"retry-after": "7"})
                return
            case "no credit":
                self.say(403, {"detail": "User is locked. Reason: Exhausted balance."})
                return
            case "moderation":
                problem = {"loc": ["body", "prompt"], "type": "content_policy_violation"}
                self.say(422, {"detail": [{**problem, "msg": "the prompt is not allowed"}]})
                return
        run_id = str(uuid.uuid4())
        self.vendor.accept(run_id, endpoint, arguments, arguments["prompt"])
        match fault:
            case "hang up after accepting":
                self.hang_up()
            case "hang up in the answer":
                self.say_half(200, self._describe(run_id, endpoint))
            case "500 after accepting":
                self.say(500, {"detail": "Internal Server Error"})
            case "half an answer":
                self.say(200, {"status": "IN_QUEUE"})
            case _:
                self.say(200, self._describe(run_id, endpoint))

    def _describe(self, run_id: str, endpoint: str) -> dict[str, str]:
        owner, alias = endpoint.split("/")[:2]
        base = f"{self.vendor.address}/queue/{owner}/{alias}/requests/{run_id}"
        urls = {"status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
        return {"request_id": run_id, "response_url": base, **urls}

    def _ask(self, rest: str) -> None:
        *_, run_id, last = rest.split("/")
        if last in {"status", "cancel"}:
            run = self.vendor.runs.get(run_id)
        else:
            run_id, last = last, "result"
            run = self.vendor.runs.get(run_id)
        self.vendor.seen[last] += 1
        if run is None:
            self.say(404, {"detail": "Request not found"})
        elif last == "status":
            self._say_status(run)
        elif last == "cancel":
            if run.polls_left <= 0:
                self.say(400, {"status": "ALREADY_COMPLETED"})
                return
            if self.vendor.stops_running:
                run.canceled, run.polls_left = True, 0
            self.say(202, {"status": "CANCELLATION_REQUESTED"})
        else:
            self._say_result(run)

    def _say_status(self, run: Run) -> None:
        match self.vendor.next_fault(self.vendor.looks):
            case "hang up":
                self.hang_up()
                return
            case "500":
                self.say(500, {"detail": "Internal Server Error"})
                return
            case "slow down":
                self.say(429, {"detail": "Too many requests"}, {"retry-after": "3"})
                return
            case "unknown":
                self.say(200, {"status": "ARCHIVED", "logs": None})
                return
            case "runner lost":
                said = {"error": "Runner disconnected", "error_type": "runner_disconnected"}
                self.say(200, {"status": "COMPLETED", "logs": None, **said})
                return
            case "gone":
                self.say(404, {"detail": "Request not found"})
                return
        run.polls_left -= 1
        logs = [{"message": "loading", "timestamp": "2026-11-30T00:00:00Z"}]
        if run.polls_left > 2:
            self.say(200, {"status": "IN_QUEUE", "queue_position": 4, "logs": None})
        elif run.polls_left > 0:
            self.say(200, {"status": "IN_PROGRESS", "logs": logs})
        elif run.canceled:
            said = {"error": "Request was cancelled", "error_type": "client_cancelled"}
            self.say(200, {"status": "COMPLETED", "logs": logs, **said})
        else:
            metrics = {"inference_time": 12.5}
            self.say(200, {"status": "COMPLETED", "logs": logs, "metrics": metrics})

    def _say_result(self, run: Run) -> None:
        match self.vendor.next_fault(self.vendor.ends):
            case "moderation":
                problem = {"loc": ["body"], "type": "content_policy_violation"}
                self.say(422, {"detail": [{**problem, "msg": "the video is not allowed"}]})
                return
            case "500":
                self.say(500, {"detail": "Internal Server Error"})
                return
            case "no video":
                self.say(200, {"images": []})
                return
        url = f"{self.vendor.address}/files/{run.endpoint.replace('/', '-')}.mp4"
        self.say(200, {"video": {"url": url, "content_type": "video/mp4"}})


FalSimulator.handler = Handler


def list_prices(unit_price: float = 0.05, unit: str = "seconds") -> dict[str, Any]:
    """Return fal's answer about the prices of our endpoints."""
    prices = [
        {"endpoint_id": path, "unit_price": unit_price, "unit": unit, "currency": "USD"}
        for path in _paths()
    ]
    return {"prices": prices, "next_cursor": None, "has_more": False}


def list_models() -> dict[str, Any]:
    """Return fal's answer about our endpoints, each with the arguments that we send."""
    return {"models": [_describe_endpoint(path) for path in _paths()], "has_more": False}


def _paths() -> list[str]:
    return sorted({one.path for one in CATALOGUE.endpoints.values()})


def _describe_endpoint(path: str) -> dict[str, Any]:
    ends = [one for one in CATALOGUE.endpoints.values() if one.path == path]
    names = {name.name for one in ends for name in one.names.values()}
    properties: dict[str, Any] = {
        name: {"type": "string"} for name in names | {n for one in ends for n in one.fixed}
    }
    if "duration" in properties:
        properties["prompt"] = {"type": "string", "maxLength": 50_000}
        properties["duration"] = {"type": "integer", "minimum": 5, "maximum": 15}
        properties["seed"] = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
        properties["resolution"] = {"allOf": [{"$ref": "#/components/schemas/Resolution"}]}
    status = {"get": {"responses": {}}}
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Input"}}}
    return {
        "endpoint_id": path,
        "metadata": {"display_name": path, "status": "active"},
        "openapi": {
            "openapi": "3.0.4",
            "paths": {
                f"/{path}/requests/{{request_id}}/status": status,
                f"/{path}": {"post": {"requestBody": {"required": True, "content": body}}},
            },
            "components": {
                "schemas": {
                    "Input": {"type": "object", "properties": properties},
                    "Resolution": {"type": "string", "enum": ["480P", "768P", "1080P"]},
                }
            },
        },
    }
