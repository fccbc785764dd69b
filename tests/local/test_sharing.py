"""A text encoder that two models have to the last bit is loaded once, and changes nothing."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from examples.tiny_vace import TRANSFORMER
from tests.local.hub_server import Hub, hub_server
from tests.local.materials import Materials, settings_of
from tests.tiny import save
from tests.tiny.loras import save_lora
from transformers import UMT5EncoderModel

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.memory.choosing import MemoryChoice, choose_memory_plan
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime import memory_choice
from tiomagic_local.runtime.component_reuse import (
    detach_text_encoders,
    identify_components,
    is_bare,
    lying_on,
)
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.torch_env import devices
from tiomagic_local.weights.locate import Weights, find_weights

__all__ = ["hub_server"]

T2V, VACE = "wan2.1-t2v-1.3b", "wan2.1-vace-1.3b"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of two models that have the same encoder, in files of one inode."""
    folder = save(tmp_path_factory.mktemp("tiny"), [T2V, VACE])
    for file in (folder / T2V / "text_encoder").iterdir():
        other = folder / VACE / "text_encoder" / file.name
        other.unlink(missing_ok=True)
        os.link(file, other)
    return folder


@pytest.fixture
def apart(tiny: Path, tmp_path: Path) -> Path:
    """The same two, and the second one's encoder is a copy that a test may change."""
    (tmp_path / T2V).symlink_to(tiny / T2V, target_is_directory=True)
    shutil.copytree(tiny / VACE, tmp_path / VACE, copy_function=os.link)
    encoder = tmp_path / VACE / "text_encoder"
    for file in list(encoder.iterdir()):
        data = file.read_bytes()
        if file.suffix == ".json":
            file.unlink()
            file.write_bytes(data)
    return tmp_path


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the encoder's class has read files."""
    seen: list[str] = []
    original = UMT5EncoderModel.from_pretrained.__func__

    def counted(cls: type, *given: Any, **named: Any) -> Any:
        seen.append(cls.__name__)
        return original(cls, *given, **named)

    monkeypatch.setattr(UMT5EncoderModel, "from_pretrained", classmethod(counted))
    return seen


def on(folder: Path) -> Runtime:
    """Return a runtime for weights that were given by hand."""
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))


def run(on: Runtime, model: str, studio: Materials | None = None, **changes: Any) -> Any:
    """Take a model for a turn, and return its pipeline and the frames of the smallest call."""
    settings = settings_of(model, Feature.TEXT_TO_VIDEO, **changes)
    with on.use(find_model(model), settings, ignore_progress, NeverCanceled()) as loaded:
        frames = None
        if studio is not None:
            inputs = studio.request(model).inputs
            clip = loaded.engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
            frames = clip.frames
        return loaded.engine._pipeline, frames


def encoder(on: Runtime, model: str) -> Any:
    """Take a model for a turn and return its text encoder."""
    return run(on, model)[0].text_encoder


class TestHandedOver:
    def test_it_is_loaded_once_and_the_frames_are_the_same(
        self, tiny: Path, studio: Materials, loads: list[str]
    ) -> None:
        """To the last bit those of a process that has loaded nothing else."""
        one = on(tiny)
        pipelines, frames = [], []
        for model in (T2V, VACE, T2V):
            pipeline, made = run(one, model, studio)
            pipelines.append((type(pipeline).__name__, id(pipeline.text_encoder)))
            frames.append(made)
        assert [name for name, _ in pipelines] == ["WanPipeline", "WanVACEPipeline", "WanPipeline"]
        assert len({part for _, part in pipelines}) == 1
        assert loads == ["UMT5EncoderModel"]
        for model, made in zip((T2V, VACE, T2V), frames, strict=True):
            assert np.array_equal(made, run(on(tiny), model, studio)[1])

    def test_the_rest_of_the_other_model_goes(self, tiny: Path) -> None:
        """What is not shared is freed as before."""
        one = on(tiny)
        gone = weakref.ref(run(one, T2V)[0].transformer)
        encoder(one, VACE)
        gc.collect()
        assert gone() is None

    def test_after_a_lora(
        self, tiny: Path, studio: Materials, tmp_path: Path, loads: list[str]
    ) -> None:
        """A call that had one leaves nothing of it behind."""
        width = TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"]
        file = save_lora(tmp_path / "x.safetensors", {"transformer.blocks.0.attn1.to_q": width})
        one = on(tiny)
        plain = run(one, T2V, studio)[1]
        styled = run(one, T2V, studio, loras=[{"source": str(file)}])[1]
        assert not np.array_equal(plain, styled)
        made = run(one, VACE, studio)[1]
        assert loads == ["UMT5EncoderModel"]
        assert np.array_equal(made, run(on(tiny), VACE, studio)[1])

    def test_where_a_configuration_came_from_is_no_difference(self, apart: Path) -> None:
        """The name of the folder that it was saved from, and the version that saved it."""
        file = apart / VACE / "text_encoder" / "config.json"
        said = json.loads(file.read_text())
        file.write_text(json.dumps(said | {"_name_or_path": "x", "transformers_version": "1"}))
        one = on(apart)
        assert encoder(one, T2V) is encoder(one, VACE)

    def test_after_unload_nothing_is_left(self, tiny: Path, loads: list[str]) -> None:
        """It is loaded again, and the old one was freed."""
        one = on(tiny)
        gone = weakref.ref(encoder(one, T2V))
        one.unload()
        gc.collect()
        assert gone() is None
        encoder(one, VACE)
        assert len(loads) == 2

    def test_after_out_of_memory_nothing_is_left(self, tiny: Path, loads: list[str]) -> None:
        """The next try starts with an empty device."""
        one = on(tiny)
        settings = settings_of(T2V, Feature.TEXT_TO_VIDEO)
        with (
            pytest.raises(GenerationError),
            one.use(find_model(T2V), settings, ignore_progress, NeverCanceled()),
        ):
            raise GenerationError("too large", code="out_of_memory")
        encoder(one, VACE)
        assert len(loads) == 2

    def test_a_load_that_fails_leaves_nothing(self, apart: Path, loads: list[str]) -> None:
        """A damaged model takes the encoder of the one before with it."""
        one = on(apart)
        gone = weakref.ref(encoder(one, T2V))
        file = apart / VACE / "transformer" / "diffusion_pytorch_model.safetensors"
        file.unlink()
        with pytest.raises(Exception, match="cannot be loaded"):
            encoder(one, VACE)
        gc.collect()
        assert gone() is None
        encoder(one, T2V)
        assert len(loads) == 2

    @pytest.mark.parametrize("linked", [True, False], ids=["linked", "downloaded twice"])
    def test_two_repositories_of_the_hub(
        self,
        hub_server: Hub,
        tiny: Path,
        monkeypatch: pytest.MonkeyPatch,
        loads: list[str],
        linked: bool,
    ) -> None:
        """The names of the cache say what is in a file, however it came there."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_DISABLE_SHARED_BLOBS", not linked)
        cards = {}
        for model in (T2V, VACE):
            cards[model] = replace(find_model(model), repository=f"some/{model}", revision=None)
            hub_server.publish(f"some/{model}", tiny / model)
        one = Runtime(LocalOptions(device="cpu"))
        parts = []
        for model, card in cards.items():
            settings = settings_of(model, Feature.TEXT_TO_VIDEO)
            with one.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
                parts.append(loaded.engine._pipeline.text_encoder)
        assert parts[0] is parts[1]
        assert loads == ["UMT5EncoderModel"]
        name = "text_encoder/model.safetensors"
        assert (name in hub_server.downloaded_files(f"some/{VACE}")) is not linked


def one_byte(folder: Path) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.unlink()
    file.write_bytes(data)


def another_setting(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"layer_norm_epsilon": 1e-3}))


@pytest.mark.parametrize("change", [one_byte, another_setting])
def test_another_encoder_is_loaded(
    apart: Path, studio: Materials, change: Callable[[Path], None], loads: list[str]
) -> None:
    """One bit of difference is enough, and the frames are those of the model's own."""
    change(apart / VACE / "text_encoder")
    one = on(apart)
    first = run(one, T2V)[0].text_encoder
    pipeline, made = run(one, VACE, studio)
    assert pipeline.text_encoder is not first
    assert len(loads) == 2
    assert np.array_equal(made, run(on(apart), VACE, studio)[1])


def found(folder: Path, model: str) -> Weights:
    """Return a model's weights as the runtime finds them."""
    options = LocalOptions(weights_dir=folder)
    names = {T2V: "WanPipeline", VACE: "WanVACEPipeline"}
    card = find_model(model)
    return find_weights(card, options, pipeline=names[model], progress=ignore_progress)


def load(folder: Path, model: str, plan: MemoryPlan, loaded: Any = None) -> Any:
    """Load a model as the runtime does on a machine where the plan has a meaning."""
    name = {T2V: "WanPipeline", VACE: "WanVACEPipeline"}[model]
    return load_pipeline(
        found(folder, model),
        pipeline=name,
        fp32=("vae",),
        dtype=torch.float32,
        device=CPU,
        plan=plan,
        loaded=loaded,
    )


def test_the_type_belongs_to_it(tiny: Path) -> None:
    """The same files in another precision are other weights."""
    here = found(tiny, T2V)
    same = identify_components(found(tiny, VACE), fp32=("vae",), dtype=torch.bfloat16)
    assert identify_components(here, fp32=("vae",), dtype=torch.bfloat16) == same
    assert identify_components(here, fp32=(), dtype=torch.float32) != same
    assert identify_components(here, fp32=("text_encoder",), dtype=torch.bfloat16) != same


class TestTakenOff:
    @pytest.mark.parametrize("after", list(MemoryPlan))
    @pytest.mark.parametrize("before", [MemoryPlan.RESIDENT, MemoryPlan.MODEL_OFFLOAD])
    def test_from_one_plan_to_another(
        self, tiny: Path, before: MemoryPlan, after: MemoryPlan
    ) -> None:
        """The hooks of the one are gone, and those of the other are as on a new encoder."""
        ids = torch.arange(8)[None]
        with torch.no_grad():
            pipeline = load(tiny, T2V, before)
            expected = pipeline.text_encoder(ids)[0]
            part = pipeline.text_encoder
            parts = detach_text_encoders(pipeline, before)
            assert parts == {"text_encoder": part}
            assert is_bare(part)
            assert torch.equal(part(ids)[0], expected)
            other = load(tiny, VACE, after, loaded=parts)
            assert other.text_encoder is part
            assert torch.equal(part(ids)[0], expected)
        fresh = load(tiny, VACE, after).text_encoder
        assert is_bare(part) == is_bare(fresh)

    def test_pieces_are_not_taken(self, tiny: Path) -> None:
        """What was loaded layer by layer is loaded anew."""
        assert (
            detach_text_encoders(
                load(tiny, T2V, MemoryPlan.GROUP_OFFLOAD), MemoryPlan.GROUP_OFFLOAD
            )
            == {}
        )

    def test_what_has_something_on_it_is_not_taken(self, tiny: Path) -> None:
        """A hook of somebody else, or an adapter of a LoRA."""
        from peft import LoraConfig, inject_adapter_in_model

        pipeline = load(tiny, T2V, MemoryPlan.RESIDENT)
        layer = next(pipeline.text_encoder.encoder.children())
        hook = layer.register_forward_hook(lambda *_given: None)
        assert detach_text_encoders(pipeline, MemoryPlan.RESIDENT) == {}
        hook.remove()
        assert detach_text_encoders(pipeline, MemoryPlan.RESIDENT).keys() == {"text_encoder"}
        inject_adapter_in_model(LoraConfig(target_modules=["q"], r=1), pipeline.text_encoder)
        assert detach_text_encoders(pipeline, MemoryPlan.RESIDENT) == {}


class TestMemory:
    def test_its_size(self, tiny: Path) -> None:
        """Each tensor counts once, and only on the device that is asked about."""
        part = load(tiny, T2V, MemoryPlan.RESIDENT).text_encoder
        size = sum(p.nbytes for p in part.parameters()) + sum(b.nbytes for b in part.buffers())
        assert lying_on({"text_encoder": part}, CPU) * 2**30 == pytest.approx(size)
        assert lying_on({"text_encoder": part}, torch.device("cuda")) == 0

    def test_what_stays_is_counted_as_the_models_own(
        self, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The plan of the next model is chosen as if the encoder were not there yet."""
        seen: list[float | None] = []

        def chosen(*given: Any, free_gib: float | None, **rest: Any) -> MemoryChoice:
            seen.append(free_gib)
            return choose_memory_plan(*given, free_gib=free_gib, **rest)

        # A CPU does not say how much memory is free, and has one plan.
        monkeypatch.setattr(devices, "free_memory_gib", lambda _device: 1.0)
        monkeypatch.setattr(memory_choice, "choose_memory_plan", chosen)
        one = on(tiny)
        part = encoder(one, T2V)
        encoder(one, VACE)
        assert seen == [1.0, 1.0 + lying_on({"text_encoder": part}, CPU)]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Leave no model behind: what is freed is looked at here."""
    yield
    gc.collect()
