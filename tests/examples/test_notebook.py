"""The example notebook runs, and shows what a person is to see."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tiomagic.wiring.settings import known_settings

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "first_videos.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def environment(folder):
    """Return that of a process without settings of this machine's user."""
    ours = {option.variable for option in known_settings().values()} | {"CI", "NO_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder), "OMP_NUM_THREADS": "1"}
    return {**kept, **own, "TIOMAGIC_DEVICE": "cpu"}


def html_of(cell):
    """Return all HTML that a cell shows, joined."""
    return "".join("".join(out["data"].get("text/html", "")) for out in shown(cell))


def shown(cell):
    """Return what a cell shows as data, rather than prints."""
    return [out for out in cell["outputs"] if "data" in out]


def test_the_notebook_runs_and_shows_bars_and_players(tmp_path):
    """Bars that moved and are at their end, players with settings, pictures, and the mistake."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.execute", NOTEBOOK, tmp_path / "done.ipynb"],
        cwd=tmp_path,
        env=environment(tmp_path),
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
    assert ".png, 64x64<" in html_of(second)
    assert grid["metadata"]["moves"] >= 2
    assert all("image/png" in shown(cell)[-1]["data"] for cell in (sheet, grid))
    assert "must be 64, not 65" in "".join(mistake["outputs"][0]["text"])
    assert "'seed': 1" in "".join(shown(recipe)[0]["data"]["text/plain"])


CALL = """
from pathlib import Path
from tiomagic import TioMagic
from tiomagic_domain.testing import FakeProvider
local = FakeProvider(Path("spool"), name="local", blocking=True)
tm = TioMagic(provider="local", overrides={"providers": {"local": local}})
tm.text_to_video(prompt="a fox")
"""


def test_plain_ipython_draws_its_bar_in_the_terminal(tmp_path):
    """On a real terminal: the bar with the phase, then the job in one line, and no HTML."""
    looks, writes = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", CALL],
        cwd=tmp_path,
        env=environment(tmp_path) | {"TERM": "xterm-256color", "COLUMNS": "200"},
        stdin=writes,
        stdout=writes,
        stderr=writes,
    )
    os.close(writes)
    drawn = b""
    try:
        while part := os.read(looks, 1 << 16):
            drawn += part
    except OSError:
        pass  # Linux says so when the other end of a terminal is closed.
    finally:
        os.close(looks)
    assert process.wait(120) == 0, drawn.decode()
    assert "local: denoising" in drawn.decode()
    assert "<JobHandle" in drawn.decode()
    assert "<progress" not in drawn.decode()


def test_the_notebook_is_kept_without_outputs():
    """What is in the repository is the work of people; outputs are made."""
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
