"""Runway on loopback, as its real client speaks to it: tasks, uploads, files.

The shapes are those of the types of ``runwayml`` 5.24.0.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Run, Simulator, VendorHandler

if TYPE_CHECKING:
    import pytest

CREATED = "2026-11-30T12:00:00.000Z"
CREDITS = 60


class RunwaySimulator(Simulator):
    """A Runway of its own."""

    keeps_canceled: bool = True
    """False for a Runway that no longer knows a task that was canceled."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it."""
        monkeypatch.setenv("RUNWAYML_BASE_URL", self.address)


class Handler(VendorHandler):
    """Answers as Runway."""

    def route(self, path: str, body: bytes) -> None:
        area, _, rest = path.removeprefix("v1/").partition("/")
        if area == "files":
            self.send_file()
        elif area == "store":
            name = str(uuid.uuid4())
            # Of a form with a file: the file is between the blank line and the last boundary.
            parts = re.split(rb"\r\n--[^\r]+", body)
            self.vendor.uploads[rest or name] = parts[-2].partition(b"\r\n\r\n")[2]
            self.say(204, {})
        elif self.headers["authorization"] != f"Bearer {self.vendor.key}":
            self.say(401, {"error": "The API key you provided is not valid."})
        elif area == "uploads":
            name = str(uuid.uuid4())
            where = {"uploadUrl": f"{self.vendor.address}/store/{name}", "fields": {"key": name}}
            self.say(200, {**where, "runwayUri": f"runway://{name}"})
        elif area == "tasks" and self.command == "DELETE":
            self._delete(rest)
        elif area == "tasks":
            self._say_task(rest)
        else:
            self._create(area, json.loads(body))

    def _create(self, endpoint: str, arguments: dict[str, Any]) -> None:
        vendor = self.vendor
        vendor.seen["create"] += 1
        match fault := vendor.next_fault(vendor.creates):
            case "slow down":
                self.say(429, {"error": "Too many requests"}, {"retry-after": "7"})
                return
            case "no credit":
                self.say(400, {"error": "You do not have enough credits to run this task."})
                return
            case "moderation":
                problem = {"path": ["promptText"], "message": "the prompt is not allowed"}
                self.say(400, {"error": "Validation of body failed", "issues": [problem]})
                return
        run_id = str(uuid.uuid4())
        vendor.accept(run_id, endpoint, arguments, arguments.get("promptText", ""))
        match fault:
            case "hang up after accepting":
                self.hang_up()
            case "hang up in the answer":
                self.say_half(200, {"id": run_id, "estimatedCost": {"credits": CREDITS}})
            case "500 after accepting":
                self.say(500, {"error": "An unexpected error has occurred"})
            case "half an answer":
                self.say(200, {"estimatedCost": {"credits": CREDITS}})
            case _:
                self.say(200, {"id": run_id, "estimatedCost": {"credits": CREDITS}})

    def _delete(self, run_id: str) -> None:
        vendor = self.vendor
        vendor.seen["cancel"] += 1
        run = vendor.runs.get(run_id)
        if run is None:
            self.say(404, {"error": "Task not found"})
            return
        if run.polls_left <= 0:
            del vendor.runs[run_id]  # As documented: a task that is over is deleted.
        elif vendor.stops_running:
            run.canceled, run.polls_left = True, 0
        self.say(204, {})

    def _say_task(self, run_id: str) -> None:
        vendor = self.vendor
        vendor.seen["status"] += 1
        run = vendor.runs.get(run_id)
        match vendor.next_fault(vendor.looks):
            case "hang up":
                self.hang_up()
                return
            case "500":
                self.say(500, {"error": "An unexpected error has occurred"})
                return
            case "slow down":
                self.say(429, {"error": "Too many requests"}, {"retry-after": "3"})
                return
            case "unknown":
                self.say(200, {"id": run_id, "createdAt": CREATED, "status": "ARCHIVED"})
                return
            case "gone":
                run = None
        if run is None or (run.canceled and not vendor.keeps_canceled):
            self.say(404, {"error": "Task not found"})
            return
        run.polls_left -= 1
        if run.polls_left <= 0 and not run.canceled:
            self._say_end(run_id)
            return
        self.say(200, {"id": run_id, "createdAt": CREATED, **_describe(run)})

    def _say_end(self, run_id: str) -> None:
        vendor = self.vendor
        known = {"id": run_id, "createdAt": CREATED, "cost": {"credits": CREDITS}}
        match vendor.next_fault(vendor.ends):
            case "500":
                self.say(500, {"error": "An unexpected error has occurred"})
            case "moderation":
                failure = {"failure": "the video is not allowed", "failureCode": "SAFETY.OUTPUT"}
                self.say(200, {**known, "status": "FAILED", **failure})
            case "no video":
                self.say(200, {**known, "status": "SUCCEEDED", "output": []})
            case _:
                # Signed, and another one at each look.
                address = f"{vendor.address}/files/{run_id}.mp4?_jwt={uuid.uuid4().hex}"
                self.say(200, {**known, "status": "SUCCEEDED", "output": [address]})


def _describe(run: Run) -> dict[str, Any]:
    if run.canceled:
        return {"status": "CANCELLED", "cost": {"credits": CREDITS}}
    estimated = {"estimatedCost": {"credits": CREDITS}}
    if run.polls_left > 2:
        return {"status": "THROTTLED", **estimated}
    return {"status": "RUNNING", "progress": 0.5, **estimated}


RunwaySimulator.handler = Handler
