"""What the real clients did is written down, and the documentation says the same."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "clients"
PAGE = Path(__file__).parents[2] / "docs" / "server.md"
CLIENTS: dict[str, Any] = json.loads((HERE / "results.json").read_text("utf-8"))["clients"]


def outcomes(client: str, call: str) -> list[str]:
    """Return what came out of a call, with each of a client's providers."""
    calls = CLIENTS[client]["calls"]
    return [outcome for name, outcome in calls.items() if name.split()[-1] == call]


@pytest.mark.parametrize("client", ["openai", "openrouter", "litellm", "ai"])
@pytest.mark.parametrize("call", ["create", "poll", "fetch", "error"])
def test_each_client_makes_a_video(client: str, call: str) -> None:
    """The calls that each of them has."""
    assert outcomes(client, call)
    assert set(outcomes(client, call)) == {"works"}


def test_the_page_says_what_came_out() -> None:
    """Its versions are those that were run, and a call without a dash works."""
    rows = re.findall(
        r"^\| `(\w+)` ([\d.]+).*?\|[^|]*\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert {name for name, _, _ in rows} == set(CLIENTS)
    for name, made, cells in rows:
        assert made == CLIENTS[name]["version"]
        for call, cell in zip(("list", "delete", "remix"), cells.split(" | "), strict=True):
            assert (cell == "yes") == ("works" in outcomes(name, call)), (name, call)


@pytest.mark.parametrize("client", ["openai", "openrouter"])
def test_the_locked_clients_are_those_that_were_run(client: str) -> None:
    """An update of one wants another run: ``python -m tests.server.clients.run openai``."""
    assert version(client) == CLIENTS[client]["version"]
