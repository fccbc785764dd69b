"""What tests of the whole catalogue share: tiny weights for every model, built when asked for."""

from __future__ import annotations

import pytest
from tests.catalogue.stage import TinyRuntime
from tests.local.materials import Materials


@pytest.fixture(scope="session")
def wardrobe(tmp_path_factory: pytest.TempPathFactory) -> TinyRuntime:
    """Tiny weights for every model."""
    return TinyRuntime(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Materials:
    """Makes pictures, videos and requests."""
    return Materials(tmp_path_factory.mktemp("inputs"))
