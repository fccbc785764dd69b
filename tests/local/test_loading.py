"""From files to a pipeline: side by side, straight to the device, and unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanPipeline
from diffusers.models import modeling_utils
from tests.tiny import TINY

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.locate import find_weights

NAME = "wan2.1-t2v-1.3b"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights whose transformer lies in several files."""
    whole = tmp_path_factory.mktemp("whole")
    TINY[NAME](whole)
    weights = tmp_path_factory.mktemp("weights")
    with silence_libraries():
        WanPipeline.from_pretrained(whole).save_pretrained(weights / NAME, max_shard_size="20KB")
    assert len(list((weights / NAME / "transformer").glob("*.safetensors"))) > 2
    return weights


def load(folder: Path, plan: MemoryPlan = MemoryPlan.RESIDENT) -> Any:
    """Load it as the runtime does."""
    options = LocalOptions(weights_dir=folder)
    found = find_weights(
        find_model(NAME), options, pipeline="WanPipeline", progress=ignore_progress
    )
    cpu = torch.device("cpu")
    return load_pipeline(
        found, pipeline="WanPipeline", fp32=("vae",), dtype=torch.float32, device=cpu, plan=plan
    )


def test_files_are_read_side_by_side_and_nothing_changes(folder, monkeypatch):
    """All files in one go; the library's switch is as it was, and the weights are the same."""
    taken: list[int] = []
    original = modeling_utils._load_shard_files_with_threadpool

    def counted(files: list[str], *given: Any, **named: Any) -> Any:
        taken.append(len(files))
        return original(files, *given, **named)

    monkeypatch.setattr(modeling_utils, "_load_shard_files_with_threadpool", counted)
    monkeypatch.setattr(modeling_utils, "HF_ENABLE_PARALLEL_LOADING", False)
    pipeline = load(folder)
    assert max(taken) > 2
    assert modeling_utils.HF_ENABLE_PARALLEL_LOADING is False
    with silence_libraries():
        plain = WanPipeline.from_pretrained(folder / NAME)
    for name in ("transformer", "vae", "text_encoder"):
        theirs = getattr(plain, name).state_dict()
        ours = getattr(pipeline, name).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_only_weights_that_stay_go_straight_to_the_device(folder):
    """What waits elsewhere must not lie on the device beforehand."""
    assert load(folder).hf_device_map == "cpu"
    assert load(folder, MemoryPlan.GROUP_OFFLOAD).hf_device_map is None


def test_a_damaged_file_leaves_the_switch_as_it_was(folder, tmp_path, monkeypatch):
    """An error on the way out of one of the readers too."""
    monkeypatch.setattr(modeling_utils, "HF_ENABLE_PARALLEL_LOADING", False)
    damaged = tmp_path / NAME
    with silence_libraries():
        WanPipeline.from_pretrained(folder / NAME).save_pretrained(damaged, max_shard_size="20KB")
    last = max((damaged / "transformer").glob("*.safetensors"))
    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(ConfigurationError, match="damaged"):
        load(tmp_path)
    assert modeling_utils.HF_ENABLE_PARALLEL_LOADING is False
