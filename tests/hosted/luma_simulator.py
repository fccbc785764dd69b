"""Luma on loopback, as its real client speaks to it: generations and files.

The shapes are those of the types of ``lumaai`` 1.21.0.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Simulator, VendorHandler

if TYPE_CHECKING:
    import pytest


class LumaSimulator(Simulator):
    """A Luma of its own."""

    forgets_lost: bool = False
    """True for a Luma whose list lacks the runs of which it gave no answer."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it."""
        monkeypatch.setenv("LUMAAI_BASE_URL", f"{self.address}/dream-machine/v1")


class Handler(VendorHandler):
    """Answers as Luma."""

    def route(self, path: str, body: bytes) -> None:
        area, _, rest = path.removeprefix("dream-machine/v1/").partition("/")
        if area == "files":
            self.send_file()
        elif self.headers["authorization"] != f"Bearer {self.vendor.key}":
            self.say(401, {"detail": "Invalid API key"})
        elif self.command == "POST":
            self._create(json.loads(body))
        elif self.command == "DELETE":
            self.vendor.seen["cancel"] += 1
            self.vendor.runs.pop(rest, None)
            self.say(200, {})
        elif rest:
            self._say_run(rest)
        else:
            self._list()

    def _create(self, arguments: dict[str, Any]) -> None:
        vendor = self.vendor
        vendor.seen["create"] += 1
        match fault := vendor.next_fault(vendor.creates):
            case "slow down":
                self.say(429, {"detail": "Too many requests"}, {"retry-after": "7"})
                return
            case "no credit":
                self.say(400, {"detail": "Insufficient credits"})
                return
            case "moderation":
                self.say(400, {"detail": "Prompt: the prompt is not allowed"})
                return
        run_id = str(uuid.uuid4())
        request = {"generation_type": "video", **arguments, "callback_url": None}
        vendor.accept(run_id, datetime.now(UTC).isoformat(), request, arguments["prompt"])
        match fault:
            case "hang up after accepting":
                self.hang_up()
            case "hang up in the answer":
                self.say_half(201, self._describe(run_id, {"state": "queued"}))
            case "500 after accepting":
                self.say(500, {"detail": "Internal Server Error"})
            case "half an answer":
                self.say(201, {"state": "queued"})
            case _:
                self.say(201, self._describe(run_id, {"state": "queued"}))
        if fault is not None and vendor.forgets_lost:
            vendor.runs[run_id].canceled = True  # Which the list leaves out.

    def _describe(self, run_id: str, said: dict[str, Any]) -> dict[str, Any]:
        run = self.vendor.runs[run_id]
        made = {"id": run_id, "generation_type": "video", "created_at": run.endpoint}
        return {**made, "assets": None, "failure_reason": None, "request": run.arguments, **said}

    def _list(self) -> None:
        self.vendor.seen["list"] += 1
        found = [
            self._describe(run_id, {"state": "dreaming"})
            for run_id, run in self.vendor.runs.items()
            if not run.canceled
        ]
        self.say(200, {"generations": found, "has_more": False, "count": len(found)})

    def _say_run(self, run_id: str) -> None:
        vendor = self.vendor
        vendor.seen["status"] += 1
        run = vendor.runs.get(run_id)
        match vendor.next_fault(vendor.looks):
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
                self.say(200, self._describe(run_id, {"state": "archived"}))
                return
            case "gone":
                run = None
        if run is None:
            self.say(404, {"detail": "Generation not found"})
            return
        run.polls_left -= 1
        if run.polls_left > 0:
            state = "queued" if run.polls_left > 2 else "dreaming"
            self.say(200, self._describe(run_id, {"state": state}))
            return
        self._say_end(run_id)

    def _say_end(self, run_id: str) -> None:
        match self.vendor.next_fault(self.vendor.ends):
            case "500":
                self.say(500, {"detail": "Internal Server Error"})
            case "moderation":
                failed = {"state": "failed", "failure_reason": "the video is not allowed"}
                self.say(200, self._describe(run_id, failed))
            case "no video":
                self.say(200, self._describe(run_id, {"state": "completed", "assets": {}}))
            case _:
                assets = {"video": f"{self.vendor.address}/files/{run_id}.mp4"}
                self.say(200, self._describe(run_id, {"state": "completed", "assets": assets}))


LumaSimulator.handler = Handler
