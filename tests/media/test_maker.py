"""The maker of pictures keeps the port's contract on real videos."""

from pathlib import Path

import numpy as np
import pytest

from tiomagic_domain.testing import PicturesContract
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.maker import PictureMaker


class TestPictureMaker(PicturesContract):
    @pytest.fixture
    def pictures(self) -> PictureMaker:
        return PictureMaker()

    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        frames = np.linspace(0, 255, 5 * 32 * 48 * 3).reshape(5, 32, 48, 3).astype(np.uint8)
        path = tmp_path / "clip.mp4"
        write_mp4(path, frames, fps=8, recipe={})
        return path
