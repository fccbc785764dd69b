"""Main memory: what a container may use, and what loading takes of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tiomagic_local.torch_env.main_memory import (
    free_main_memory_gib,
    main_memory_gib,
    read_limit,
    read_room,
)

ROOT = Path(__file__).parents[2]
GIB = 2**30
MARGIN_GIB = 0.06
"""What the allocator and the libraries take by themselves; a second copy would be 0.19 and more."""


def write_group(folder: Path, version: int, limit: str, used: int) -> None:
    """Write the files of a control group."""
    names = {1: ("limit_in_bytes", "usage_in_bytes"), 2: ("max", "current")}[version]
    (folder / f"memory.{names[0]}").write_text(f"{limit}\n")
    (folder / f"memory.{names[1]}").write_text(f"{used}\n")
    stat = f"anon 5\ninactive_file {2 * GIB}\nactive_file {GIB}\nslab 7\n"
    (folder / "memory.stat").write_text(stat)


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_what_its_limit_leaves(tmp_path: Path, version: int) -> None:
    """What it uses counts against it, except for pages of files, which make room."""
    write_group(tmp_path, version, str(16 * GIB), 10 * GIB)
    assert read_limit(tmp_path) == 16 * GIB
    assert read_room(tmp_path) == (16 - 10 + 3) * GIB


def test_a_group_without_a_limit_says_nothing(tmp_path: Path) -> None:
    """Also a folder that is no group."""
    write_group(tmp_path, 2, "max", 10 * GIB)
    assert read_limit(tmp_path) is None
    assert read_room(tmp_path) is None
    assert read_room(tmp_path / "gone") is None


def test_this_machine_says_what_is_free() -> None:
    """Not more than there is."""
    total, free = main_memory_gib(), free_main_memory_gib()
    assert total is not None
    assert free is not None
    assert 0 < free <= total
    assert 0 < (free_main_memory_gib(swap=True) or 0) <= total


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that measures the loading; its processes find it by its name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.find_spec("main_memory")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "main_memory", module)
    spec.loader.exec_module(module)
    return module


def test_loading_makes_no_second_copy(benchmark: Any, tmp_path: Path) -> None:
    """Beside what stays there is nothing of the size of the weights, whatever the way.

    The files have 0.19 GiB; half of that stays where they are turned into 16 bits.
    """
    benchmark.write_files(tmp_path, 0.19, 0.04)
    ways = ["converted", "single file"]
    rows = {row["way"]: row for row in benchmark.measure_all(tmp_path, ways)}
    for way in ways:
        assert rows[way]["peak_own_gib"] < rows[way]["held_own_gib"] + MARGIN_GIB, way
    assert rows["converted"]["held_own_gib"] == pytest.approx(0.095, abs=MARGIN_GIB)
    # Files that nothing is used of any more are closed.
    assert rows["converted"]["held_gib"] == pytest.approx(0.095, abs=MARGIN_GIB)
    # What stays in its files is no memory of the process, once they are written.
    _written, read = benchmark.measure_all(tmp_path, ["disk_offload, converted"] * 2)
    assert read["peak_own_gib"] < MARGIN_GIB
    assert rows["single file"]["held_own_gib"] == pytest.approx(0.19, abs=MARGIN_GIB)
