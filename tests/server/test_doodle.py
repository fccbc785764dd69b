"""The command serves ``doodle`` to OpenAI's client, and the job outlives the server."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image

from tiomagic_domain.catalogue.families.doodle import SIDE

pytestmark = pytest.mark.filterwarnings("ignore:.*Sora API.*:DeprecationWarning")


@contextmanager
def serve_command(folder: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``tiomagic serve`` in a folder; gives its address."""
    command = [sys.executable, "-m", "tiomagic", "serve", "--port", "0", *more]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "TIOMAGIC_PROVIDER": "local", "TIOMAGIC_WORKER_IDLE_S": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


@contextmanager
def connect(address: str) -> Iterator[OpenAI]:
    """Give OpenAI's client of an address."""
    with OpenAI(base_url=f"{address}/v1", api_key="none", timeout=120) as client:
        yield client


@pytest.mark.timeout(900)  # Two servers and a worker with torch, each a process of its own.
def test_a_video_is_made_followed_and_fetched_across_a_restart(tmp_path: Path) -> None:
    """The server is stopped while the worker makes the video; the next one has it."""
    words: dict[str, Any] = {"model": "doodle", "extra_body": {"seed": 1}}
    with serve_command(tmp_path) as (address, process), connect(address) as client:
        video = client.videos.create(prompt="a red circle moves right", **words)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    with serve_command(tmp_path) as (address, _), connect(address) as client:
        done = client.videos.poll(video.id, poll_interval_ms=200)
        assert (done.status, done.size, done.seconds) == ("completed", f"{SIDE}x{SIDE}", "1.062")
        content = client.videos.download_content(video.id).read()
        assert content[4:8] == b"ftyp"
        for variant, width in (("thumbnail", SIDE), ("spritesheet", 4 * SIDE)):
            picture = client.videos.download_content(video.id, variant=variant).read()  # type: ignore[arg-type]
            assert Image.open(io.BytesIO(picture)).width >= width
        assert client.videos.delete(video.id).deleted
