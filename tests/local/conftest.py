"""What tests of the local adapter share: tiny weights, pictures, and requests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.local.materials import Materials, engine_of
from tests.tiny import save

from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

MODELS = (
    "wan2.1-t2v-1.3b",
    "wan2.1-i2v-14b-480p",
    "wan2.1-flf2v-14b-720p",
    "wan2.1-vace-1.3b",
)


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
    """A folder with tiny weights for a model of each engine of Wan 2.1."""
    return save(tmp_path_factory.mktemp("weights"), MODELS)


@pytest.fixture
def options(weights_dir: Path) -> LocalOptions:
    """Tiny weights, on the CPU."""
    return LocalOptions(weights_dir=weights_dir, device="cpu")


@pytest.fixture(scope="session")
def shared_runtime(weights_dir: Path) -> Runtime:
    """A runtime that keeps its model from test to test."""
    return Runtime(LocalOptions(weights_dir=weights_dir, device="cpu"))


@pytest.fixture(scope="module")
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with tiny weights of the one ``MODEL`` that a test's module is about."""
    weights = save(tmp_path_factory.mktemp("weights"), [request.module.MODEL])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


@pytest.fixture
def engine(request: pytest.FixtureRequest, runtime: Runtime) -> Any:
    """The engine of the module's ``MODEL``, loaded for its ``FEATURE``."""
    return engine_of(runtime, request.module.MODEL, request.module.FEATURE)


@pytest.fixture
def studio(tmp_path: Path) -> Materials:
    """Makes pictures, videos and requests."""
    return Materials(tmp_path / "inputs")


@pytest.fixture
def clock() -> RealClock:
    """The time as it is."""
    return RealClock()
