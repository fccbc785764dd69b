"""What tests of the whole way share: tiny weights and a working directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.local.tiny_pipelines import BUILDERS


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights for a model of each engine."""
    import torch

    from tiomagic_local.quiet import quiet

    # Test runs that share a machine would wait for each other's threads.
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    with quiet():
        for name, build in BUILDERS.items():
            build(folder / name)
    return folder
