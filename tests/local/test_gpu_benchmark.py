"""The one command of all measurements on a GPU: whole with tiny shapes, and what it leaves out."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docs.benchmark_page import MEASURED_ON_GPUS, RESULTS, render_benchmarks
from docs.gpu_sections import NOT_YET

from tiomagic_local.preflight.gpus import InstalledGpu

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu.py"
PARTS = ["card", "ltx", "cogvideox", "wan", "quantized", "offload", "loading", "parallel"]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the command."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    return importlib.import_module("gpu")


def card(gib: float) -> InstalledGpu:
    return InstalledGpu(title="A card", uuid="x", memory_gib=gib, free_gib=gib)


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


@pytest.mark.timeout(1200)  # Eight programs one after the other: a minute of one core by itself.
def test_all_of_it_runs_and_fills_the_page(tmp_path: Path) -> None:
    """With tiny shapes on the CPU: every part has a result, and the page has no empty place."""
    out = tmp_path / RESULTS
    command = [sys.executable, str(SCRIPT), "--tiny", "--out", str(out), "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    parts = read(out, "gpu")["parts"]
    assert {part["part"]: part["state"] for part in parts} == dict.fromkeys(PARTS, "done")
    for part in parts:
        assert json.loads((out / part["result"]).read_text())["tiny"] is True
    for name, modes in (("ltx", 3), ("cogvideox", 2), ("wan", 6)):
        (row,) = read(out, f"gpu_pipelines_{name}")["rows"]
        failed = [mode for mode, one in row["modes"].items() if "failed" in one]
        # A CPU may have no products in eight bits.
        assert len(row["modes"]) == modes
        assert set(failed) <= {"fp8"}, row["modes"]
    (row,) = read(out, "gpu_quantized")["rows"]
    assert all("plain" in one for one in row["formats"].values()), row
    (row,) = read(out, "gpu_offload")["rows"]
    assert not [plan for plan, one in row["plans"].items() if "failed" in one], row["plans"]
    assert [row["devices"] for row in read(out, "parallel")["rows"]] == [1, 2]
    page = render_benchmarks(tmp_path)
    assert NOT_YET not in page
    for words in ("| `disk_offload` |", "| `Q8_0` |", "| `turbo compiled` |", "| in tiles |"):
        assert words in page


def test_the_page_says_what_is_not_measured_yet(tmp_path: Path) -> None:
    """Every place is there before its result is."""
    page = render_benchmarks(tmp_path)
    assert page.count(NOT_YET) == len(MEASURED_ON_GPUS)


def test_a_card_gets_what_fits_it(gpu: Any, tmp_path: Path) -> None:
    """The largest model of each part, else the reason; one GPU is not several."""
    taken: dict[float, dict[str, Any]] = {}
    for gib in (141.0, 24.0, 8.0):
        given = gpu.parse_arguments(["--out", str(tmp_path), "--folder", str(tmp_path)])
        asked: list[list[str]] = []

        def run(_part: Any, arguments: Any, _seconds: float, asked: Any = asked) -> Any:
            asked.append(list(arguments))
            return "done", ""

        rows = gpu.measure_parts(given, [card(gib)], run)
        taken[gib] = {row["part"]: row.get("model") or row["reason"] for row in rows}
        assert len(asked) == sum(row["state"] == "done" for row in rows)
        assert read(tmp_path, "gpu")["parts"] == rows
    assert (taken[141.0]["wan"], taken[24.0]["wan"]) == ("wan2.1-t2v-14b", "wan2.1-t2v-1.3b")
    assert taken[24.0]["cogvideox"] == ("cogvideox-5b takes 28 GiB of GPU memory, 22 can be used")
    assert "wan2.1-t2v-1.3b takes 12 GiB" in taken[8.0]["wan"]
    assert {found["parallel"] for found in taken.values()} == {"it takes 2 GPUs, and there are 1"}


def test_the_time_is_that_of_the_command(gpu: Any, tmp_path: Path) -> None:
    """All parts together have less than twelve minutes; without time left, they are left out."""
    assert sum(part.seconds for part in gpu.PARTS if part.gpus == 1) < 12 * 60
    given = gpu.parse_arguments(["--minutes", "0", "--out", str(tmp_path), "--skip", "card"])
    rows = gpu.measure_parts(given, [card(141.0)] * 2, None)
    assert [row["part"] for row in rows] == PARTS[1:]
    assert {row["reason"] for row in rows} == {"the 0 minutes were over"}


def test_a_part_that_is_cut_off_or_fails_is_told(gpu: Any, tmp_path: Path) -> None:
    """The others go on, and what it has written stays."""
    (tmp_path / "slow_part.py").write_text(
        "import time, pathlib\n"
        "def main(arguments):\n"
        "    pathlib.Path(arguments[0]).write_text('some')\n"
        "    time.sleep(600)\n"
    )
    (tmp_path / "bad_part.py").write_text("def main(arguments):\n    raise ValueError('no')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        base = {"title": "", "result": "", "seconds": 1}
        slow = gpu.GpuPart(name="slow", script="slow_part", **base)
        state, reason = gpu.run_part(slow, [str(tmp_path / "some")], 3)
        assert (state, reason) == ("cut off", "its 3 s were over")
        assert (tmp_path / "some").read_text() == "some"
        bad = gpu.GpuPart(name="bad", script="bad_part", **base)
        assert gpu.run_part(bad, [], 60)[0] == "failed"
    finally:
        sys.path.remove(str(tmp_path))


def test_help_lists_the_parts() -> None:
    """With the time of each, and without loading torch."""
    command = [sys.executable, "-X", "importtime", str(SCRIPT), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in PARTS)
    assert "| torch\n" not in done.stderr
