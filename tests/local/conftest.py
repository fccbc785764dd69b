"""What tests of the local adapter share: tiny weights, pictures, and requests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.local.materials import Studio
from tests.local.tiny_pipelines import BUILDERS

from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime import Runtime


class RealClock:
    """The time as it is."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(max(seconds, 0))


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights for a model of each engine."""
    import torch

    from tiomagic_local.quiet import quiet

    # More threads gain nothing on models this small, and test runs that share a machine would wait
    # for each other's threads.
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    with quiet():
        for name, build in BUILDERS.items():
            build(folder / name)
    return folder


@pytest.fixture
def options(weights_dir: Path) -> LocalOptions:
    """Tiny weights, on the CPU."""
    return LocalOptions(weights_dir=weights_dir, device="cpu")


@pytest.fixture(scope="session")
def shared_runtime(weights_dir: Path) -> Runtime:
    """A runtime that keeps its model from test to test."""
    return Runtime(LocalOptions(weights_dir=weights_dir, device="cpu"))


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Makes pictures, videos and requests."""
    return Studio(tmp_path / "inputs")


@pytest.fixture
def clock() -> RealClock:
    """The time as it is."""
    return RealClock()
