"""OpenRouter on loopback, as its real client speaks to it: runs, videos, the list of models.

The shapes are those that ``openrouter`` 1.3.84 reads.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.hosted.simulator import Run, Simulator, VendorHandler

from tiomagic_hosted.catalogue.openrouter_listing import shipped_listing

if TYPE_CHECKING:
    import pytest


class OpenRouterSimulator(Simulator):
    """An OpenRouter of its own."""

    listed: list[dict[str, Any]] | None = None
    """What its list of models has; None for a list that cannot be had."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it."""
        from openrouter import sdkconfiguration

        servers = dict.fromkeys(sdkconfiguration.SERVERS, self.address)
        monkeypatch.setattr(sdkconfiguration, "SERVERS", servers)


class Handler(VendorHandler):
    """Answers as OpenRouter."""

    def route(self, path: str, body: bytes) -> None:
        if self.headers["authorization"] != f"Bearer {self.vendor.key}":
            self.refuse(401, "No auth credentials found")
        elif path == "videos" and self.command == "POST":
            self._create(json.loads(body))
        elif path == "videos/models":
            self._list()
        elif path.endswith("/content"):
            self.send_file()
        else:
            self._look(path.rpartition("/")[2])

    def refuse(self, status: int, message: str, headers: Any = None, **metadata: object) -> None:
        error = {"code": status, "message": message, "metadata": metadata or None}
        self.say(status, {"error": error}, headers)

    def _create(self, arguments: dict[str, Any]) -> None:
        self.vendor.seen["create"] += 1
        fault = self.vendor.next_fault(self.vendor.creates)
        match fault:
            case "slow down":
                self.refuse(429, "Too many requests", {"retry-after": "7"})
                return
            case "no credit":
                self.refuse(402, "Insufficient credits")
                return
            case "moderation":
                self.refuse(403, "Input moderated", reasons=["the prompt is not allowed"])
                return
        run_id = f"gen-vid-{uuid.uuid4().hex}"
        self.vendor.accept(run_id, arguments["model"], arguments, arguments["prompt"])
        match fault:
            case "hang up after accepting":
                self.hang_up()
            case "hang up in the answer":
                self.say_half(202, self._describe(run_id, "pending"))
            case "500 after accepting":
                self.refuse(500, "Internal Server Error")
            case "half an answer":
                self.say(202, {"status": "pending"})
            case _:
                self.say(202, self._describe(run_id, "pending"))

    def _describe(self, run_id: str, status: str, **more: object) -> dict[str, object]:
        url = f"{self.vendor.address}/videos/{run_id}"
        return {"id": run_id, "polling_url": url, "status": status, **more}

    def _look(self, run_id: str) -> None:
        self.vendor.seen["status"] += 1
        run = self.vendor.runs.get(run_id)
        match self.vendor.next_fault(self.vendor.looks):
            case "hang up":
                self.hang_up()
            case "500":
                self.refuse(500, "Internal Server Error")
            case "slow down":
                self.refuse(429, "Too many requests", {"retry-after": "3"})
            case "unknown":
                self.say(200, self._describe(run_id, "archived"))
            case "gone":
                self.refuse(404, "Job not found")
            case _ if run is None:
                self.refuse(404, "Job not found")
            case _:
                self._say_state(run_id, run)

    def _say_state(self, run_id: str, run: Run) -> None:
        run.polls_left -= 1
        if run.polls_left > 0:
            status = "pending" if run.polls_left > 2 else "in_progress"
            self.say(200, self._describe(run_id, status))
            return
        usage = {"cost": 0.4, "is_byok": False}
        match self.vendor.next_fault(self.vendor.ends):
            case "moderation":
                said = self._describe(run_id, "failed", error="the video is not allowed")
                self.say(200, {**said, "usage": {"cost": 0}})
            case "500":
                self.refuse(500, "Internal Server Error")
            case "no video":
                self.say(200, self._describe(run_id, "completed", usage=usage))
            case _:
                url = f"{self.vendor.address}/videos/{run_id}/content?index=0"
                said = self._describe(run_id, "completed", unsigned_urls=[url], usage=usage)
                self.say(200, said)

    def _list(self) -> None:
        self.vendor.seen["list"] += 1
        if self.vendor.listed is None:
            self.refuse(500, "Internal Server Error")
            return
        self.say(200, {"data": self.vendor.listed})


OpenRouterSimulator.handler = Handler


def list_as_shipped() -> list[dict[str, Any]]:
    """Return the shipped list as OpenRouter answers it today."""
    return [
        {
            "id": one.model,
            "canonical_slug": one.model,
            "name": one.model,
            "created": 1719792000,
            "allowed_passthrough_parameters": [],
            "creativity": None,
            "upscale_factor": None,
            "generate_audio": one.has_sound,
            "seed": one.has_seed,
            "supported_aspect_ratios": list(one.aspects),
            "supported_durations": list(one.seconds),
            "supported_frame_images": sorted(one.frames),
            "supported_resolutions": list(one.resolutions),
            "supported_sizes": None,
            "pricing_skus": {name: str(price) for name, price in one.prices.items()},
        }
        for one in shipped_listing().models.values()
    ]
