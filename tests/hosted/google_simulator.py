"""Google on loopback, as its real client speaks to it: interactions and operations.

The shapes are those that ``google-genai`` 3.6.1 reads.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Run, Simulator, VendorHandler

if TYPE_CHECKING:
    import pytest

PROJECT = "a-project"


class GoogleSimulator(Simulator):
    """A Google of its own, with both its APIs."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it."""
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", self.address)
        monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", self.address)


class Handler(VendorHandler):
    """Answers as Google."""

    def route(self, path: str, body: bytes) -> None:
        key = self.headers["x-goog-api-key"] or self.headers["authorization"]
        if key not in {self.vendor.key, f"Bearer {self.vendor.key}"}:
            reason = {"reason": "API_KEY_INVALID"}
            self.refuse(400, "API key not valid", "INVALID_ARGUMENT", details=[reason])
        elif "/files/" in path:
            self.send_file()
        elif path.endswith("interactions"):
            said = json.loads(body)
            content = said["input"][0]["content"]
            prompt = next(one["text"] for one in content if one["type"] == "text")
            self._create(f"v1_{uuid.uuid4().hex}", said["model"], said, prompt)
        elif path.endswith(":predictLongRunning"):
            said = json.loads(body)
            model = path.rpartition("/")[2].removesuffix(":predictLongRunning")
            name = path.removeprefix("v1beta1/").removesuffix(":predictLongRunning")
            run_id = f"{name}/operations/{uuid.uuid4().hex}"
            self._create(run_id, model, said, said["instances"][0]["prompt"])
        elif path.endswith(":fetchPredictOperation"):
            self._look(json.loads(body)["operationName"])
        else:
            self._look(path.rpartition("/")[2])

    def refuse(
        self, status: int, message: str, word: str, headers: Any = None, **more: object
    ) -> None:
        error = {"code": status, "message": message, "status": word, **more}
        self.say(status, {"error": error}, headers)

    def _create(self, run_id: str, model: str, said: dict[str, Any], prompt: str) -> None:
        self.vendor.seen["create"] += 1
        fault = self.vendor.next_fault(self.vendor.creates)
        match fault:
            case "slow down":
                wait = {"retry-after": "7"}
                self.refuse(429, "Too many requests", "RESOURCE_EXHAUSTED", wait)
                return
            case "no credit":
                self.refuse(403, "The billing account has no credit", "PERMISSION_DENIED")
                return
            case "moderation":
                self.refuse(400, "the prompt is not allowed", "INVALID_ARGUMENT")
                return
        self.vendor.accept(run_id, model, said, prompt)
        match fault:
            case "hang up after accepting":
                self.hang_up()
            case "hang up in the answer":
                self.say_half(200, self._describe(run_id))
            case "500 after accepting":
                self.refuse(500, "Internal error", "INTERNAL")
            case "half an answer":
                self.say(200, {})
            case _:
                self.say(200, self._describe(run_id))

    def _describe(self, run_id: str, status: str = "in_progress", **more: object) -> Any:
        if "/operations/" in run_id:
            return {"name": run_id, **more}
        return {"id": run_id, "object": "interaction", "status": status, **more}

    def _look(self, run_id: str) -> None:
        self.vendor.seen["status"] += 1
        run = self.vendor.runs.get(run_id)
        match self.vendor.next_fault(self.vendor.looks):
            case "hang up":
                self.hang_up()
            case "500":
                self.refuse(500, "Internal error", "INTERNAL")
            case "slow down":
                wait = {"retry-after": "3"}
                self.refuse(429, "Too many requests", "RESOURCE_EXHAUSTED", wait)
            case "unknown":
                self.say(200, self._describe(run_id, "archived"))
            case "gone":
                self.refuse(404, "Requested entity was not found", "NOT_FOUND")
            case _ if run is None:
                self.refuse(404, "Requested entity was not found", "NOT_FOUND")
            case _:
                self._say_state(run_id, run)

    def _say_state(self, run_id: str, run: Run) -> None:
        run.polls_left -= 1
        if run.polls_left > 0:
            self.say(200, self._describe(run_id))
            return
        fault = self.vendor.next_fault(self.vendor.ends)
        if fault == "500":
            self.refuse(500, "Internal error", "INTERNAL")
        elif "/operations/" in run_id:
            self._say_operation(run_id, fault)
        else:
            self._say_interaction(run_id, fault)

    def _say_operation(self, run_id: str, fault: str | None) -> None:
        """The video is in the answer itself."""
        data = self.vendor.video
        match self.vendor.next_fault(self.vendor.files):
            case "a page":
                data = b"<html>Log in</html>"
            case "cut off":
                self.say_half(200, self._describe(run_id, done=True, response={}))
                return
        video = {"bytesBase64Encoded": base64.b64encode(data).decode(), "mimeType": "video/mp4"}
        response: dict[str, object] = {"videos": [video]}
        match fault:
            case "moderation":
                reasons = ["the video is not allowed"]
                response = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": reasons}
            case "no video":
                response = {}
        self.say(200, self._describe(run_id, done=True, response=response))

    def _say_interaction(self, run_id: str, fault: str | None) -> None:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/abc123:download?alt=media"
        content = [{"type": "video", "mime_type": "video/mp4", "uri": uri}]
        match fault:
            case "moderation":
                faults = [{"code": "safety", "message": "the video is not allowed"}]
                self.say(200, self._describe(run_id, "failed", errors=faults))
            case "no video":
                self.say(200, self._describe(run_id, "completed", steps=[]))
            case _:
                steps = [{"type": "model_output", "content": content}]
                self.say(200, self._describe(run_id, "completed", steps=steps))


GoogleSimulator.handler = Handler
