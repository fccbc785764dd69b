"""A runtime over tiny weights, and a desk that makes clips on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.local.speed.desk import SpeedRunner

from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

if TYPE_CHECKING:
    from tests.local.materials import Materials


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime over a folder of tiny weights."""
    folder = tmp_path_factory.mktemp("weights")
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))


@pytest.fixture
def desk(weights: Runtime, studio: Materials) -> SpeedRunner:
    """Makes clips."""
    return SpeedRunner(weights, studio)


@pytest.fixture(scope="module")
def shipped_weights() -> Runtime:
    """A runtime over the model that comes along."""
    return Runtime(LocalOptions(device="cpu"))


@pytest.fixture
def shipped(shipped_weights: Runtime, studio: Materials) -> SpeedRunner:
    """Makes clips with the model that comes along, whose layers are wide."""
    return SpeedRunner(shipped_weights, studio)
