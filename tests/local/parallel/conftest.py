"""Runtimes on one and on two devices, which are processes of this machine's CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.local.parallel.bench import MODELS
from tests.tiny import save

from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of the models."""
    return save(tmp_path_factory.mktemp("weights"), MODELS)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have weights that are made in fewer bits kept in a folder of these tests, by all ranks."""
    place = str(tmp_path_factory.mktemp("hf") / "hub")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HUB_CACHE", place)
        patched.setattr("huggingface_hub.constants.HF_HUB_CACHE", place)
        yield


@pytest.fixture(scope="module")
def pair(folder: Path, own_cache: None) -> Iterator[Runtime]:
    """A runtime on two devices, whose other rank goes from test to test."""
    runtime = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu"))
    yield runtime
    runtime.unload()


@pytest.fixture(scope="module")
def single(folder: Path, own_cache: None) -> Runtime:
    """A runtime on one device."""
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))
