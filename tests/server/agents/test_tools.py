"""The tools of an agent, called by the protocol's own client."""

from __future__ import annotations

import json
import logging

import pytest
from tests.server.agents.talking import Agent

from tiomagic import TioMagic
from tiomagic_domain.testing import FakeProvider
from tiomagic_server.mcp.server import McpOptions, build_mcp_server

CALL = {
    "feature": "text_to_video",
    "model": "wan2.1-t2v-1.3b",
    "arguments": {"prompt": "a red fox runs", "seed": 3},
}


@pytest.fixture
def provider(tmp_path):
    return FakeProvider(tmp_path / "spool", name="modal", default_model="wan2.1-t2v-1.3b")


@pytest.fixture
def tm(tmp_path, provider):
    tm = TioMagic(
        working_dir=tmp_path,
        provider="modal",
        announce_jobs=False,
        overrides={"providers": {"modal": provider}},
    )
    yield tm
    tm.close()


@pytest.fixture
def agent(tm):
    return Agent(build_mcp_server(tm))


def test_each_tool_says_what_it_does_and_only_two_change_anything(agent):
    tools = agent.tools()
    assert all(tool.description for tool in tools.values())
    changing = {name for name, tool in tools.items() if not tool.annotations.read_only_hint}
    assert changing == {"make_video", "cancel_video"}


def test_building_it_leaves_logging_alone(tm):
    before = list(logging.getLogger().handlers)
    build_mcp_server(tm)
    assert logging.getLogger().handlers == before


def test_an_agent_plans_makes_and_watches_a_video(agent, provider):
    planned = agent.get("plan_video", **CALL)
    assert planned["can_run"]
    assert planned["arguments"]["seed"] == 3
    assert not agent.get("search_videos")["jobs"]
    job = agent.get("make_video", **CALL, confirmation=planned["confirmation"])
    provider.finish(job["job_id"])
    seen = agent.get("check_video", job_id=job["job_id"], wait_s=30)
    assert seen["status"] == "completed"
    assert seen["video"].endswith(".mp4")
    found = agent.get("search_videos", text="fox")["jobs"]
    assert [one["job_id"] for one in found] == [job["job_id"]]


def test_the_same_confirmation_makes_one_video(agent, tm):
    confirmation = agent.get("plan_video", **CALL)["confirmation"]
    first = agent.get("make_video", **CALL, confirmation=confirmation)
    again = agent.get("make_video", **CALL, confirmation=confirmation)
    assert first["job_id"] == again["job_id"]
    assert len(tm.list_jobs()) == 1
    other = agent.get("plan_video", **CALL)["confirmation"]
    assert agent.get("make_video", **CALL, confirmation=other)["job_id"] != first["job_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"prompt": "a red fox runs", "seed": 4}},
        {"model": "wan2.1-t2v-14b"},
        {"confirmation": "made-up"},
    ],
    ids=str,
)
def test_nothing_is_made_without_the_plan_of_that_call(agent, tm, change):
    confirmed = CALL | {"confirmation": agent.get("plan_video", **CALL)["confirmation"]}
    text = agent.refusal("make_video", **(confirmed | change))
    assert "confirmation: " in text
    assert "plan_video" in text
    assert not tm.list_jobs()


def test_a_call_of_unknown_price_does_not_pass_a_limit(agent, tm):
    confirmation = agent.get("plan_video", **CALL)["confirmation"]
    text = agent.refusal("make_video", **CALL, confirmation=confirmation, max_cost=1)
    assert "max_cost" in text
    assert not tm.list_jobs()


def test_a_refused_call_names_every_problem(agent):
    arguments = {"num_frames": 18, "colour": "red"}
    text = agent.refusal("plan_video", **(CALL | {"arguments": arguments}))
    assert all(name in text for name in ("prompt", "num_frames", "colour"))
    assert "invalid_input" in text


def test_how_a_call_runs_is_not_the_agents_choice(agent):
    text = agent.refusal("plan_video", **(CALL | {"arguments": {"prompt": "x", "force": True}}))
    assert text.endswith("force: not an argument of a video; leave it out")


def test_a_job_is_canceled(agent):
    confirmation = agent.get("plan_video", **CALL)["confirmation"]
    job = agent.get("make_video", **CALL, confirmation=confirmation)
    assert agent.get("cancel_video", job_id=job["job_id"])["status"] in {"canceling", "canceled"}
    assert agent.get("check_video", job_id=job["job_id"], wait_s=30)["status"] == "canceled"


def test_a_job_that_is_not_there_is_said(agent):
    assert "there is no job" in agent.refusal("check_video", job_id="abc")


def test_the_schema_of_a_model_is_a_json_schema(agent):
    schema = agent.get("describe_model", feature="text_to_video", model="doodle")
    assert schema["properties"]["prompt"]["type"] == "string"


def test_the_default_is_one_of_the_models(agent):
    listed = agent.get("list_models", feature="text_to_video")
    assert listed["default"] in {model["name"] for model in listed["models"]}


class TestAnAgentOfAnotherMachine:
    @pytest.fixture
    def agent(self, tm):
        return Agent(build_mcp_server(tm, McpOptions(is_remote=True)))

    @pytest.mark.parametrize("image", ["/etc/passwd", "file:///etc/passwd", "cat.png", ["a.png"]])
    def test_names_no_file(self, agent, image):
        call = {
            "feature": "image_to_video",
            "model": "wan2.1-vace-1.3b",
            "arguments": {"prompt": "x", "image": image},
        }
        assert "image: must be an address" in agent.refusal("plan_video", **call)

    def test_names_no_file_among_keyframes(self, agent):
        keyframes = [{"image": "/etc/passwd", "frame": 0}]
        call = {
            "feature": "interpolate",
            "model": "wan2.1-vace-1.3b",
            "arguments": {"prompt": "x", "keyframes": keyframes},
        }
        assert "keyframes[0].image: must be an address" in agent.refusal("plan_video", **call)

    def test_names_no_weights(self, agent):
        arguments = {"prompt": "x", "loras": ["/home/ann/secret.safetensors"]}
        text = agent.refusal("plan_video", **(CALL | {"arguments": arguments}))
        assert "it names weights to load" in text

    def test_gets_no_path(self, agent, provider, tmp_path):
        confirmation = agent.get("plan_video", **CALL)["confirmation"]
        job = agent.get("make_video", **CALL, confirmation=confirmation)
        provider.finish(job["job_id"])
        seen = agent.get("check_video", job_id=job["job_id"], wait_s=30)
        assert seen["status"] == "completed"
        assert str(tmp_path) not in json.dumps(seen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"feature": "dream"}, "feature: must be 'text_to_video'"),
        ({"arguments": 5}, "arguments: must be an object"),
        ({"model": 5}, "model: must be a text"),
    ],
    ids=str,
)
def test_a_call_that_no_tool_takes_is_said_in_our_words(agent, change, said):
    text = agent.refusal("plan_video", **(CALL | change))
    assert text.startswith(said)
    assert "pydantic" not in text


def test_what_is_missing_or_too_much_is_named(agent):
    assert "job_id: is needed" in agent.refusal("check_video")
    assert "wait_s: must be at most 55" in agent.refusal("check_video", job_id="1", wait_s=99)


def test_arguments_have_a_limit(agent):
    many = {f"field{number}": 1 for number in range(3000)}
    text = agent.refusal("plan_video", **(CALL | {"arguments": many}))
    assert "more than 2,000" in text
    assert len(text) < 200
