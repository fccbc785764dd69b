"""A VAE in tiles where whole frames do not fit: the same video, and the record says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tiomagic_domain.ports.provider import Report
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime import memory_choice
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request

if TYPE_CHECKING:
    from tests.local.materials import Materials


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call's VAE is to work in tiles; the planner says so in the place of a GPU."""
    tiles: list[bool] = []

    def choose(*_given: object, **_rest: object) -> MemoryChoice:
        return MemoryChoice(
            plan=MemoryPlan.RESIDENT, reason="as the test wants it", tiles=tiles.pop(0)
        )

    monkeypatch.setattr(memory_choice, "choose_memory_plan", choose)
    return tiles


def test_the_next_call_has_whole_frames_again(
    weights_dir: Path, studio: Materials, tmp_path: Path, planned: list[bool]
) -> None:
    """The model stays loaded, and the size of the next video decides for itself."""
    runtime = Runtime(LocalOptions(weights_dir=weights_dir, device="cpu"))
    request = studio.request(num_frames=9, width=320, height=32)
    made: list[Report] = []
    tiling: list[bool] = []
    planned += [False, True, False]
    for index in range(3):
        target = tmp_path / f"{index}.mp4"
        made.append(run_request(request, runtime=runtime, target=target))
        tiling.append(runtime._pipeline.vae.use_tiling)
    assert tiling == [False, True, False]
    records = [report.facts["memory"].get("decoding") for report in made]
    assert records == [None, "tiles", None]
    assert {report.facts["frames"] for report in made} == {9}
    first, _, last = ((tmp_path / f"{index}.mp4").stat().st_size for index in range(3))
    assert first == last


def test_an_engine_that_always_has_tiles_keeps_them(tmp_path: Path, planned: list[bool]) -> None:
    """CogVideoX decodes in tiles as its authors run it, whatever the planner says."""
    from tests.tiny.cogvideox import TINY

    from tiomagic_domain.catalogue import find_model
    from tiomagic_domain.progress import NeverCanceled, ignore_progress

    TINY["cogvideox-2b"](tmp_path / "cogvideox-2b")
    runtime = Runtime(LocalOptions(weights_dir=tmp_path, device="cpu"))
    planned += [False]
    with runtime.use(find_model("cogvideox-2b"), {}, ignore_progress, NeverCanceled()):
        assert runtime._pipeline.vae.use_tiling
