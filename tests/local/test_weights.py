"""Weights: where they are taken from, and what is said when they are not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.component_files.kinds import find_class
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.weights import hub, locate
from tiomagic_local.weights.given_files import find_given_files
from tiomagic_local.weights.hub_files import WantedFiles
from tiomagic_local.weights.locate import Origin, Weights, digest_folder, find_weights, local_folder

T2V = find_model("wan2.1-t2v-1.3b")
PIPELINE = "WanPipeline"


def find(options: LocalOptions) -> Weights:
    files = find_given_files(T2V, {}, options, progress=ignore_progress)
    return find_weights(T2V, options, pipeline=PIPELINE, progress=ignore_progress, files=files)


class TestOrigins:
    def test_a_folder_that_was_given_comes_first(self, weights_dir: Path) -> None:
        """``model_path`` is taken for whatever model is asked for."""
        folder = weights_dir / T2V.name
        found = find(LocalOptions(model_path=folder, weights_dir=Path("/nowhere")))
        assert (found.folder, found.origin) == (folder, Origin.MODEL_PATH)

    def test_then_the_folder_of_weights(self, weights_dir: Path) -> None:
        """``weights_dir`` holds one folder a model, and its content is in the record."""
        found = find(LocalOptions(weights_dir=weights_dir))
        assert (found.folder, found.origin) == (weights_dir / T2V.name, Origin.WEIGHTS_DIR)
        assert found.revision == digest_folder(found.folder)
        assert str(weights_dir) not in json.dumps(found.facts())

    def test_then_the_hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What no folder has is fetched at the card's revision, and the commit is recorded."""
        asked: list[Any] = []
        commit = tmp_path / "0fad780a"
        commit.mkdir()
        (commit / "model_index.json").write_text('{"_class_name": "WanPipeline"}')

        def download(wanted: Sequence[WantedFiles], **rest: Any) -> list[Path]:
            asked.extend((each.repository, each.revision, rest["token"]) for each in wanted)
            return [commit]

        monkeypatch.setattr(hub, "download_all", download)
        found = find(LocalOptions(weights_dir=tmp_path, hf_token="secret"))
        assert asked == [(T2V.repository, T2V.revision, "secret")]
        assert (found.origin, found.revision) == (Origin.HUB, "0fad780a")
        assert found.facts()["repository"] == T2V.repository

    def test_weights_may_come_with_the_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A card without a repository has its weights in the package, or says that they lack."""
        card = replace(T2V, name="brought", repository=None)
        monkeypatch.setattr(locate, "PACKAGED_WEIGHTS_DIR", tmp_path)
        with pytest.raises(ConfigurationError, match="should come with tiomagic"):
            local_folder(card, LocalOptions())
        (tmp_path / "brought").mkdir()
        assert local_folder(card, LocalOptions()) == (tmp_path / "brought", Origin.PACKAGE)

    def test_a_token_is_not_shown(self) -> None:
        """Printing the options shows no secret."""
        assert "secret" not in repr(LocalOptions(hf_token="secret"))


class TestOneFile:
    """``model_path`` may be one file with the transformer; the rest comes from elsewhere."""

    def test_it_takes_the_transformers_place(self, weights_dir: Path, tmp_path: Path) -> None:
        """The file's weights run, with the record of the file and of the rest, and no path."""
        import torch
        from safetensors.torch import load_file, save_file

        inside = weights_dir / T2V.name / "transformer" / "diffusion_pytorch_model.safetensors"
        tensors = {name: tensor * 2 for name, tensor in load_file(inside).items()}
        file = tmp_path / "mine.safetensors"
        save_file(tensors, file)
        found = find(LocalOptions(model_path=file, weights_dir=weights_dir))
        assert (found.origin, found.given["transformer"].file.path) == (Origin.WEIGHTS_DIR, file)
        facts: Any = found.facts()
        assert facts["transformer"]["file"] == "mine.safetensors"
        assert str(tmp_path) not in json.dumps(facts)
        ours, theirs = load(found), load(find(LocalOptions(weights_dir=weights_dir)))
        key = "blocks.0.attn1.to_q.weight"
        mine, other = (p.transformer.state_dict()[key] for p in (ours, theirs))
        assert torch.equal(mine, other * 2)
        assert mine.dtype is torch.bfloat16

    @pytest.mark.parametrize(
        ("size", "words"),
        [
            (3, r"another shape, such as 'blocks\.0\.attn1\.to_q\.weight': \(3, 3\) .* \(24, 24\)"),
            (24, r"lacks \d+ tensors, such as"),
        ],
    )
    def test_one_for_another_model(
        self, weights_dir: Path, tmp_path: Path, size: int, words: str
    ) -> None:
        """Other sizes, and a transformer that is not whole, are errors before anything loads."""
        import torch
        from safetensors.torch import save_file

        file = tmp_path / "foreign.safetensors"
        save_file({"blocks.0.attn1.to_q.weight": torch.zeros(size, size)}, file)
        with pytest.raises(ConfigurationError, match=words) as caught:
            find(LocalOptions(model_path=file, weights_dir=weights_dir))
        assert "foreign.safetensors' cannot be loaded" in caught.value.message

    @pytest.mark.parametrize(
        ("index", "words"),
        [
            ({"transformer": ["diffusers", "CogVideoXTransformer3DModel"]}, "reads from a folder"),
            (
                {
                    "transformer": ["diffusers", "WanTransformer3DModel"],
                    "transformer_2": ["diffusers", "WanTransformer3DModel"],
                },
                "has two of them",
            ),
        ],
    )
    def test_a_model_that_one_file_does_not_hold(self, index: dict[str, Any], words: str) -> None:
        """What diffusers does not read from one file, and a model of two experts, want a folder."""
        with pytest.raises(ConfigurationError, match=words):
            find_class("transformer", "x.safetensors", index, argument="model_path")


class TestTroubleWithFolders:
    @pytest.mark.parametrize("name", ["model_path", "weights_dir"])
    def test_a_folder_that_is_not_there(self, tmp_path: Path, name: str) -> None:
        """The error names the setting and the path."""
        missing, file = tmp_path / "gone", tmp_path / "file"
        file.touch()
        with pytest.raises(ConfigurationError, match=rf"{name} '.*gone' does not exist"):
            find(LocalOptions(**{name: missing}))
        with pytest.raises(ConfigurationError, match=rf"{name} '.*file' is not a folder"):
            find(LocalOptions(**{name: file}))

    def test_a_folder_without_a_pipeline(self, tmp_path: Path) -> None:
        """The error tells what was found instead."""
        (tmp_path / "model.ckpt").touch()
        with pytest.raises(ConfigurationError, match=r"no model_index\.json.*model\.ckpt"):
            find(LocalOptions(model_path=tmp_path))

    def test_weights_of_something_else(self, weights_dir: Path) -> None:
        """The error names both pipelines."""
        other = LocalOptions(model_path=weights_dir / "wan2.1-vace-1.3b")
        with pytest.raises(ConfigurationError, match=r"'WanVACEPipeline'.*'WanPipeline'"):
            find(other)

    @pytest.mark.parametrize("text", ["{", "[]", ""])
    def test_an_index_that_is_none(self, tmp_path: Path, text: str) -> None:
        """A damaged index is an error that names the file."""
        (tmp_path / "model_index.json").write_text(text)
        with pytest.raises(ConfigurationError, match="model_index"):
            find(LocalOptions(model_path=tmp_path))

    @pytest.mark.parametrize("harm", ["missing", "cut", "pickle"])
    def test_damaged_weights(self, weights_dir: Path, tmp_path: Path, harm: str) -> None:
        """Missing, cut and pickled weights do not load, and the error says which folder."""
        folder = tmp_path / "weights"
        shutil.copytree(weights_dir / T2V.name, folder)
        file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        if harm == "cut":
            file.write_bytes(file.read_bytes()[:1000])
        elif harm == "pickle":
            file.rename(file.with_name("diffusion_pytorch_model.bin"))
        else:
            file.unlink()
        with pytest.raises(ConfigurationError, match="cannot be loaded") as caught:
            load(find(LocalOptions(model_path=folder)))
        assert str(folder) in caught.value.message

    def test_the_digest_follows_the_configuration(self, weights_dir: Path, tmp_path: Path) -> None:
        """Another configuration is another revision; the same folder elsewhere is the same."""
        copy = tmp_path / "copy"
        shutil.copytree(weights_dir / T2V.name, copy)
        before = digest_folder(copy)
        assert before == digest_folder(weights_dir / T2V.name)
        (copy / "scheduler" / "scheduler_config.json").write_text("{}")
        assert digest_folder(copy) != before


def load(found: Weights, plan: MemoryPlan = MemoryPlan.RESIDENT) -> Any:
    import torch

    return load_pipeline(
        found,
        pipeline=PIPELINE,
        fp32=("vae",),
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        plan=plan,
    )


class TestLoading:
    def test_the_types_are_as_the_engine_wants(self, options: LocalOptions) -> None:
        """What the engine names stays in fp32, the rest runs in the device's type."""
        import torch

        pipeline = load(find(options))
        assert pipeline.vae.dtype is torch.float32
        assert pipeline.text_encoder.dtype is torch.bfloat16
        assert pipeline.transformer.patch_embedding.weight.dtype is torch.bfloat16

    def test_group_offload_leaves_the_vae_alone(self, options: LocalOptions) -> None:
        """Layers come and go, except those of the VAE."""
        pipeline = load(find(options), MemoryPlan.GROUP_OFFLOAD)
        hooked = {
            name
            for name in ("vae", "transformer", "text_encoder")
            if any(
                hasattr(module, "_diffusers_hook") for module in getattr(pipeline, name).modules()
            )
        }
        assert hooked == {"transformer", "text_encoder"}

    def test_loading_is_silent(
        self, options: LocalOptions, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No progress bar and no advice reaches the terminal."""
        load(find(options))
        assert capfd.readouterr() == ("", "")
