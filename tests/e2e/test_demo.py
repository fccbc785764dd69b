"""``tiomagic demo`` on a fresh machine: one command, no network, four clips and a sheet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from PIL import Image

from tiomagic.demo import EXAMPLES
from tiomagic_domain.features import Feature
from tiomagic_media.pictures.film import read_film

pytestmark = pytest.mark.slow


def test_one_command_makes_four_clips_and_a_sheet(tmp_path: Path) -> None:
    """Without a setting, a home or a proxy that answers; the paths are on stdout."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "tiomagic.cli.main", "demo", "shown", "--quiet"],
        cwd=tmp_path,
        env={**kept, **nowhere, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    *clips, sheet = map(Path, done.stdout.splitlines())
    assert [clip.stem for clip in clips] == [feature.value for feature in Feature]
    assert {read_film(clip).frames.shape for clip in clips} == {(17, 512, 512, 3)}
    assert {clip.parent for clip in [*clips, sheet]} == {tmp_path / "shown"}
    inputs = {path.name for path in (tmp_path / "shown" / "inputs").iterdir()}
    assert {name for example in EXAMPLES for name in example.inputs.values()} <= inputs
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
