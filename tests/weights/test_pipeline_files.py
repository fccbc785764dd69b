"""Which files of a repository are fetched: those of the pipeline, no other form of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub import download_repository
from tiomagic_local.weights.locate import find_weights

__all__ = ["hub_server"]

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
def published(hub_server: Hub) -> Hub:
    """A hub that has it."""
    index = b'{"_class_name": "LTXPipeline"}'
    files = {name: index if name == "model_index.json" else name.encode() for name in FILES}
    hub_server.publish("a/b", files)
    return hub_server


def test_of_a_pipeline_only_the_components_are_fetched(published: Hub) -> None:
    """The single files at the root, hundreds of gigabytes here, stay where they are."""
    card = replace(find_model("ltx-video"), repository="a/b", revision=None)
    find_weights(card, LocalOptions(), pipeline="LTXPipeline", progress=ignore_progress)
    assert published.downloaded_files("a/b") == {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00004.safetensors",
        "tokenizer/spiece.model",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_a_component_may_lie_at_the_root_of_its_own_repository(published: Hub) -> None:
    """Where a repository is one component, its weights are at the root; code is never fetched."""
    download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
    fetched = published.downloaded_files("a/b")
    assert "ltx-video-2b-v0.9.safetensors" in fetched
    assert not fetched & {"README.md", "vae/old.bin"}
