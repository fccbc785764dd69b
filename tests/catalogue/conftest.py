"""What tests of the whole catalogue share: tiny weights for every model, built when asked for."""

from __future__ import annotations

import pytest
from tests.catalogue.stage import Wardrobe
from tests.local.materials import Studio


@pytest.fixture(scope="session")
def wardrobe(tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    """Tiny weights for every model."""
    return Wardrobe(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Makes pictures, videos and requests."""
    return Studio(tmp_path_factory.mktemp("inputs"))
