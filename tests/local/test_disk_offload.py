"""Weights that stay in their files: the same video, and no copy in main memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.local.quantized.weight_files import Studio

from tiomagic_domain.errors import ConfigurationError
from tiomagic_local.checkpoint.header import read_safetensors_header
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.quantized import components
from tiomagic_local.quantized.made_cache import made_weights_folder
from tiomagic_local.read_ahead import read_ahead, system_advice
from tiomagic_local.runtime import memory_choice
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.quantized_parts import QuantizedParts
from tiomagic_local.weights.locate import Origin, Weights

BLOCKS = 3


def load(folder: Path, dtype: torch.dtype, cache: Path) -> tuple[Any, list[str]]:
    """Load a pipeline as the runtime does, and return what was said."""
    weights = Weights(folder=folder, origin=Origin.WEIGHTS_DIR, revision="x")
    said: list[str] = []
    parts = QuantizedParts({}, cache=cache, say=said.append, from_files=True)
    made = load_pipeline(
        weights,
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=dtype,
        device=torch.device("cpu"),
        plan=MemoryPlan.DISK_OFFLOAD,
        loaded=parts.load(weights, {"vae": torch.float32}, dtype),
    )
    return made, said


def mapped_files(part: torch.nn.Module) -> tuple[set[Path], float]:
    """Return the files that weights are mapped from, and the share of the weights that are."""
    ranges = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].endswith(".safetensors"):
            start, end = (int(one, 16) for one in fields[0].split("-"))
            ranges.append((start, end, Path(fields[5])))
    files, inside, total = set(), 0, 0
    for tensor in part.parameters():
        total += tensor.nbytes
        for start, end, path in ranges:
            if start <= tensor.data_ptr() < end:
                files.add(path)
                inside += tensor.nbytes
    return files, inside / total


@pytest.fixture
def folder(weights_dir: Path) -> Path:
    """A tiny pipeline whose weights are in fp32."""
    return weights_dir / "wan2.1-t2v-1.3b"


def test_files_of_the_runs_type_need_no_other(folder: Path, tmp_path: Path) -> None:
    """Each layer is a part of a file that was there before, and nothing is written."""
    pipeline, said = load(folder, torch.float32, tmp_path / "cache")
    for name in ("transformer", "text_encoder"):
        files, share = mapped_files(getattr(pipeline, name))
        assert {path.parent for path in files} == {folder / name}
        assert share > 0.99
    assert said == []
    assert not (tmp_path / "cache").exists()


def test_files_of_another_type_are_written_once_more(folder: Path, tmp_path: Path) -> None:
    """Then the layers are parts of those, with what the library keeps in fp32 as it is."""
    pipeline, said = load(folder, torch.bfloat16, tmp_path)
    assert sorted(text.split(" (")[0] for text in said) == [
        "the weights of the text encoder are written in bfloat16, once",
        "the weights of the transformer are written in bfloat16, once",
    ]
    plain = load_pipeline(
        Weights(folder=folder, origin=Origin.WEIGHTS_DIR, revision="x"),
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )
    for name in ("transformer", "text_encoder"):
        ours, theirs = (getattr(one, name).state_dict() for one in (pipeline, plain))
        assert ours.keys() == theirs.keys()
        assert all(ours[key].dtype is theirs[key].dtype for key in theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        files, share = mapped_files(getattr(pipeline, name))
        assert all(path.is_relative_to(tmp_path) for path in files)
        assert share > 0.9
    again, said = load(folder, torch.bfloat16, tmp_path)
    assert said == []
    (damaged, *_) = sorted(tmp_path.rglob("*.safetensors"))
    assert "BF16" in {one.type for one in read_safetensors_header(damaged).tensors.values()}
    del again, pipeline
    damaged.write_bytes(damaged.read_bytes()[:100])
    _, said = load(folder, torch.bfloat16, tmp_path)
    assert len(said) == 1


def test_a_disk_without_room_for_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, with where and how much."""

    class Full:
        free = 10

    monkeypatch.setattr(components.shutil, "disk_usage", lambda _folder: Full)
    with pytest.raises(ConfigurationError, match=r"10 bytes are free there.*HF_HOME"):
        load(folder, torch.bfloat16, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_video_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, through `tm`; the record has the plan."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    studio = Studio(tmp_path)
    exact = studio.make()[1]

    # A CPU has one plan.
    def choose(*_given: Any, **_named: Any) -> MemoryChoice:
        return MemoryChoice(plan=MemoryPlan.DISK_OFFLOAD, reason="main memory is short")

    monkeypatch.setattr(memory_choice, "choose_memory_plan", choose)
    job, frames = studio.make()
    assert job.facts["memory"] == {"plan": "disk_offload", "reason": "main memory is short"}
    assert "quantization" not in job.facts
    assert (frames == exact).all()
    for path in made_weights_folder().rglob("*.safetensors"):
        assert {one.type for one in read_safetensors_header(path).tensors.values()} == {"F32"}


class Block(torch.nn.Module):
    """A block with a list of its own, as attention has."""

    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the same shape."""
        return self.out[1](self.out[0](values))


class Network(torch.nn.Module):
    """A network whose blocks lie in a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = torch.nn.Module()
        self.stack.blocks = torch.nn.ModuleList([Block() for _ in range(BLOCKS)])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the same shape."""
        for block in self.stack.blocks:
            values = block(values)
        return values


def test_the_next_block_is_asked_for_before_this_one_runs() -> None:
    """In their order, each with all of its weights, and the first one after the last."""
    network, asked = Network(), []
    read_ahead(network, lambda address, length: asked.append((address, length)))
    network(torch.zeros(1, 4))
    blocks = list(network.stack.blocks)
    expected = [
        (tensor.data_ptr(), tensor.nbytes)
        for block in (*blocks[1:], blocks[0])
        for tensor in block.parameters()
    ]
    assert asked == expected


def test_the_system_takes_the_advice(tmp_path: Path) -> None:
    """For any part of a mapped file; the bytes are what they were."""
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    values = torch.from_file(str(path), shared=False, size=256_000, dtype=torch.uint8)
    advise = system_advice()
    assert advise is not None
    advise(values.data_ptr() + 5000, 10_000)
    assert hashlib.sha256(values.numpy()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_what_is_on_a_device_is_not_asked_for() -> None:
    """Only what still lies in a file: the rest has no address here."""
    network, asked = Network().to("meta"), []
    read_ahead(network, lambda address, length: asked.append((address, length)))
    network(torch.zeros(1, 4, device="meta"))
    assert asked == []


def test_facts_of_a_folder_are_read_from_its_headers(folder: Path) -> None:
    """A component is of a type if nearly all of its weights are."""
    kinds: Mapping[str, Any] = {"kind": torch.nn.Module, "identity": "x", "name": "transformer"}
    full = components.FullComponent(folder=folder / "transformer", **kinds)
    assert components.is_of_type(full, torch.float32)
    assert not components.is_of_type(full, torch.bfloat16)
