"""The runtime: one model is kept, one generation runs at a time, and nothing is left behind."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.local.materials import Materials, settings_of

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import (
    ConfigurationError,
    GenerationCanceledError,
    GenerationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.engines import find_engine, has_engine
from tiomagic_local.engines._shared.engine_errors import translate_engine_error
from tiomagic_local.engines._shared.pixels import to_pixels
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime import loader
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.torch_env.devices import choose_device, choose_dtype, describe_device

T2V, VACE = "wan2.1-t2v-1.3b", "wan2.1-vace-1.3b"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pipelines that were loaded, in order."""
    seen: list[str] = []
    original = loader.load_pipeline

    def counted(*given: Any, **rest: Any) -> Any:
        seen.append(rest["pipeline"])
        return original(*given, **rest)

    monkeypatch.setattr(loader, "load_pipeline", counted)
    return seen


def use(runtime: Runtime, model: str = T2V, **changes: Any) -> Any:
    """Take a model for a turn and return its engine."""
    card = find_model(model)
    settings = settings_of(model, Feature.TEXT_TO_VIDEO, **changes)
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        return loaded.engine


def make(
    engine: Any, studio: Materials, cancel: Any = None, progress: Any = ignore_progress
) -> Any:
    """Run an engine on the smallest call."""
    inputs, settings = studio.request(T2V).inputs, settings_of(T2V, Feature.TEXT_TO_VIDEO)
    return engine.text_to_video(inputs, settings, progress, cancel or NeverCanceled()).frames


class TestKeeping:
    def test_the_second_call_loads_nothing(self, options: LocalOptions, loads: list[str]) -> None:
        """The same model is used again, at another size too."""
        runtime = Runtime(options)
        first = use(runtime)
        second = use(runtime, width=64, seed=8, memory="resident")
        assert first is second
        assert loads == ["WanPipeline"]

    def test_one_model_is_kept(self, options: LocalOptions, loads: list[str]) -> None:
        """Another model takes the place of the kept one."""
        runtime = Runtime(options)
        for model in (T2V, VACE, T2V):
            use(runtime, model)
        assert loads == ["WanPipeline", "WanVACEPipeline", "WanPipeline"]

    def test_unload_frees_it(self, options: LocalOptions, loads: list[str]) -> None:
        """After unload nothing holds the weights, and the next call loads them again."""
        import gc
        import weakref

        runtime = Runtime(options)
        weights = weakref.ref(use(runtime)._pipeline.transformer)
        runtime.unload()
        runtime.unload()
        gc.collect()
        assert weights() is None
        use(runtime)
        assert len(loads) == 2

    def test_out_of_memory_leaves_an_empty_device(
        self, options: LocalOptions, loads: list[str]
    ) -> None:
        """After the memory was not enough, the next try starts from nothing."""
        runtime = Runtime(options)
        card, settings = find_model(T2V), settings_of(T2V, Feature.TEXT_TO_VIDEO)
        with (
            pytest.raises(GenerationError),
            runtime.use(card, settings, ignore_progress, NeverCanceled()),
        ):
            raise GenerationError("too large", code="out_of_memory")
        use(runtime)
        assert len(loads) == 2

    def test_a_load_that_failed_is_tried_again(self, weights_dir: Any, tmp_path: Any) -> None:
        """A broken folder leaves nothing half loaded; the lock is free again."""
        runtime = Runtime(LocalOptions(weights_dir=weights_dir, device="nonsense"))
        for _attempt in range(2):
            with pytest.raises(ConfigurationError, match="nonsense"):
                use(runtime)

    def test_the_record_says_what_ran(self, options: LocalOptions) -> None:
        """Device, type, plan and weights are facts of the job."""
        runtime = Runtime(options)
        settings = settings_of(T2V, Feature.TEXT_TO_VIDEO)
        with runtime.use(find_model(T2V), settings, ignore_progress, NeverCanceled()) as loaded:
            facts = dict(loaded.facts)
        assert (facts["device"], facts["dtype"]) == ("cpu", "float32")
        assert facts["memory"]["plan"] == "resident"
        assert facts["weights"]["origin"] == "weights_dir"


class TestTurns:
    def test_a_second_generation_waits(self, options: LocalOptions) -> None:
        """While one runs, another says that it waits, can be canceled, and runs afterwards."""
        runtime = Runtime(options)
        card, settings = find_model(T2V), settings_of(T2V, Feature.TEXT_TO_VIDEO)
        told: list[Phase] = []
        waits, ran = threading.Event(), threading.Event()

        def listen(progress: Progress) -> None:
            told.append(progress.phase)
            waits.set()

        def second() -> None:
            with runtime.use(card, settings, listen, NeverCanceled()):
                ran.set()

        class Canceled:
            def raise_if_canceled(self) -> None:
                raise GenerationCanceledError("stop")

        with runtime.use(card, settings, ignore_progress, NeverCanceled()):
            thread = threading.Thread(target=second)
            thread.start()
            assert waits.wait(60)
            with (
                pytest.raises(GenerationCanceledError),
                runtime.use(card, settings, ignore_progress, Canceled()),
            ):
                pass
            assert not ran.is_set()
        thread.join(60)
        assert ran.is_set()
        assert told[0] is Phase.WAITING


class StopAt:
    """Cancels when a phase is reached."""

    def __init__(self, phase: Phase, step: int = 0, error: type[BaseException] | None = None):
        self._wanted = (phase, step)
        self._error = error or GenerationCanceledError
        self._reached = False

    def listen(self, progress: Progress) -> None:
        """Watch for the phase."""
        self._reached = self._reached or (progress.phase, progress.step) == self._wanted

    def raise_if_canceled(self) -> None:
        """Stop once the phase is reached."""
        if self._reached:
            raise self._error("stopped by the test")


STOPS = [
    (Phase.ENCODING, 0),
    (Phase.DENOISING, 0),
    (Phase.DENOISING, 1),
    (Phase.DENOISING, 2),
    (Phase.DECODING, 0),
    (Phase.DECODING, 1),
]


@pytest.mark.parametrize("error", [GenerationCanceledError, KeyboardInterrupt])
@pytest.mark.parametrize(("phase", "step"), STOPS)
def test_a_stop_leaves_the_pipeline_clean(
    shared_runtime: Runtime,
    studio: Materials,
    phase: Phase,
    step: int,
    error: type[BaseException],
) -> None:
    """Wherever a run is stopped, the next one gives the frames of one that was never disturbed."""
    engine = use(shared_runtime)
    expected = make(engine, studio)
    stop = StopAt(phase, step, error)
    with pytest.raises(error):
        make(engine, studio, stop, stop.listen)
    for name in ("text_encoder", "transformer", "vae"):
        for module in getattr(engine._pipeline, name).modules():
            assert not module._forward_pre_hooks
    assert (make(engine, studio) == expected).all()


def test_the_phases_come_in_order(shared_runtime: Runtime, studio: Materials) -> None:
    """Encoding, denoising with each step, decoding with each part, and nothing twice."""
    told: list[Progress] = []
    make(use(shared_runtime), studio, progress=told.append)
    steps = [(p.phase.value, p.step, p.steps) for p in told if p.phase is not Phase.ENCODING]
    assert told[0].phase is Phase.ENCODING
    assert steps == [
        ("denoising", 0, 2),
        ("denoising", 1, 2),
        ("denoising", 2, 2),
        ("decoding", 0, 2),
        ("decoding", 1, 2),
    ]


class TestTroubleOfModels:
    def test_values_that_are_no_numbers(self, options: LocalOptions, studio: Materials) -> None:
        """A model that breaks down is an error that names likely causes, not a black video."""
        import torch

        engine = use(Runtime(options))
        with torch.no_grad():
            engine._pipeline.transformer.proj_out.bias.fill_(float("nan"))
        with pytest.raises(GenerationError, match="step 1 of 2") as caught:
            make(engine, studio)
        assert caught.value.code == "not_finite"
        assert "fp16" in caught.value.message

    def test_frames_that_are_no_numbers(self) -> None:
        """A VAE that breaks down is found as well, with the frame."""
        import torch

        frames = torch.zeros(3, 3, 4, 4)
        frames[1, 0, 2, 2] = float("nan")
        with pytest.raises(GenerationError, match="frame 1"):
            to_pixels(frames)

    def test_frames_are_rounded(self) -> None:
        """Each of the 256 levels survives, halves go up, and what is outside is clipped."""
        import torch

        levels = torch.arange(256, dtype=torch.float32) / 255
        frames = levels.reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
        pixels = to_pixels(frames)
        assert pixels.shape == (1, 16, 16, 3)
        assert (pixels[0, ..., 0].ravel() == np.arange(256)).all()
        edges = torch.tensor([-0.1, 0.499 / 255, 0.5001 / 255, 1.2]).reshape(1, 1, 2, 2)
        assert to_pixels(edges.repeat(1, 3, 1, 1))[0, ..., 2].ravel().tolist() == [0, 0, 1, 255]

    @pytest.mark.parametrize(
        "text", ["CUDA out of memory. Tried", "MPS backend out of memory", "can't allocate memory"]
    )
    def test_out_of_memory_says_what_to_change(self, text: str) -> None:
        """Every device has its own words for it; ours say what helps."""
        error = translate_engine_error(RuntimeError(text))
        assert error.code == "out_of_memory"
        assert "memory='group_offload'" in error.message

    def test_other_errors_keep_their_words(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """What the pipeline refuses is told as it is, and is a generation error."""
        engine = use(shared_runtime)
        settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, height=33)
        with pytest.raises(GenerationError, match="divisible by 16"):
            engine.text_to_video(
                studio.request(T2V).inputs, settings, ignore_progress, NeverCanceled()
            )

    def test_a_wrong_length_is_found(self, shared_runtime: Runtime, studio: Materials) -> None:
        """A pipeline that rounds the length is caught."""
        engine = use(shared_runtime)
        settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, num_frames=8)
        with pytest.raises(GenerationError, match=r"\(9, 32, 32, 3\) instead of \(8, 32, 32, 3\)"):
            engine.text_to_video(
                studio.request(T2V).inputs, settings, ignore_progress, NeverCanceled()
            )


class TestScheduler:
    def test_flow_shift_is_obeyed(self, shared_runtime: Runtime, studio: Materials) -> None:
        """The schedule follows the setting, whatever scheduler the weights ship."""
        from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

        engine = use(shared_runtime)
        shipped = engine._pipeline.scheduler
        frames, shifts = [], []
        try:
            for shift in (3.0, 9.0):
                engine._pipeline.scheduler = FlowMatchEulerDiscreteScheduler()
                settings = settings_of(T2V, Feature.TEXT_TO_VIDEO, flow_shift=shift)
                inputs = studio.request(T2V).inputs
                clip = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
                frames.append(clip.frames)
                shifts.append(engine._pipeline.scheduler.config.flow_shift)
                assert isinstance(engine._pipeline.scheduler, UniPCMultistepScheduler)
                assert engine._pipeline.scheduler.config.prediction_type == "flow_prediction"
        finally:
            engine._pipeline.scheduler = shipped
        assert shifts == [3.0, 9.0]
        assert (frames[0] != frames[1]).any()

    def test_the_seed_is_of_the_cpu(self, shared_runtime: Runtime, studio: Materials) -> None:
        """The global generator has no say, so a seed means the same in every process."""
        import torch

        engine = use(shared_runtime)
        torch.manual_seed(1)
        first = make(engine, studio)
        torch.manual_seed(2)
        assert (make(engine, studio) == first).all()


class TestDevices:
    def test_the_best_device_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """CUDA before MPS before CPU."""
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        assert choose_device(None) == torch.device("cpu")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
        assert choose_device(None) == torch.device("mps")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert choose_device(None) == torch.device("cuda")

    def test_types_by_device(self) -> None:
        """bf16 on CUDA, fp32 on a CPU, and what the card says before that."""
        import torch

        card = find_model(T2V)
        assert choose_dtype(card, torch.device("cuda")) is torch.bfloat16
        assert choose_dtype(card, torch.device("cpu")) is torch.float32
        own = replace(card, options={"dtype": "float32"})
        assert choose_dtype(own, torch.device("cuda")) is torch.float32

    def test_a_card_may_name_a_type_for_gpus_alone(self) -> None:
        """CogVideoX 2B was trained in fp16, in which a CPU computes slowly."""
        import torch

        card = find_model("cogvideox-2b")
        assert choose_dtype(card, torch.device("cuda")) is torch.float16
        assert choose_dtype(card, torch.device("cpu")) is torch.float32

    def test_a_cpu_is_called_by_its_name(self) -> None:
        """The record names the device."""
        import torch

        assert describe_device(torch.device("cpu")) == "cpu"


class TestEngines:
    def test_an_unknown_engine(self) -> None:
        """An engine that is not here is an error that names it; what engines share is none."""
        for name in ("nothing", "_wan", "../run", ""):
            assert not has_engine(name)
            with pytest.raises(ConfigurationError, match="there is no engine"):
                find_engine(name)

    def test_another_distribution_may_bring_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An entry point of the group adds an engine."""
        from importlib.metadata import EntryPoint

        from tiomagic_local import engines

        entry = EntryPoint("theirs", "tiomagic_local.engines.wan_t2v:ENGINE", "tiomagic.engines")

        def installed(group: str) -> tuple[EntryPoint, ...]:
            return (entry,) if group == "tiomagic.engines" else ()

        monkeypatch.setattr(engines, "find_entry_points", installed)
        assert has_engine("theirs")
        assert find_engine("theirs") is find_engine("wan_t2v")
