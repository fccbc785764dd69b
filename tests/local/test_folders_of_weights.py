"""Folders and repositories of weights: variants, what lacks, and repositories as ``model_path``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import AuthenticationError, ConfigurationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.checkpoint.variants import superfluous
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.weights.locate import Weights, find_weights

__all__ = ["hub_server"]

T2V = find_model("wan2.1-t2v-1.3b")
KEY = "blocks.0.attn1.to_q.weight"


@pytest.fixture
def folder(weights_dir: Path, tmp_path: Path) -> Path:
    """A copy of a tiny pipeline's folder."""
    return Path(shutil.copytree(weights_dir / T2V.name, tmp_path / "mine"))


def find(path: Path) -> Weights:
    """Return the weights of what is given as ``model_path``."""
    options = LocalOptions(model_path=path)
    return find_weights(T2V, options, pipeline="WanPipeline", progress=ignore_progress)


def load(found: Weights) -> Any:
    """Return the pipeline."""
    return load_pipeline(
        found,
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=torch.float32,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )


def save_variant(folder: Path, variant: str, names: tuple[str, ...], size: str = "5GB") -> None:
    """Replace components by the same in a variant, in shards of a size, by the libraries' own."""
    from diffusers import WanPipeline

    pipeline = WanPipeline.from_pretrained(folder)
    for name in names:
        part = getattr(pipeline, name)
        shutil.rmtree(folder / name)
        part.half().save_pretrained(folder / name, variant=variant, max_shard_size=size)


class TestVariants:
    @pytest.mark.parametrize("size", ["5GB", "20KB"])
    @pytest.mark.parametrize(
        "names", [("transformer", "vae", "text_encoder"), ("transformer",), ("text_encoder",)]
    )
    def test_a_folder_in_fp16(self, folder: Path, names: tuple[str, ...], size: str) -> None:
        """Whole or in shards, for some of its components or all, it is read as it is."""
        before = load(find(folder)).transformer.state_dict()[KEY]
        save_variant(folder, "fp16", names, size)
        files = [path.name for path in (folder / names[0]).iterdir()]
        assert all(".fp16" in name for name in files if name.endswith(".safetensors"))
        assert size == "5GB" or any(name.endswith(".json") and "index" in name for name in files)
        pipeline = load(find(folder))
        after = pipeline.transformer.state_dict()[KEY]
        expected = before.half().float() if "transformer" in names else before
        assert torch.equal(after, expected)
        assert after.dtype is torch.float32

    def test_the_whole_numbers_come_first(self, folder: Path) -> None:
        """Where both are there, those without a variant are read, and not fetched twice."""
        place = folder / "transformer"
        file = place / "diffusion_pytorch_model.safetensors"
        zeros = {name: torch.zeros_like(t).half() for name, t in load_file(file).items()}
        save_file(zeros, place / "diffusion_pytorch_model.fp16.safetensors")
        assert load(find(folder)).transformer.state_dict()[KEY].abs().max() > 0
        listed = [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]
        assert superfluous(listed) == ["transformer/diffusion_pytorch_model.fp16.safetensors"]

    def test_of_several_variants_the_finest(self, folder: Path) -> None:
        """fp32 before bf16 before fp16."""
        place = folder / "transformer"
        file = place / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        file.unlink()
        for variant, factor in (("fp16", 1.0), ("bf16", 2.0), ("fp32", 3.0)):
            scaled = {name: tensor * factor for name, tensor in tensors.items()}
            save_file(scaled, place / f"diffusion_pytorch_model.{variant}.safetensors")
        assert torch.equal(load(find(folder)).transformer.state_dict()[KEY], tensors[KEY] * 3)


class TestWhole:
    @pytest.mark.parametrize("part", ["transformer", "vae"])
    def test_a_tensor_that_lacks(self, folder: Path, part: str) -> None:
        """A component without a tensor has no value for it: it is refused with its name."""
        file = folder / part / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        name = next(name for name in tensors if name.endswith(".bias"))
        del tensors[name]
        save_file(tensors, file)
        with pytest.raises(ConfigurationError, match=rf"{part} lacks 1 tensors, such as '{name}'"):
            load(find(folder))

    def test_factors_in_a_folder(self, folder: Path) -> None:
        """Weights with factors beside them, which the library would drop, are refused."""
        file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        tensors["blocks.0.attn1.to_q.weight_scale"] = torch.tensor(2.0)
        save_file(tensors, file)
        with pytest.raises(ConfigurationError, match="transformer has 1 factors"):
            load(find(folder))


class TestRepositories:
    def test_it_is_fetched_and_recorded(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``owner/name`` that is no folder here is a repository; its commit is in the record."""
        monkeypatch.chdir(folder.parent)
        commit = hub_server.publish("some/tuned", folder)
        found = find(Path("some/tuned"))
        assert found.facts() == {
            "origin": "model_path",
            "repository": "some/tuned",
            "revision": commit,
        }
        assert found.revisions == {}
        assert KEY in load(found).transformer.state_dict()

    def test_a_revision(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After an at sign stands a commit, which need not be the newest."""
        monkeypatch.chdir(folder.parent)
        first = hub_server.publish("some/tuned", folder)
        hub_server.publish("some/tuned", {"model_index.json": b"{}"})
        assert find(Path(f"some/tuned@{first}")).revision == first

    def test_a_folder_of_that_name_comes_first(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is here is not asked for."""
        monkeypatch.chdir(folder.parent)
        (folder.parent / "some").mkdir()
        folder.rename(folder.parent / "some" / "tuned")
        assert find(Path("some/tuned")).repository is None
        assert hub_server.asked == []

    def test_variants_beside_whole_numbers_are_not_fetched(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of two forms of the same weights one is downloaded."""
        monkeypatch.chdir(folder.parent)
        twice = folder / "transformer" / "diffusion_pytorch_model.fp16.safetensors"
        shutil.copy(twice.with_name("diffusion_pytorch_model.safetensors"), twice)
        hub_server.publish("some/tuned", folder)
        find(Path("some/tuned"))
        got = hub_server.downloaded_files("some/tuned")
        assert "transformer/diffusion_pytorch_model.safetensors" in got
        assert not any(".fp16" in name for name in got)

    def test_another_pipeline_fetches_nothing_more(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The index says what it is for, before any weights."""
        monkeypatch.chdir(folder.parent)
        index = json.dumps({"_class_name": "FluxPipeline"}).encode()
        hub_server.publish("some/other", {"model_index.json": index, "a/b.safetensors": b"28 GiB"})
        with pytest.raises(ConfigurationError, match="'FluxPipeline'"):
            find(Path("some/other"))
        assert hub_server.downloaded_files("some/other") == {"model_index.json"}

    def test_neither_here_nor_there(
        self, hub_server: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder whose name is mistyped is said to be looked for in both places."""
        monkeypatch.chdir(folder.parent)
        refused = pytest.raises((ConfigurationError, AuthenticationError))
        with refused as caught:
            find(Path("weights/mime"))
        assert "'weights/mime' is not a file or folder here" in str(caught.value)


@pytest.mark.parametrize("name", ["mine.ckpt", "mine.pt", "mine.bin"])
def test_a_pickled_file_says_how_to_convert(tmp_path: Path, name: str) -> None:
    """It is never opened; the error has the line that converts it."""
    (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ConfigurationError, match=r"save_file.*mine\.safetensors"):
        find(tmp_path / name)
