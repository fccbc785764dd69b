"""Modular pipelines: loaded from a folder without its code, placed by hooks, quiet in a call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tests.local.materials import Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import CancelAt
from tiomagic_local.checkpoint.pipeline_index import (
    MODULAR_INDEX,
    PLAIN_INDEX,
    index_name,
    is_modular,
    pipeline_class,
    read_index,
)
from tiomagic_local.modular.placement import (
    networks,
    offload_blocks,
    offload_whole,
    release_networks,
    remove_hooks,
)
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL, OTHER = "wan2.2-animate-2-14b", "wan2.2-animate-2-14b-distilled"
FEATURE = Feature.POSE_GUIDANCE
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model."""
    return save(tmp_path_factory.mktemp("weights"), [MODEL])


@pytest.fixture(scope="module")
def runtime(weights: Path) -> Runtime:
    """A runtime with it."""
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


def inputs_of(studio: Materials) -> Any:
    media = {"image": studio.picture(), "guiding_video": studio.video()}
    return studio.request(MODEL, FEATURE, media=media).inputs


@pytest.fixture
def copied(weights: Path, tmp_path: Path) -> Path:
    """A copy of the folder, to be spoiled."""
    folder = tmp_path / "copied"
    folder.mkdir()
    for path in (weights / MODEL).iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path, target_is_directory=True)
        else:
            shutil.copy(path, folder)
    return folder


def load(folder: Path, model: str = MODEL) -> Any:
    """Load a model from a folder of its own."""
    return engine_of(Runtime(LocalOptions(model_path=folder, device="cpu")), model, FEATURE)


class TestIndex:
    def test_a_modular_class_has_an_index_of_its_own(self) -> None:
        """By the name, so that nothing is imported for it."""
        assert is_modular("WanAnimate2ModularPipeline")
        assert not is_modular("WanAnimatePipeline")
        assert index_name("MiniMaxH3ModularPipeline") == MODULAR_INDEX
        assert index_name("WanPipeline") == PLAIN_INDEX

    def test_both_forms_read_alike(self, tmp_path: Path) -> None:
        """The library and the class of each component, loaded before it was saved or not."""
        said = {
            "vae": ["diffusers", "AutoencoderKLWan", {"subfolder": "vae"}],
            "transformer": [None, None, {"type_hint": ["diffusers", "A"], "subfolder": "b"}],
            "_class_name": "XModularPipeline",
        }
        (tmp_path / MODULAR_INDEX).write_text(json.dumps(said))
        assert read_index(tmp_path) == {
            "vae": ["diffusers", "AutoencoderKLWan"],
            "transformer": ["diffusers", "A"],
            "_class_name": "XModularPipeline",
        }
        (tmp_path / PLAIN_INDEX).write_text('{"vae": ["diffusers", "Plain"]}')
        assert read_index(tmp_path)["vae"] == ["diffusers", "Plain"]

    @pytest.mark.parametrize(
        ("index", "expected"),
        [
            ({"_class_name": "WanPipeline"}, "WanPipeline"),
            (
                {"_class_name": "AModularPipeline", "_blocks_class_name": "ADistilledBlocks"},
                "ADistilledModularPipeline",
            ),
            (
                {"_class_name": "LTX25ModularPipeline", "_blocks_class_name": "LTX25AutoBlocks"},
                "LTX25ModularPipeline",
            ),
            ({}, None),
        ],
    )
    def test_blocks_tell_two_presets_of_one_class_apart(self, index: Any, expected: Any) -> None:
        """A distilled model may share the class of the other one."""
        assert pipeline_class(index) == expected


class TestLoading:
    def test_all_components_come_from_the_folder(self, engine: Any, weights: Path) -> None:
        """Also where its index names the hub; the VAE in fp32, and no network is missing."""
        pipeline = engine._pipeline
        assert pipeline.null_component_names == []
        assert pipeline.vae.dtype is torch.float32
        assert set(networks(pipeline)) == {"vae", "transformer", "text_encoder", "image_encoder"}

    def test_an_index_that_names_the_hub_is_read_from_the_copy(self, copied: Path) -> None:
        """As the hub's own tools download it."""
        index = json.loads((copied / MODULAR_INDEX).read_text())
        for name, value in index.items():
            if isinstance(value, list):
                value[2] |= {"pretrained_model_name_or_path": "some/repository", "revision": "x"}
                assert value[2]["subfolder"] == name
        (copied / MODULAR_INDEX).write_text(json.dumps(index))
        assert load(copied)._pipeline.null_component_names == []

    def test_a_missing_component_is_named(self, copied: Path) -> None:
        """The library goes on without it, and fails in the middle of a run."""
        (copied / "vae").unlink()
        with pytest.raises(ConfigurationError, match=r"cannot be loaded.*'vae'"):
            load(copied)

    def test_code_in_a_folder_is_not_run(self, copied: Path) -> None:
        """A repository may bring blocks of its own; they are refused."""
        said = {"auto_map": {"ModularPipelineBlocks": "mine.MyBlocks"}}
        (copied / "modular_config.json").write_text(json.dumps(said))
        (copied / "mine.py").write_text("raise SystemExit('run')")
        with pytest.raises(ConfigurationError, match="trust_remote_code"):
            load(copied)

    def test_the_other_preset_is_refused(self, copied: Path) -> None:
        """Base weights with the steps of the distilled ones give noise."""
        with pytest.raises(ConfigurationError, match="WanAnimate2Distilled"):
            load(copied, OTHER)


class TestPlacing:
    """On a CPU the device is the memory that the weights wait in: the numbers must stay."""

    def test_hooks_change_no_numbers(self, weights: Path, studio: Materials) -> None:
        """Whole networks, then blocks: each as without, and the hooks of the first go again."""
        engine, inputs = load(weights / MODEL), inputs_of(studio)
        settings = settings_of(MODEL, FEATURE)

        def make() -> bytes:
            clip = engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
            return bytes(clip.frames.tobytes())

        plain = make()
        offload_whole(engine._pipeline, CPU)
        assert make() == plain
        release_networks(engine._pipeline)
        remove_hooks(engine._pipeline)
        parts = networks(engine._pipeline).values()
        assert not any(hasattr(part, "_hf_hook") for part in parts)
        offload_blocks(engine._pipeline, CPU)
        assert engine._pipeline._execution_device == CPU
        assert make() == plain

    def test_one_network_makes_room_for_the_next(self) -> None:
        """All others leave the device, whatever fits beside."""

        class Pipeline:
            components: ClassVar[dict[str, torch.nn.Module]] = {
                "text_encoder": torch.nn.Linear(2, 2),
                "vae": torch.nn.Linear(2, 2),
            }

        offload_whole(Pipeline(), torch.device("meta"))
        text, vae = (part._hf_hook for part in Pipeline.components.values())
        assert text.offload_strategy(hooks=[1, 2], model_id="", model=None) == [1, 2]
        assert [hook.model for hook in vae.other_hooks] == [Pipeline.components["text_encoder"]]


class TestCall:
    def test_nothing_is_printed(self, engine: Any, studio: Materials, capfd: Any) -> None:
        """No bar of the blocks, and no traceback of each block when a run is stopped."""
        inputs, settings = inputs_of(studio), settings_of(MODEL, FEATURE)
        engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
        capfd.readouterr()
        engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
        with pytest.raises(GenerationCanceledError):
            engine.pose_guidance(inputs, settings, ignore_progress, CancelAt(11))
        assert capfd.readouterr().err == ""

    def test_a_call_has_a_scheduler_and_a_guider_of_its_own(
        self, engine: Any, studio: Materials
    ) -> None:
        """With the call's own shift and scale, and nothing in them of the call before."""
        inputs = inputs_of(studio)
        seen = []
        for shift, scale in ((3.0, 2.0), (5.0, 1.0)):
            settings = settings_of(MODEL, FEATURE, flow_shift=shift, guidance_scale=scale)
            engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
            pipeline = engine._pipeline
            seen.append((pipeline.scheduler, pipeline.guider))
            assert pipeline.scheduler.config.flow_shift == shift
            assert pipeline.guider.guidance_scale == scale
            assert "step" not in vars(pipeline.scheduler)
        (first, second) = seen
        assert first[0] is not second[0]
        assert first[1] is not second[1]


def test_the_card_and_the_engine_name_the_same_class() -> None:
    """The presets are two classes of the library."""
    from tiomagic_local.engines import find_engine

    kinds = [find_engine(find_model(name).engine).pipeline for name in (MODEL, OTHER)]
    assert kinds == ["WanAnimate2ModularPipeline", "WanAnimate2DistilledModularPipeline"]
