"""The example notebook runs, and shows what a person is to see."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tiomagic.settings import OPTIONS

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "first_videos.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def html_of(cell):
    """Return all HTML that a cell shows, joined."""
    return "".join("".join(out["data"].get("text/html", "")) for out in shown(cell))


def shown(cell):
    """Return what a cell shows as data, rather than prints."""
    return [out for out in cell["outputs"] if "data" in out]


def test_the_notebook_runs_and_shows_bars_and_players(tmp_path):
    """Bars that moved and are at their end, players with settings, pictures, and the mistake."""
    ours = {option.variable for option in OPTIONS.values()}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.execute", NOTEBOOK, tmp_path / "done.ipynb"],
        cwd=tmp_path,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "TIOMAGIC_DEVICE": "cpu",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "done.ipynb").read_text(encoding="utf-8"))["cells"]
    first, sheet, second, mistake, grid, recipe = (c for c in cells if c["cell_type"] == "code")
    for cell in (first, second):
        assert cell["metadata"]["moves"] > 12  # More than the steps of its model.
        assert re.search(r'<progress max="1" value="1.000".*done in \d+ s', html_of(cell))
        assert "<video controls" in html_of(cell)
        assert "data:video/mp4;base64," in html_of(cell)
        assert "<summary>Settings</summary>" in html_of(cell)
        assert "<script" not in html_of(cell)
    assert grid["metadata"]["moves"] >= 2
    assert all("image/png" in shown(cell)[-1]["data"] for cell in (sheet, grid))
    assert "nearest: 64" in "".join(mistake["outputs"][0]["text"])
    assert "'seed': 3" in "".join(shown(recipe)[0]["data"]["text/plain"])


def test_the_notebook_is_kept_without_outputs():
    """What is in the repository is the work of people; outputs are made."""
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
