"""A pipeline whose components come from several repositories."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.tiny.hunyuan import build_framepack

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.given_files import find_given_files
from tiomagic_local.weights.hub_cache import select_names
from tiomagic_local.weights.hub_files import WantedFiles
from tiomagic_local.weights.locate import Weights, find_weights

CARD = find_model("framepack-i2v-hy")
PIPELINE = "HunyuanVideoFramepackPipeline"
COMMITS = {
    "hunyuanvideo-community/HunyuanVideo": "1" * 40,
    "lllyasviel/FramePackI2V_HY": "2" * 40,
    "lllyasviel/flux_redux_bfl": "3" * 40,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three repositories as their authors keep them, one folder each, of tiny weights."""
    folder = tmp_path_factory.mktemp("hub")
    base, own, sight = (folder / name for name in COMMITS)
    with silence_libraries():
        build_framepack(base)
    shutil.move(base / "transformer", own)
    sight.mkdir()
    for name in ("image_encoder", "feature_extractor"):
        shutil.move(base / name, sight / name)
    # The base is a pipeline of another class, with a transformer of its own that is of no use.
    index = json.loads((base / "model_index.json").read_text())
    for name in ("image_encoder", "feature_extractor"):
        del index[name]
    index |= {"_class_name": "HunyuanVideoPipeline"}
    index["transformer"] = ["diffusers", "HunyuanVideoTransformer3DModel"]
    (base / "model_index.json").write_text(json.dumps(index))
    (base / "transformer").mkdir()
    (base / "transformer" / "config.json").write_text("{}")
    (base / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"24 GiB")
    return folder


@pytest.fixture
def served(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy from those repositories what would be downloaded."""

    def download(wanted: Sequence[WantedFiles], **_rest: Any) -> list[Path]:
        return [copy(each) for each in wanted]

    def copy(files: WantedFiles) -> Path:
        source = hub / files.repository
        names = [p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()]
        target = tmp_path / files.repository / COMMITS[files.repository]
        for name in select_names(names, files.names, files.without):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target / name)
        return target

    monkeypatch.setattr("tiomagic_local.weights.hub.download_all", download)


@pytest.fixture
def found(served: None) -> Weights:
    """The weights of the card."""
    return find_weights(CARD, LocalOptions(), pipeline=PIPELINE, progress=ignore_progress)


def test_what_is_replaced_is_not_fetched(found: Weights) -> None:
    """The base comes without its own transformer, and of a part's repository only its folder."""
    assert not (found.folder / "transformer").exists()
    assert (found.folder / "vae" / "config.json").is_file()
    folders = {part.part.name: part.folder for part in found.parts}
    assert (folders["transformer"] / "config.json").is_file()
    assert (folders["image_encoder"] / "config.json").is_file()
    assert (folders["feature_extractor"] / "preprocessor_config.json").is_file()


def test_the_record_names_every_repository(found: Weights) -> None:
    """The recipe has the commit of each part, and no path."""
    facts: Any = found.facts()
    commits = list(COMMITS.values())
    assert (facts["repository"], facts["revision"]) == (CARD.repository, commits[0])
    assert {name: part["revision"] for name, part in facts["parts"].items()} == {
        "transformer": commits[1],
        "image_encoder": commits[2],
        "feature_extractor": commits[2],
    }
    assert str(found.folder) not in json.dumps(facts)


def test_they_become_one_pipeline(found: Weights, hub: Path) -> None:
    """The pipeline has every part, each with its weights and in its type."""
    import torch
    from safetensors.torch import load_file

    pipeline = load_pipeline(
        found,
        pipeline=PIPELINE,
        fp32=("vae", "image_encoder"),
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )
    assert type(pipeline).__name__ == PIPELINE
    assert pipeline.image_encoder.dtype is torch.float32
    assert type(pipeline.feature_extractor).__name__.startswith("SiglipImageProcessor")
    file = hub / "lllyasviel/FramePackI2V_HY" / "diffusion_pytorch_model.safetensors"
    stored = load_file(file)["proj_out.weight"]
    loaded = pipeline.transformer.proj_out.weight
    assert loaded.dtype is torch.bfloat16
    assert torch.equal(loaded, stored.to(torch.bfloat16))


def test_one_file_is_no_part(served: None, tmp_path: Path) -> None:
    """The class that counts is the part's, and not the one that the base has in its place."""
    file = tmp_path / "mine.safetensors"
    file.touch()
    options = LocalOptions(model_path=file)
    with pytest.raises(ConfigurationError, match="a HunyuanVideoFramepackTransformer3DModel"):
        find_weights(
            CARD,
            options,
            pipeline=PIPELINE,
            progress=ignore_progress,
            files=find_given_files(CARD, {}, options, progress=ignore_progress),
        )
    assert [path.name for path in tmp_path.rglob("*.*") if path != file] == ["model_index.json"]
