"""fal on loopback, as its real client speaks to it: queue, results, uploads, files.

The shapes are those that ``fal_client`` 1.0.3 reads.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Run, Simulator, VendorHandler

if TYPE_CHECKING:
    import pytest


class FalSimulator(Simulator):
    """A fal of its own."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it: its addresses are constants."""
        from fal_client import client

        monkeypatch.setattr(client, "QUEUE_URL_FORMAT", f"{self.address}/queue/")
        monkeypatch.setattr(client, "REST_URL", f"{self.address}/rest")
        monkeypatch.setattr(client, "CDN_URL", f"{self.address}/cdn")


class Handler(VendorHandler):
    """Answers as fal."""

    def route(self, path: str, body: bytes) -> None:
        area, _, rest = path.partition("/")
        if area == "queue" and self.headers["authorization"] != f"Key {self.vendor.key}":
            self.say(401, {"detail": "Invalid key"})
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
