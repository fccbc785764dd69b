"""What tests of the whole way share: tiny weights and a working directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny import save

MODELS = (
    "wan2.1-t2v-1.3b",
    "wan2.1-i2v-14b-480p",
    "wan2.1-flf2v-14b-720p",
    "wan2.1-vace-1.3b",
)


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights for a model of each engine of Wan 2.1."""
    return save(tmp_path_factory.mktemp("weights"), MODELS)
