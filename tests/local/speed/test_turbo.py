"""Few steps: a LoRA is really on for a call that asks for it, and gone after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from tests.tiny import TINY, save
from tests.tiny.loras import FEW_STEPS, WIDTH, save_few_steps

from tiomagic_domain.errors import ConfigurationError, GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.engines._wan import ZeroBasedUniPCScheduler, plain_steps
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request

if TYPE_CHECKING:
    from tests.local.materials import Materials

T2V, VACE, TWO = "wan2.1-t2v-14b", "wan2.1-vace-14b", "wan2.2-i2v-a14b"
CASES = [
    (T2V, Feature.TEXT_TO_VIDEO),
    (VACE, Feature.POSE_GUIDANCE),
    (TWO, Feature.IMAGE_TO_VIDEO),
]
MOMENTS = [1000.0, 937.5, 833.3, 625.0]
"""What the LoRAs were distilled on, by their authors' word."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime over tiny weights that have few-step LoRAs."""
    folder = save(tmp_path_factory.mktemp("weights"), [model for model, _ in CASES])
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))


class TurboRunner:
    """Runs small calls and looks at the pipeline while they run."""

    def __init__(self, runtime: Runtime, studio: Materials) -> None:
        self.runtime, self.studio = runtime, studio
        self.facts: dict[str, Any] = {}
        self.tuned: list[int] = []
        """Layers with a LoRA, of each expert, at each step."""
        self.moments: list[float] = []
        self.pipeline: Any = None

    def make(self, model: str, feature: Feature, *, stop: bool = False, **changes: Any) -> Any:
        """Return the frames of a call; of few steps if it says so."""
        request = self.studio.request(model, feature, **changes)
        self.tuned = []

        def look(progress: Progress) -> None:
            if progress.phase is Phase.DENOISING:
                self.tuned.append(self.layers())
                if stop:
                    raise GenerationCanceledError("stopped")

        token = NeverCanceled()
        with self.runtime.use(request.card, request.settings, ignore_progress, token) as loaded:
            self.pipeline = loaded.engine._pipeline
            run = getattr(loaded.engine, feature.value)
            frames = np.asarray(run(request.inputs, request.settings, look, token).frames)
        self.moments = [float(t) for t in self.pipeline.scheduler.timesteps]
        self.facts = loaded.running.facts()
        return frames

    def layers(self) -> int:
        """Return how many layers have a LoRA now."""
        experts = [getattr(self.pipeline, name, None) for name in ("transformer", "transformer_2")]
        modules = [m for expert in experts if expert is not None for m in expert.modules()]
        return sum(isinstance(module, BaseTunerLayer) for module in modules)


@pytest.fixture
def bench(runtime: Runtime, studio: Materials) -> TurboRunner:
    """Runs small calls."""
    return TurboRunner(runtime, studio)


FOUR = {"acceleration": "turbo", "num_inference_steps": 4, "guidance_scale": 1.0, "flow_shift": 5.0}


@pytest.mark.parametrize(("model", "feature"), CASES)
def test_the_lora_is_on_for_the_call_and_gone_after_it(
    bench: TurboRunner, model: str, feature: Feature
) -> None:
    """Each layer that the file has is changed, the record says which, and the next is as before."""
    before = bench.make(model, feature)
    assert bench.layers() == 0
    assert "few_steps" not in bench.facts
    quick = bench.make(model, feature, **FOUR)
    loras = bench.facts["few_steps"]
    assert [lora["layers"] for lora in loras] == [len(FEW_STEPS)] * len(loras)
    assert set(bench.tuned) == {len(FEW_STEPS) * len(loras)}
    assert [lora["component"] for lora in loras] == ["transformer", "transformer_2"][: len(loras)]
    assert all(lora["sha256"] for lora in loras)
    bare = bench.make(model, feature, **{**FOUR, "acceleration": "exact"})
    assert not np.array_equal(quick, bare)
    assert np.array_equal(quick, bench.make(model, feature, **FOUR))
    assert np.array_equal(before, bench.make(model, feature))
    assert bench.layers() == 0


def test_a_stopped_call_leaves_nothing(bench: TurboRunner) -> None:
    """The next one is what it would have been."""
    before = bench.make(T2V, Feature.TEXT_TO_VIDEO)
    with pytest.raises(GenerationCanceledError):
        bench.make(T2V, Feature.TEXT_TO_VIDEO, stop=True, **FOUR)
    assert bench.layers() == 0
    assert np.array_equal(before, bench.make(T2V, Feature.TEXT_TO_VIDEO))


def test_the_moments_are_those_of_the_distillation(bench: TurboRunner) -> None:
    """Within one of a thousand, which is how the scheduler rounds."""
    bench.make(T2V, Feature.TEXT_TO_VIDEO, **FOUR)
    assert bench.moments == pytest.approx(MOMENTS, abs=1.5)


def test_the_steps_are_those_of_euler() -> None:
    """By hand: along the velocity, from one noise level to the next."""
    scheduler = ZeroBasedUniPCScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, **plain_steps(4)
    )
    scheduler.set_timesteps(4)
    sample = expected = torch.linspace(-1, 1, 5, dtype=torch.float64)
    for index, moment in enumerate(scheduler.timesteps):
        velocity = torch.sin(3 * sample) + index
        level, after = scheduler.sigmas[index].double(), scheduler.sigmas[index + 1].double()
        expected = expected + (after - level) * (torch.sin(3 * expected) + index)
        sample = scheduler.step(velocity, moment, sample).prev_sample
    assert torch.allclose(sample, expected, atol=1e-5)


def test_a_lora_that_fits_nothing_is_an_error(tmp_path: Path, studio: Materials) -> None:
    """It would be four steps without what makes do with them."""
    TINY[T2V](tmp_path / T2V)
    save_few_steps(tmp_path / T2V, T2V, {"diffusion_model.blocks.9.self_attn.q": WIDTH})
    bench = TurboRunner(Runtime(LocalOptions(weights_dir=tmp_path, device="cpu")), studio)
    before = bench.make(T2V, Feature.TEXT_TO_VIDEO)
    with pytest.raises(ConfigurationError, match=r"turbo is a LoRA .*T2V-14B-StepDistill"):
        bench.make(T2V, Feature.TEXT_TO_VIDEO, **FOUR)
    assert np.array_equal(before, bench.make(T2V, Feature.TEXT_TO_VIDEO))


def test_the_recipe_has_it_once(runtime: Runtime, studio: Materials, tmp_path: Path) -> None:
    """Among what ran, and not among the LoRAs of the call, where a repeat would put it on again."""
    request = studio.request(T2V, **FOUR)
    report = run_request(request, runtime=runtime, target=tmp_path / "clip.mp4")
    assert report.video is not None
    recipe = report.video.recipe
    assert recipe["optional_args"]["acceleration"] == "turbo"
    assert not recipe["optional_args"].get("loras")
    (lora,) = recipe["facts"]["acceleration"]["few_steps"]
    assert lora["source"].startswith("lightx2v/")
