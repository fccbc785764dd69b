"""How far it is from a call of ``tm`` to the model: the frames of ours that lie between."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from diffusers import WanPipeline

from tiomagic import TioMagic

if TYPE_CHECKING:
    import pytest

MOST_FRAMES = 12
PACKAGES = Path(__file__).parents[2] / "packages"


def test_a_call_is_few_steps_from_its_model(
    weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who debugs a call reads at most twelve of our functions until diffusers has it."""
    walk: list[str] = []
    call = WanPipeline.__call__

    def look_back(pipeline: WanPipeline, *given: object, **named: object) -> object:
        frame = sys._getframe(1)
        while frame is not None:
            if Path(frame.f_code.co_filename).is_relative_to(PACKAGES):
                walk.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return call(pipeline, *given, **named)

    monkeypatch.setattr(WanPipeline, "__call__", look_back)
    tm = TioMagic(working_dir=tmp_path, provider="local", device="cpu", weights_dir=weights_dir)
    try:
        tm.text_to_video(
            "wan2.1-t2v-1.3b",
            prompt="a fox",
            width=48,
            height=32,
            num_frames=5,
            num_inference_steps=1,
        )
    finally:
        tm.close()
    assert walk[-1] == "FeatureCalls.text_to_video"
    assert walk[0] == "PipelineEngine.generate"
    assert len(walk) <= MOST_FRAMES, walk[::-1]
