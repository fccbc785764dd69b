"""Which files of a repository are fetched: those of the pipeline, no other form of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub import download_repository
from tiomagic_local.weights.locate import find_weights

FILES = [
    "README.md",
    "ltxv-13b-0.9.7-dev.safetensors",
    "ltx-video-2b-v0.9.safetensors",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model-00001-of-00004.safetensors",
    "tokenizer/spiece.model",
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "vae/old.bin",
]
"""A repository that holds every version of a model as one file beside the pipeline."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files that each call would fetch, chosen by the hub client's own filter."""
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    calls: list[list[str]] = []

    def snapshot_download(
        _repository: str, *, allow_patterns: list[str], ignore_patterns: list[str], **_rest: Any
    ) -> str:
        chosen = filter_repo_objects(
            FILES, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
        )
        calls.append(list(chosen))
        (tmp_path / "model_index.json").write_text('{"_class_name": "LTXPipeline"}')
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_of_a_pipeline_only_the_components_are_fetched(asked: list[list[str]]) -> None:
    """The single files at the root, hundreds of gigabytes here, stay where they are."""
    card = find_model("ltx-video")
    find_weights(card, LocalOptions(), pipeline="LTXPipeline", progress=ignore_progress)
    small, files = asked
    assert small == [name for name in files if not name.endswith(".safetensors")]
    assert files == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00004.safetensors",
        "tokenizer/spiece.model",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]


def test_a_component_may_lie_at_the_root_of_its_own_repository(asked: list[list[str]]) -> None:
    """Where a repository is one component, its weights are at the root."""
    download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
    assert "ltx-video-2b-v0.9.safetensors" in asked[-1]
