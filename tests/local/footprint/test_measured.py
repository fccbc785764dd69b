"""What is counted without weights against what was measured on a GPU, for every row of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiomagic_local.footprint.estimates import find_estimate
from tiomagic_local.footprint.phases import CUDA_BYTES, Modules, Size, decode_bytes, encode_bytes

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
GIB = 2**30
BEFORE_LAYOUT = "gpu_pipelines.json"
"""Measured before VAEs were laid channels last, which plain diffusers never does."""


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each measured model with the file that it is in."""
    for path in sorted(RESULTS.glob("gpu_pipelines*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            if "settings" in row:
                yield path.name, row


def modes() -> Iterator[Any]:
    """Give each run that was measured."""
    for file, row in rows():
        for mode, found in row["modes"].items():
            if "failed" not in found:
                yield pytest.param(file, row, mode, id=f"{row['model']}-{mode}")


def size_of(settings: dict[str, Any]) -> Size:
    """Return the size of a run."""
    return Size(width=settings["width"], height=settings["height"], frames=settings["num_frames"])


def test_there_are_measurements() -> None:
    """Nine runs of five models; more may come."""
    assert len(list(rows())) >= 5
    assert len(list(modes())) >= 13


@pytest.mark.parametrize(("file", "row", "mode"), list(modes()))
def test_a_run_takes_what_is_counted(file: str, row: dict[str, Any], mode: str) -> None:
    """The peak of the whole run, to a tenth."""
    found, size = row["modes"][mode], size_of(row["settings"])
    known, modules = find_estimate(row["model"]), Modules(row["model"])
    assert known is not None
    plain = mode == "plain" or file == BEFORE_LAYOUT
    # The benchmark calls the pipelines as they are, which have no tiles.
    held = max(
        decode_bytes(modules, size, channels_last=not plain) / GIB,
        encode_bytes(modules, size, channels_last=not plain) / GIB,
        known.phase("denoise", size.width * size.height, size.frames),
    )
    peak = max(found["peak_denoising_gib"], found["peak_decoding_gib"])
    assert found["weights_gib"] + held == pytest.approx(peak, rel=0.1)


@pytest.mark.parametrize(("file", "row", "mode"), list(modes()))
def test_the_steps_take_what_is_counted(file: str, row: dict[str, Any], mode: str) -> None:
    """All before decoding, beside the weights: to a tenth for what runs as torch runs it."""
    if mode != "plain":
        return
    found, size = row["modes"][mode], size_of(row["settings"])
    known, modules = find_estimate(row["model"]), Modules(row["model"])
    assert known is not None, file
    held = max(
        encode_bytes(modules, size, channels_last=False) / GIB,
        known.phase("denoise", size.width * size.height, size.frames),
    )
    measured = found["peak_denoising_gib"] - found["weights_gib"]
    assert held == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("model", "one"),
    [
        pytest.param(row["model"], one, id=f"{row['model']}-{one['width']}x{one['num_frames']}")
        for _, row in rows()
        for one in row.get("decoding_peaks", ())
    ],
)
def test_decoding_takes_what_is_counted(model: str, one: dict[str, Any]) -> None:
    """The VAE alone, laid channels last: to two hundredths."""
    modules = Modules(model)
    held = decode_bytes(modules, size_of(one)) - CUDA_BYTES
    if modules.architecture.encodes == "masked_video":
        # What its pipeline holds, which was not there.
        held -= 2 * 12 * one["width"] * one["height"] * one["num_frames"]
    assert held / GIB == pytest.approx(one["gib"], rel=0.02)
