"""Make a real mp4 from a prompt, and from a picture if there is one, without a download or a GPU.

    uv run examples/first_video.py "a red circle moves to the right" [picture.png]

The model is built on the spot with random weights (``tiny_vace.py``), so it paints coloured noise;
everything around it is what a large model runs through.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tiny_vace import build_vace

from tiomagic import tm

MODEL = "wan2.1-vace-1.3b"
SMALL = {"width": 64, "height": 64, "num_frames": 17, "num_inference_steps": 10}


def main(prompt: str, picture: str | None = None) -> None:
    """Print the path of the video."""
    weights = Path(".tiomagic/tiny-vace")
    if not (weights / "model_index.json").exists():
        build_vace(weights)
    tm.configure(provider="local", model_path=weights)
    if picture is None:
        job = tm.text_to_video(model=MODEL, prompt=prompt, **SMALL)
    else:
        job = tm.image_to_video(model=MODEL, prompt=prompt, image=picture, **SMALL)
    print(job.result_video)


if __name__ == "__main__":
    main(*sys.argv[1:3])
