"""Runs real clients against a real server with ``doodle``: ``python -m tests.server.clients.run``.

Each client makes, polls, lists, fetches and deletes a video, as far as it has a call for it.
OpenAI's and OpenRouter's are in the locked environment. LiteLLM's pins and ours exclude each other,
so uv makes an environment of ``litellm.txt`` for it; npm installs the AI SDK from ``vercel``. Both
need the registries, so the tests do not run this. ``results.json`` has what came out.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.server.test_doodle import serve_command

from tiomagic_server.access.keys import ClientKeys

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
RESULTS: Final = HERE / "results.json"
LITELLM: Final = HERE / "litellm.txt"
IDLE: Final = "TIOMAGIC_WORKER_IDLE_S"
LIMIT_S: Final = 1800
"""Seconds for the calls of one client: its videos are made meanwhile, on whatever machine."""


def main() -> None:
    """Run all clients, or those that are named, and write what came out."""
    clients = {
        "openai": (version("openai"), [sys.executable, "-m", "tests.server.clients.openai_calls"]),
        "openrouter": (
            version("openrouter"),
            [sys.executable, "-m", "tests.server.clients.openrouter_calls"],
        ),
        "litellm": (
            _read_pin("litellm"),
            [
                *("uv", "run", "--no-project", "--python", platform.python_version()),
                *("--with-requirements", str(LITELLM), str(HERE / "litellm_calls.py")),
            ],
        ),
        "ai": (_read_package("ai"), ["node", "calls.mjs"]),
    }
    wanted = sys.argv[1:] or list(clients)
    known = json.loads(RESULTS.read_text("utf-8"))["clients"] if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ[IDLE] = "300"  # One worker makes all videos.
        key = ClientKeys(Path(folder) / ".tiomagic").add("clients")
        with serve_command(Path(folder)) as (address, _), _node() as modules:
            for name in wanted:
                made, command = clients[name]
                place = modules if command[0] == "node" else ROOT
                calls = run_client([*command, address, key], place)
                known[name] = {"version": made, "calls": calls}
    said = {"date": datetime.now(UTC).date().isoformat(), "clients": known}
    RESULTS.write_text(json.dumps(said, indent=2) + "\n", "utf-8")


def run_client(command: list[str], place: Path) -> Mapping[str, str]:
    """Return what came out of each call of a client."""
    said = subprocess.run(
        command,
        cwd=place,
        env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = [line for line in said.stdout.splitlines() if line.startswith('{"call"')]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return {one["call"]: one["outcome"] for one in map(json.loads, lines)}


@contextmanager
def _node() -> Iterator[Path]:
    """Give a folder with the Node client and its packages."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "vercel"
        shutil.copytree(HERE / "vercel", place)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, check=True)
        yield place


def _read_pin(name: str) -> str:
    pins: dict[str, str] = dict(
        line.split("==") for line in LITELLM.read_text("utf-8").splitlines() if "==" in line
    )
    return pins[name]


def _read_package(name: str) -> str:
    found: Any = json.loads((HERE / "vercel" / "package.json").read_text("utf-8"))
    return str(found["dependencies"][name])


if __name__ == "__main__":
    main()
