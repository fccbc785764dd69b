"""Weights that are made from full ones: through `tm`, once, with the loss that was measured."""

from __future__ import annotations

import json
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors import SafetensorError
from tests.local.quantized.weight_files import (
    CALL,
    DOODLE,
    Studio,
    frames_of,
    psnr,
    transformer,
    write_fp8,
)
from typer.testing import CliRunner

from tiomagic import errors
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError
from tiomagic_local.options import LocalOptions
from tiomagic_local.quantized import nf4
from tiomagic_local.quantized.made_cache import made_weights_folder
from tiomagic_local.quantized.made_files import make_weights
from tiomagic_local.quantized.rounding import round_weight
from tiomagic_local.upkeep.keeper import LocalWeightsKeeper

LEAST = {"int8": 38.0, "fp8": 36.0, "q5_1": 32.0, "q4_1": 30.0, "nf4": 26.0}
"""The least likeness to the exact video in dB, with transformer and text encoder in a format."""
TRANSFORMER = {"transformer": "int8"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Videos in a folder of their own, with a cache of their own."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    return Studio(tmp_path)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The frames with full weights."""
    return Studio(tmp_path_factory.mktemp("exact")).make()[1]


def recipe_of(job: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(job.result_video).with_suffix(".json").read_text())
    return found


def made_files() -> dict[Path, int]:
    """Return the files of the cache and when they were written."""
    return {path: path.stat().st_mtime_ns for path in made_weights_folder().rglob("*.safetensors")}


@pytest.mark.parametrize("format_", LEAST)
def test_a_format_is_made_once_recorded_and_made_again(
    studio: Studio, exact: Any, format_: str
) -> None:
    """The loss is what was measured; the second process and the rerun read the small weights."""
    job, frames = studio.make({**CALL, "quantization": format_})
    likeness = psnr(frames, exact)
    print(format_, likeness)
    assert LEAST[format_] <= likeness < float("inf")
    recipe = recipe_of(job)
    facts = recipe["facts"]["quantization"]
    assert {name: one["format"] for name, one in facts.items()} == {
        "transformer": format_,
        "text_encoder": format_,
    }
    assert facts["transformer"]["layers"] > 50
    before = made_files()
    assert len(before) == 2
    full = sum(
        path.stat().st_size for path in DOODLE.rglob("*.safetensors") if "vae" not in str(path)
    )
    assert sum(path.stat().st_size for path in before) < full
    tm = studio.open()
    try:
        again = tm.rerun(job.result_video)
    finally:
        tm.close()
    assert (frames_of(again) == frames).all()
    assert made_files() == before


def test_one_group_alone(studio: Studio, exact: Any) -> None:
    """The other one stays full, and a run without a format afterwards is exact again."""
    tm = studio.open()
    try:
        job = tm.text_to_video("doodle", **CALL, quantization=TRANSFORMER)
        plain = tm.text_to_video("doodle", **CALL)
    finally:
        tm.close()
    assert list(recipe_of(job)["facts"]["quantization"]) == ["transformer"]
    assert "quantization" not in recipe_of(plain)["facts"]
    assert (frames_of(plain) == exact).all()
    assert not (frames_of(job) == exact).all()


def test_a_damaged_file_is_made_again(studio: Studio) -> None:
    """What lies in a cache is never worth an error."""
    frames = studio.make({**CALL, "quantization": TRANSFORMER})[1]
    (path,) = made_files()
    path.write_bytes(path.read_bytes()[:-100])
    assert (studio.make({**CALL, "quantization": TRANSFORMER})[1] == frames).all()


def test_other_weights_are_made_anew(studio: Studio, tmp_path: Path) -> None:
    """The key has the source: a folder with other weights never gets these."""
    studio.make({**CALL, "quantization": TRANSFORMER})
    mine = tmp_path / "mine"
    shutil.copytree(DOODLE, mine)
    studio.make({**CALL, "quantization": TRANSFORMER}, model_path=mine)
    assert len(made_files()) == 2


def test_a_file_keeps_its_own_format(studio: Studio, tmp_path: Path) -> None:
    """A format for what comes from a file is refused, and the field is named."""
    path = tmp_path / "fp8.safetensors"
    write_fp8(path, transformer(), scaled=True)
    with pytest.raises(errors.ValidationError, match=r"quantization.*comes from a file"):
        studio.make({**CALL, "quantization": TRANSFORMER}, model_path=path)
    job, _ = studio.make({**CALL, "quantization": {"text_encoder": "int8"}}, model_path=path)
    assert list(recipe_of(job)["facts"]["quantization"]) == ["text_encoder"]


@pytest.mark.parametrize(
    ("format_", "most"),
    {"int8": 0.01, "fp8": 0.04, "q5_1": 0.045, "q4_1": 0.09, "nf4": 0.1}.items(),
)
def test_what_rounding_costs(format_: str, most: float) -> None:
    """The error of a weight of normal numbers, relative to the weight, as each format allows."""
    weight = torch.randn(300, 256, generator=torch.Generator().manual_seed(0))
    stored = round_weight(weight, format_)
    assert stored.shape == (300, 256)
    error = float((stored.full() - weight).norm() / weight.norm())
    assert 0 < error < most


def test_a_row_of_zeros_stays_zero() -> None:
    """No factor is infinite."""
    weight = torch.zeros(2, 32)
    weight[1] = 3.0
    assert torch.equal(round_weight(weight, "int8").full(), weight)


def test_what_was_made_is_listed_and_removed(studio: Studio) -> None:
    """With its source and its size, of one model or of all; the next run makes it again."""
    call = {**CALL, "quantization": TRANSFORMER}
    frames = studio.make(call)[1]
    keeper = LocalWeightsKeeper(LocalOptions())
    (made,) = keeper.list_stored().made
    assert (made.source, made.format) == ("doodle/transformer", "int8")
    assert made.bytes_here == sum(p.stat().st_size for p in made.place.rglob("*") if p.is_file())
    abandoned, current = (leave_draft(made.place.parent, key) for key in ("ended", "current"))
    with FileLock(made.place.parent / "current.lock"):
        assert keeper.list_stored().bytes_abandoned == 100
        assert keeper.remove_made([find_model("wan2.1-t2v-1.3b")]) == 100
    assert not abandoned.exists()
    assert current.exists()
    assert keeper.remove_made([find_model("doodle")]) == made.bytes_here + 100
    assert not current.exists()
    assert keeper.list_stored().made == ()
    assert list(made.place.parent.glob("*/")) == []
    assert (studio.make(call)[1] == frames).all()
    assert keeper.remove_made([]) == made.bytes_here


def leave_draft(cache: Path, key: str) -> Path:
    """Leave what a process that was killed leaves, with 100 bytes, and return the folder."""
    draft = cache / f"making-{key}-x1"
    (draft / "draft").mkdir(parents=True)
    (draft / "draft" / ".tmp1").write_bytes(b"x" * 100)
    return draft


def make_small(folder: Path) -> None:
    """Make the weights of one layer in ``int8``."""
    tensors = [("blocks.0.weight", torch.ones(64, 64))]
    make_weights(folder, tensors, frozenset({"blocks.0.weight"}), "int8", source="a test")


def test_what_a_killed_process_left_is_gone_when_the_same_weights_are_made(tmp_path: Path) -> None:
    """A draft of other weights stays: another process may write it now."""
    mine, other = leave_draft(tmp_path, "mine"), leave_draft(tmp_path, "other")
    make_small(tmp_path / "mine")
    assert not mine.exists()
    assert other.exists()


def test_a_disk_that_cannot_be_written_is_named_with_what_helps(tmp_path: Path) -> None:
    """And not the full weights, which nothing is wrong with."""
    (tmp_path / "cache").write_bytes(b"no folder")
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        make_small(tmp_path / "cache" / "key")
    assert str(tmp_path / "cache") in caught.value.message
    assert "removing made weights" in caught.value.message


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library says of a full disk is an error that names the folder."""

    def fail(*_given: object, **_named: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("tiomagic_local.quantized.made_files.save_file", fail)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        make_small(tmp_path / "key")
    assert list(tmp_path.glob("*/")) == []


def test_making_holds_one_full_tensor_and_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each full tensor is gone when the next one is read, and each file when it is written."""
    monkeypatch.setattr("tiomagic_local.quantized.made_files.LARGEST_FILE", 10_000)
    full: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def read() -> Iterator[tuple[str, torch.Tensor]]:
        nonlocal most
        for number in range(20):
            most = max(most, sum(one() is not None for one in full))
            tensor = torch.randn(64, 64)
            full.append(weakref.ref(tensor))
            yield f"blocks.{number}.weight", tensor
            del tensor

    names = frozenset(f"blocks.{number}.weight" for number in range(20))
    made = make_weights(tmp_path / "made", read(), names, "int8", source="a test")
    # The caller's own name of the last tensor may live until the next one is asked for.
    assert most <= 1
    sizes = [path.stat().st_size for path in made.folder.glob("*.safetensors")]
    assert len(sizes) == 7
    assert max(sizes) < 10_000 + 2 * 64 * 64


def test_the_command_lists_and_removes(studio: Studio) -> None:
    """``tiomagic weights`` shows the bytes that were made, and ``--made`` frees them."""
    from tiomagic.cli.main import app

    job, _ = studio.make({**CALL, "quantization": TRANSFORMER})

    def run(*words: str, command: str = "weights") -> str:
        done = CliRunner().invoke(app, [command, *words], prog_name="tiomagic")
        assert done.exit_code == 0, done.output
        return done.output

    shown = run(job.result_video, command="inspect")
    assert re.search(r"^transformer format +int8 in \d+ layers$", shown, re.MULTILINE)

    listed = run()
    assert "made in int8 from doodle/transformer" in listed
    assert "tiomagic weights remove --made" in listed
    assert "of weights in fewer bits removed" in run("remove", "--made")
    assert "nothing to remove" in run("remove", "--made")
    assert "made in" not in run()


def test_nf4_takes_the_nearest_of_its_values() -> None:
    """Each number times its block's factor, 4.25 bits a number, the upper half of a byte first."""
    weight = torch.randn(3, 128, generator=torch.Generator().manual_seed(0))
    weight[1, :64] = 0.0
    stored = round_weight(weight, "nf4")
    assert stored.factor is not None
    assert (stored.numbers.nbytes + stored.factor.nbytes) * 8 / weight.numel() == 4.25
    factors = weight.reshape(3, 2, 64).abs().amax(dim=2).half().float()
    table = torch.tensor(nf4.TABLE)
    for row in range(3):
        for column in range(128):
            factor = factors[row, column // 64]
            values = table * factor
            nearest = values[(values - weight[row, column]).abs().argmin()]
            assert abs(stored.full()[row, column] - nearest) < 1e-6
    first = int(stored.numbers[0, 0])
    assert table[first >> 4] * factors[0, 0] == stored.full()[0, 0]
    assert table[first & 15] * factors[0, 0] == stored.full()[0, 1]
    assert stored.full()[1, :64].abs().max() == 0


def test_fp8_products_need_full_weights(studio: Studio) -> None:
    """The error names what the weights are, and what to leave out."""
    call = {**CALL, "quantization": "int8", "acceleration": {"fp8": True}}
    with pytest.raises(
        errors.ValidationError, match=r"in fewer bits already \(int8\).*leave fp8 out"
    ):
        studio.make(call)
