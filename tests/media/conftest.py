"""Fixtures of the media tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.local.materials import Materials

from tiomagic_domain.media import Media, MediaKind
from tiomagic_media import LocalMediaReader


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Give the folder where the reader keeps inputs; it does not exist yet."""
    return tmp_path / "inputs"


@pytest.fixture
def reader(inputs: Path) -> LocalMediaReader:
    """Give a reader with the default limits."""
    return LocalMediaReader(inputs)


@pytest.fixture
def studio(tmp_path: Path) -> Materials:
    """Give a maker of pictures and videos."""
    return Materials(tmp_path / "studio")


def as_media(path: Path, kind: MediaKind = MediaKind.VIDEO) -> Media:
    """Wrap a file that was not read by the reader."""
    return Media(kind=kind, sha256="0" * 64, path=path, media_type="?/?", width=1, height=1)
