"""One run where the memory is not what was estimated: tried once more with less."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.media import Clip
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.runtime.loaded import Loaded
from tiomagic_local.runtime.run import run_request
from tiomagic_local.torch_env.devices import measure_peak_memory

if TYPE_CHECKING:
    from tests.local.materials import Materials


class Engine:
    """Makes grey frames when its plan is small enough."""

    def __init__(self, *, fits: bool, code: str) -> None:
        self._fits, self._code = fits, code

    def text_to_video(self, *_call: Any) -> Clip:
        """Make a clip, or be out of memory."""
        if not self._fits:
            raise GenerationError("too large", code=self._code)
        return Clip(frames=np.full((5, 16, 16, 3), 128, dtype=np.uint8), fps=16.0)


class Running:
    """What a run was accelerated with."""

    def facts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class SmallDevice:
    """A runtime on a device that holds what ``fits`` names; no machine here has such a one.

    Attributes:
        asked: The memory setting of each use.
    """

    def __init__(self, *, fits: MemoryPlan, code: str = ErrorCode.OUT_OF_MEMORY) -> None:
        self._fits, self._code = fits, code
        self.asked: list[str] = []
        self._engines: list[weakref.ref[Engine]] = []

    @contextmanager
    def use(self, _card: Any, settings: Any, *_call: Any) -> Iterator[Loaded]:
        """Give an engine with the plan that is asked for; the largest by itself."""
        assert all(engine() is None for engine in self._engines), "the device is not empty"
        order = list(MemoryPlan)
        asked = str(settings["memory"])
        self.asked.append(asked)
        plan = MemoryPlan.RESIDENT if asked == "auto" else MemoryPlan(asked)
        engine = Engine(fits=order.index(plan) >= order.index(self._fits), code=self._code)
        self._engines.append(weakref.ref(engine))
        smaller = MemoryPlan.MODEL_OFFLOAD if asked == "auto" else None
        facts = {"memory": {"plan": plan.value, "reason": "asked for"}}
        loaded = Loaded(engine=engine, facts=facts, fallback_plan=smaller, running=Running())
        del engine
        yield loaded


def run(runtime: SmallDevice, studio: Materials, folder: Path, **changes: Any) -> Any:
    """Return the report of a run and the notes that were told."""
    notes: list[str] = []
    request = studio.request(**changes)
    target = folder / "clip.mp4"
    given: Any = runtime
    return run_request(request, runtime=given, target=target, note=notes.append), notes


def test_what_does_not_fit_is_tried_once_more_with_less(studio: Materials, tmp_path: Path) -> None:
    """The user is told, the record has the plan and why, and the first pipeline is gone by then."""
    device = SmallDevice(fits=MemoryPlan.MODEL_OFFLOAD)
    report, notes = run(device, studio, tmp_path)
    assert device.asked == ["auto", "model_offload"]
    assert report.facts["memory"] == {
        "plan": "model_offload",
        "reason": "resident ran out of memory",
    }
    assert notes == ["the memory was not enough with resident; trying once more with model_offload"]
    assert report.facts["notes"] == ["resident ran out of memory; model_offload made the video"]


def test_the_record_has_the_peak_beside_the_plan(
    studio: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch counts it: on a GPU, whose numbers stand here in the place of one."""
    counted: list[str] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _gpu: counted.clear())
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _gpu: len(counted) * 2**30)
    counted.append("what lay there before")

    class Gpu(SmallDevice):
        @contextmanager
        def use(self, *call: Any) -> Iterator[Loaded]:
            with super().use(*call) as loaded, measure_peak_memory(torch.device("cuda")) as peak:
                counted.extend(["weights", "steps"])
                yield replace(loaded, peak=peak)

    report, _ = run(Gpu(fits=MemoryPlan.RESIDENT), studio, tmp_path)
    assert report.facts["memory"]["peak_gib"] == 2.0
    report, _ = run(SmallDevice(fits=MemoryPlan.RESIDENT), studio, tmp_path)
    assert "peak_gib" not in report.facts["memory"]


def test_it_is_tried_once_only(studio: Materials, tmp_path: Path) -> None:
    """The second error is the user's."""
    device = SmallDevice(fits=MemoryPlan.GROUP_OFFLOAD)
    with pytest.raises(GenerationError, match="too large"):
        run(device, studio, tmp_path)
    assert device.asked == ["auto", "model_offload"]


@pytest.mark.parametrize(
    ("code", "memory"), [(ErrorCode.OUT_OF_MEMORY, "resident"), ("not_finite", "auto")]
)
def test_nothing_else_is_tried_again(
    studio: Materials, tmp_path: Path, code: str, memory: str
) -> None:
    """A plan that was asked for is the user's, and another error would come again."""
    device = SmallDevice(fits=MemoryPlan.MODEL_OFFLOAD, code=code)
    with pytest.raises(GenerationError):
        run(device, studio, tmp_path, memory=memory)
    assert device.asked == [memory]
