"""Formats of files that cards name: which file is taken, what it needs, what it downloads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.local.hub_server import Hub, hub_server
from tests.local.quantized.encoder_files import write_encoder_gguf
from tests.local.quantized.test_given_files import encoder, recipe_of
from tests.local.quantized.weight_files import CALL, Studio, frames_of, transformer, write_gguf

from tiomagic_domain import catalogue
from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.quantities import GIB
from tiomagic_domain.weights.repositories import QuantizedFiles
from tiomagic_local.footprint.estimates import find_estimate
from tiomagic_local.options import LocalOptions
from tiomagic_local.preflight.conditions import look_ahead
from tiomagic_local.preflight.gpus import InstalledGpu
from tiomagic_local.preflight.machine import MachineFacts
from tiomagic_local.weights.given_files import find_file_sizes
from tiomagic_local.weights.inventory import list_run_files, take_inventory

__all__ = ["hub_server"]

A14B = find_model("wan2.2-t2v-a14b")
T2V = find_model("wan2.1-t2v-14b")
WITH_FILES = [card for card in models().values() if card.quantized_files]


def test_the_sizes_are_those_of_the_true_shapes() -> None:
    """A guess of a download begins with the component in 16 bits."""
    assert len(WITH_FILES) >= 8
    for card in WITH_FILES:
        known = find_estimate(card.name)
        assert known is not None
        for files in card.quantized_files:
            assert files.full_gib == pytest.approx(known.weights[files.component], rel=0.01)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (
            "Q4_K_M",
            {
                "transformer": "HighNoise/Wan2.2-T2V-A14B-HighNoise-Q4_K_M.gguf",
                "transformer_2": "LowNoise/Wan2.2-T2V-A14B-LowNoise-Q4_K_M.gguf",
                "text_encoder": "umt5-xxl-encoder-Q4_K_M.gguf",
            },
        ),
        ({"text_encoder": "Q8_0"}, {"text_encoder": "umt5-xxl-encoder-Q8_0.gguf"}),
        ("int8", {}),
        ("none", {}),
    ],
)
def test_a_format_takes_the_files_of_the_card(asked: Any, found: dict[str, str]) -> None:
    """Both experts and the encoder, at the commit that the card pins."""
    files = A14B.files_of({"quantization": asked})
    assert {name: one.hub_file[1] for name, one in files.items() if one.hub_file} == found
    assert all(len(str(one.pin)) == 40 for one in files.values())


def test_an_encoder_without_the_format_takes_the_next_more_exact_one() -> None:
    """Q6_K of the transformer goes with Q8_0 of the encoder; a file of the call comes first."""
    files = T2V.files_of({"quantization": "Q6_K"})
    assert files["text_encoder"].label.endswith("umt5-xxl-encoder-Q8_0.gguf")
    mine = {"quantization": "Q6_K", "weights": {"transformer": "mine.gguf"}}
    assert T2V.files_of(mine)["transformer"].place == "mine.gguf"
    problem = T2V.schema(Feature.TEXT_TO_VIDEO)["quantization"].problem("Q5_K_M")
    assert problem is not None
    assert "'Q6_K'" in problem.message


def test_a_plan_counts_what_is_downloaded_and_held() -> None:
    """In place of the full components, whose files are not asked for."""
    settings = {"quantization": "Q4_K_M", "width": 832, "height": 480, "num_frames": 81}
    options = LocalOptions()
    full, small = take_inventory(A14B, options), take_inventory(A14B, options, settings=settings)
    assert full.bytes_to_fetch > 60 * GIB
    assert small.bytes_to_fetch / GIB == pytest.approx(
        0.5 + (2 * 26.67 + 10.58) * 5.5 / 16, rel=0.1
    )
    own, *given = list_run_files(A14B, options, settings)
    assert {"transformer/*.safetensors", "transformer_2/*.safetensors"} <= set(own.without)
    assert [one.names[0].rpartition("-")[2] for one in given] == ["Q4_K_M.gguf"] * 3
    sizes = find_file_sizes(A14B, settings, options)
    assert sizes["transformer_2"] == pytest.approx(26.67 * 5.5 / 16)
    conditions = [
        look_ahead(A14B, one, options, machine(24))
        for one in (settings, {**settings, "quantization": "none"})
    ]
    smaller, larger = (each.plans[1].device_gib for each in conditions)
    assert smaller < larger - 10


def machine(gib: float, main: float = 60) -> MachineFacts:
    """Return a machine with one GPU, and so much free main memory."""
    gpu = InstalledGpu(uuid="GPU-0", title="NVIDIA GeForce RTX 4090", memory_gib=gib, free_gib=gib)
    return MachineFacts(gpus=(gpu,), main_gib=64, free_main_gib=60, unswapped_gib=main, cores=8)


def test_a_plan_counts_what_quality_allows() -> None:
    """The largest part fits 24 GB in int8, which ``exact`` does not take."""
    settings = {"width": 832, "height": 480, "num_frames": 81}
    found = {
        quality: look_ahead(T2V, {**settings, "quality": quality}, LocalOptions(), machine(24))
        for quality in ("exact", "high")
    }
    exact, high = (found[quality].plans[1].device_gib for quality in ("exact", "high"))
    assert exact > 24 > high
    asked = look_ahead(T2V, {**settings, "quantization": "int8"}, LocalOptions(), machine(24))
    assert asked.plans == found["high"].plans


def test_a_plan_counts_what_quality_takes_where_main_memory_is_short() -> None:
    """As the run does: int8 weights that have no room to wait are no gain over full ones."""
    settings = {"width": 832, "height": 480, "num_frames": 81}
    exact, high = (
        look_ahead(T2V, {**settings, "quality": quality}, LocalOptions(), machine(24, main=14))
        for quality in ("exact", "high")
    )
    assert high.plans == exact.plans


@pytest.mark.parametrize(("asked", "gib"), [("none", 75.2), ("int8", 20.2), ("Q4_K_M", 14.0)])
def test_a_cpu_holds_weights_in_fewer_bits(asked: str, gib: float) -> None:
    """Full weights are in 32 bits there, and what is in fewer bits stays so."""
    cpu = MachineFacts(main_gib=64, cores=8)
    found = look_ahead(T2V, {"quantization": asked}, LocalOptions(), cpu)
    assert found.plans[0].main_gib == pytest.approx(gib, abs=1.0)


def test_a_card_with_files_runs(
    hub_server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``quantization="Q8_0"`` downloads both files; the recipe pins them, and needs no yes."""
    write_gguf(tmp_path / "t.gguf", transformer(), "Q8_0")
    write_encoder_gguf(tmp_path / "e.gguf", encoder(), "Q8_0")
    commit = hub_server.publish(
        "some/gguf",
        {
            "doodle-Q8_0.gguf": (tmp_path / "t.gguf").read_bytes(),
            "encoder-Q8_0.gguf": (tmp_path / "e.gguf").read_bytes(),
        },
    )
    files = tuple(
        QuantizedFiles(
            component=component,
            repository="some/gguf",
            revision=commit,
            name=f"{name}-{{format}}.gguf",
            formats=("Q8_0",),
            full_gib=0.1,
            source="this test",
        )
        for component, name in (("transformer", "doodle"), ("text_encoder", "encoder"))
    )
    card = replace(find_model("doodle"), quantized_files=files)
    known = {**models(), "doodle": card}
    monkeypatch.setattr(catalogue, "models", lambda: known)
    studio = Studio(tmp_path)
    job, frames = studio.make({**CALL, "quantization": "Q8_0"})
    pinned = recipe_of(job)["optional_args"]["weights"]
    assert pinned == {
        "transformer": f"some/gguf/doodle-Q8_0.gguf@{commit}",
        "text_encoder": f"some/gguf/encoder-Q8_0.gguf@{commit}",
    }
    tm = studio.open()
    try:
        again = tm.rerun(job.result_video)
        with pytest.raises(ValidationError, match=r"must be one of 'none'.*'Q8_0'"):
            tm.text_to_video("doodle", **CALL, quantization="Q4_K_M")
    finally:
        tm.close()
    assert (frames_of(again) == frames).all()
