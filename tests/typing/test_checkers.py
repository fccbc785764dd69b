"""What a type checker says of a script: mistakes are found, and what is right passes.

The script is checked as a user's would be, by mypy and by pyright (the build that brings its own
node). Every planted mistake is a line that ends in ``# mistake``.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

SCRIPT = """\
from typing import Any

from PIL import Image
from tiomagic import AsyncTioMagic, TioMagic, tm
from tiomagic.types import AnyModel, AnyProvider

tm.text_to_video(promt="a fox")  # mistake
tm.text_to_video(prompt=3)  # mistake
tm.text_to_video(prompt="a fox", num_frames="49")  # mistake
tm.text_to_video(prompt="a fox", widht=640)  # mistake
tm.text_to_video(prompt="a fox", seed="7")  # mistake
tm.text_to_video(prompt="a fox", guidance_scale="high")  # mistake
tm.text_to_video("wan2.1-vace", prompt="a fox")  # mistake
tm.text_to_video(prompt="a fox", wait="yes")  # mistake
tm.text_to_video(prompt="a fox", memory="full")  # mistake
tm.text_to_video(prompt="a fox", acceleration="fastest")  # mistake
tm.text_to_video(prompt="a fox", image="x.png")  # mistake
tm.text_to_video(prompt="a fox", idempotency_key=7)  # mistake
tm.image_to_video(prompt="a fox", image=3)  # mistake
tm.image_to_video(prompt="a fox")  # mistake
tm.interpolate(prompt="a", first_frame="a.png", lastframe="b.png")  # mistake
tm.pose_guidance(prompt="a", image="a.png", pose_video="p.mp4", guiding_video="g.mp4")  # mistake
tm.configure(provider="modl")  # mistake
tm.configure(gpus="H100")  # mistake
tm.configure(timeout=[3])  # mistake
tm.configure(log_level="loud")  # mistake
tm.get_models("text2video")  # mistake
tm.get_schema("text_to_video", "cogvideo")  # mistake
tm.list_jobs(status="done")  # mistake
tm.list_jobs(feature="t2v")  # mistake
tm.rerun("a.mp4", sed=7)  # mistake
tm.compare("text_to_vid", prompts=["a"])  # mistake
tm.compare("text_to_video", prompts=["a"], models=["nope"])  # mistake
TioMagic(provder="local")  # mistake


async def serve(served: AsyncTioMagic) -> None:
    await served.text_to_video(prompt="a", num_frame=3)  # mistake
    await served.configure(devise="cuda")  # mistake
    await served.text_to_video(prompt="a", num_frames=33, wait=False)


tm.text_to_video("wan2.1-t2v-1.3b", {"prompt": "a fox"}, width=832, guidance_scale=5)
tm.text_to_video(model="doodle", required_args={"prompt": "a fox"}, seed=None)
tm.text_to_video(prompt="a fox", progress=print, acceleration={"fp8": True})
tm.text_to_video(AnyModel("mine"), prompt="a fox", loras=[{"source": "style.safetensors"}])
extra: dict[str, Any] = {"grain": 1}
tm.text_to_video(AnyModel("mine"), prompt="a fox", **extra)
tm.image_to_video(prompt="a fox", image=Image.new("RGB", (64, 64)))
tm.pose_guidance(prompt="a fox", image=b"png", guiding_video="g.mp4", wait=False, retry=1)
tm.configure("local", device="cuda", timeout="30")
tm.configure(provider=AnyProvider("farm"))
for name in tm.get_models("text_to_video", "local"):
    tm.text_to_video(name, prompt="a fox")
"""
MISTAKES = {n for n, line in enumerate(SCRIPT.splitlines(), 1) if line.endswith("# mistake")}

PACKAGES = (
    "tiomagic",
    "tiomagic_domain",
    "tiomagic_local",
    "tiomagic_media",
    "tiomagic_modal",
    "tiomagic_storage",
)


def run(*command: str, folder: Path) -> str:
    """Return what a checker says; it finds our packages where this Python has them."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def lines_of_mypy(script: Path) -> set[int]:
    # From the root, with the configuration and so the cache of the whole project.
    said = run(str(BIN / "mypy"), str(script), folder=ROOT)
    return {int(found) for found in re.findall(rf"{script.name}:(\d+): error", said)}


def lines_of_pyright(script: Path) -> set[int]:
    (script.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', "utf-8")
    said = run(str(BIN / "basedpyright"), "--outputjson", script.name, folder=script.parent)
    found = json.loads(said)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


@pytest.mark.parametrize("lines_of", [lines_of_mypy, lines_of_pyright])
def test_mistakes_are_found_and_nothing_else(
    lines_of: Callable[[Path], set[int]], tmp_path: Path
) -> None:
    """Every misspelt or wrong-typed argument and unknown word; none of the right calls."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    assert lines_of(script) == MISTAKES


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_types_are_complete(package: str, tmp_path: Path) -> None:
    """At least 98 % of what a package exports has a type that needs no guessing."""
    said = run(
        str(BIN / "basedpyright"), "--verifytypes", package, "--ignoreexternal", folder=tmp_path
    )
    score = re.search(r"completeness score: ([\d.]+)%", said)
    assert score is not None, said
    assert float(score[1]) >= 98, said
