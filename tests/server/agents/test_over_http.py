"""Agents of other machines, over real HTTP: each with its key, its jobs, and no path."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.server.agents.talking import Agent
from tests.server.conftest import MODEL, FakeStudio
from tests.server.pictures import picture
from tests.server.test_doodle import serve_command

from tiomagic_server.access.keys import ClientKeys

PICTURE = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
CALL: dict[str, Any] = {
    "feature": "image_to_video",
    "model": MODEL,
    "arguments": {"prompt": "a red fox runs", "seed": 3, "image": PICTURE},
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"accept": "application/json, text/event-stream"}


def join(studio: FakeStudio, name: str, mode: str = "auto", **limits: int) -> Agent:
    """Return an agent with a new key."""
    return Agent(f"{studio.url}/mcp", studio.keys.add(name, **limits), mode)


def confirm(agent: Agent) -> dict[str, Any]:
    """Return the call with its confirmation."""
    return CALL | {"confirmation": agent.get("plan_video", **CALL)["confirmation"]}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_plans_makes_and_finds_a_video(studio: FakeStudio, mode: str) -> None:
    """With the protocol of today and of before; what it gets names no folder of the server."""
    agent = join(studio, "ann", mode)
    job = agent.get("make_video", **confirm(agent))
    assert job["status"] == "queued"
    studio.provider.finish(job["job_id"])
    seen = agent.get("check_video", job_id=job["job_id"], wait_s=50)
    content = studio.http().get(seen["video_url"]).content  # An agent does not know its key.
    assert content == f"a video of {job['job_id']}".encode()
    found = agent.get("search_videos", text="fox")["jobs"]
    assert [one["job_id"] for one in found] == [job["job_id"]]
    assert str(studio.tm.settings.working_dir) not in json.dumps([job, seen, found])
    assert "key:" not in json.dumps([job, seen, found])


def test_an_agent_that_waits_gets_progress(studio: FakeStudio) -> None:
    """Notifications come while the call goes on; then its answer."""
    agent = join(studio, "ann")
    job_id = agent.get("make_video", **confirm(agent))["job_id"]
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))
        studio.provider.finish(job_id)  # So the run ends only when the agent has heard of it.

    wait = {"job_id": job_id, "wait_s": 50}
    seen = agent.talk(lambda client: client.call_tool("check_video", wait, progress_callback=hear))
    assert seen.structured_content["status"] == "completed"
    assert told
    assert all(0 <= progress < total == 100 for progress, total in told if total is not None)


def test_without_its_key_nobody_gets_in(studio: FakeStudio) -> None:
    """No key, a wrong one, and one that was removed."""
    key = studio.keys.add("ann")
    studio.keys.add("bob")
    assert studio.http(key).post("/mcp", json=PING, headers=ACCEPT).status_code == 200
    studio.keys.remove("ann")
    for shown in (None, "tio-wrong", key):
        answer = studio.http(shown).post("/mcp", json=PING, headers=ACCEPT)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_an_agent_sees_its_own_jobs_only(studio: FakeStudio) -> None:
    """Another's job is as if it were not there, also as the input of a call."""
    ann, bob = join(studio, "ann"), join(studio, "bob")
    job = ann.get("make_video", **confirm(ann))
    for tool in ("check_video", "cancel_video", "show_video"):
        assert "there is no such video" in bob.refusal(tool, job_id=job["job_id"])
    assert bob.get("search_videos")["jobs"] == []
    assert "tag: " in bob.refusal("search_videos", tag="key:ann")
    arguments = {"prompt": "x", "image": job["job_id"]}
    assert "no such video" in bob.refusal("plan_video", **(CALL | {"arguments": arguments}))
    assert studio.provider.canceled == []


def test_a_confirmation_is_of_one_key(studio: FakeStudio) -> None:
    """Another agent cannot spend with it."""
    ann, bob = join(studio, "ann"), join(studio, "bob")
    assert "confirmation: " in bob.refusal("make_video", **confirm(ann))
    assert studio.tm.list_jobs() == []


def test_the_rate_of_a_key_holds(studio: FakeStudio) -> None:
    """It is the same as that of the other routes, and counts their jobs."""
    agent = join(studio, "ann", jobs_per_minute=1)
    agent.get("make_video", **confirm(agent))
    assert "1 jobs a minute" in agent.refusal("make_video", **confirm(agent))
    assert len(studio.tm.list_jobs()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"image": "/etc/passwd"},
        {"image": "file:///etc/passwd"},
        {"image": "http://127.0.0.1:1/cat.png"},
        {"image": "http://169.254.169.254/latest"},
        {"loras": ["ann/lora"]},
        {"weights": "/home/ann"},
    ],
    ids=str,
)
def test_what_an_agent_may_not_name_is_refused(studio: FakeStudio, arguments: Any) -> None:
    """Files, addresses of the server's network, weights: before anything is stored."""
    agent = join(studio, "ann")
    given = CALL["arguments"] | arguments
    text = agent.refusal("plan_video", **(CALL | {"arguments": given}))
    assert next(iter(arguments)) in text
    assert studio.tm.list_jobs() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
def test_other_websites_are_refused(studio: FakeStudio, headers: dict[str, str]) -> None:
    """A website that points its name to this server, or that sends a request from a browser."""
    answer = studio.http().post("/mcp", json=PING, headers=ACCEPT | headers)
    assert answer.status_code == 403


def test_there_are_no_sessions_to_hold(studio: FakeStudio) -> None:
    """No stream to listen on and no session that could be left open, and broken calls are said."""
    http = studio.http()
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    begun = http.post("/mcp", json=PING | {"method": "initialize", "params": hello}, headers=ACCEPT)
    assert begun.status_code == 200
    assert "mcp-session-id" not in begun.headers
    assert http.get("/mcp", headers=ACCEPT).status_code == 405
    assert http.delete("/mcp").status_code == 405
    kind = ACCEPT | {"content-type": "application/json"}
    assert http.post("/mcp", content=b"{", headers=kind).status_code == 400
    assert http.post("/mcp", content=b" " * (16 * 2**20 + 1), headers=kind).status_code == 413
    assert 'route="/mcp"' in http.get("/metrics").text


def test_any_of_several_servers_answers(make_studio: Callable[..., FakeStudio]) -> None:
    """A plan of one confirms a call to the other; sent to both at once it makes one job."""
    first, second = make_studio(), make_studio()
    key = first.keys.add("ann")
    one, other = Agent(f"{first.url}/mcp", key), Agent(f"{second.url}/mcp", key)
    call = confirm(one)
    with ThreadPoolExecutor() as pool:
        sent = [pool.submit(agent.get, "make_video", **call) for agent in (one, other)]
        made = {answer.result()["job_id"] for answer in sent}
    assert len(made) == 1
    assert len(first.tm.list_jobs()) == 1
    assert other.get("check_video", job_id=made.pop())["status"] in {"queued", "running"}


def test_a_fault_of_the_machine_is_not_described(studio: FakeStudio) -> None:
    """What names its folders is for the log; the agent gets a code."""
    agent = join(studio, "ann")
    (studio.tm.settings.working_dir / "output_videos").write_text("in the way", "utf-8")
    job_id = agent.get("make_video", **confirm(agent))["job_id"]
    studio.provider.finish(job_id)
    text = agent.refusal("check_video", job_id=job_id)
    assert str(studio.tm.settings.working_dir) not in text


@pytest.mark.torch
@pytest.mark.timeout(900)  # A command with two processes, and a worker with torch.
def test_the_command_serves_an_agent_from_several_processes(tmp_path: Path) -> None:
    """From the plan to the picture, each call answered by either process."""
    key = ClientKeys(tmp_path / ".tiomagic").add("ann")
    with serve_command(tmp_path, "--workers", "2") as (address, _):
        agent = Agent(f"{address}/mcp", key)
        arguments = {"prompt": "a red circle moves right", "seed": 1}
        call = {"feature": "text_to_video", "model": "doodle", "arguments": arguments}
        confirmation = agent.get("plan_video", **call)["confirmation"]
        made = agent.get("make_video", **call, confirmation=confirmation)
        again = agent.get("make_video", **call, confirmation=confirmation)
        assert made["job_id"] == again["job_id"]
        job = {"job_id": made["job_id"]}
        while (seen := agent.get("check_video", **job, wait_s=20))["status"] != "completed":
            assert seen["status"] in {"queued", "running"}, seen
        _, shown = agent.send("show_video", **job, frames=4).content
    sheet = Image.open(io.BytesIO(base64.b64decode(shown.data))).convert("RGB")
    red, green, _ = np.moveaxis(np.asarray(sheet, dtype=int), -1, 0)
    assert ((red > 180) & (green < 60)).sum() > 50
