"""``tiomagic mcp`` as an agent starts it, with the model that is shipped."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys

import numpy as np
import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

pytestmark = [pytest.mark.torch]

CALL = {
    "feature": "text_to_video",
    "model": "doodle",
    "arguments": {"prompt": "a red circle moves right", "seed": 1},
}


async def _make_a_video(folder) -> list:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tiomagic", "mcp"],
        cwd=folder,
        # Else the client passes on a few variables only.
        env={**os.environ, "TIOMAGIC_WORKER_IDLE_S": "1"},
    )
    async with Client(command) as client:
        planned = await client.call_tool("plan_video", CALL)
        confirmed = CALL | {"confirmation": planned.structured_content["confirmation"]}
        made = await client.call_tool("make_video", confirmed)
        job = {"job_id": made.structured_content["job_id"]}
        while True:
            seen = await client.call_tool("check_video", job | {"wait_s": 20})
            if seen.structured_content["status"] in {"completed", "failed", "canceled"}:
                break
        return (await client.call_tool("show_video", job | {"frames": 4})).content


def test_an_agent_makes_a_video_and_sees_it(tmp_path):
    said, shown = asyncio.run(_make_a_video(tmp_path))
    assert json.loads(said.text)["status"] == "completed"
    sheet = Image.open(io.BytesIO(base64.b64decode(shown.data)))
    assert sheet.width > 2 * sheet.height / 4
    # Red is on it, so it is the video and not an empty sheet.
    red, green, _ = np.moveaxis(np.asarray(sheet.convert("RGB"), dtype=int), -1, 0)
    assert ((red > 180) & (green < 60)).sum() > 50
    assert not list(tmp_path.glob("output_videos/*_sheet.png"))
