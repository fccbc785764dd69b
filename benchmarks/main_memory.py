"""What loading takes of main memory: the peak beside the weights that it leaves there.

A transformer with random weights is written in several files, and each way of loading is measured
in a process of its own, one after the other::

    uv run python benchmarks/main_memory.py --gib 5

Writes ``benchmarks/results/main_memory.json``, and removes its files. ``peak`` and ``held`` are the
memory of the process (RSS) over what it had before, at most and afterwards. RSS counts pages of
files that the system takes back when it needs them; ``own`` is memory that it cannot take back
(RssAnon). The budget: beside the weights, no more than 1.1 times the files.

==================  ===============================================================================
way                 what runs
==================  ===============================================================================
``resident``        the files have the type of the run; all weights go straight to their place
``converted``       the files have another type, as many on the hub have (fp32 for a run in bf16)
``group_offload``   layers that wait in main memory
``disk_offload``    layers that stay in the files; the same in ``disk_offload, converted``
``single file``     a transformer of one file (``model_path``)
``int8, made``      8-bit weights are made from the full ones, and read
``int8, read``      they are there already
``by hand``         diffusers as its documentation shows it, of the files of ``converted``
==================  ===============================================================================
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import report

GIB = 2**30
SHARD_GIB = 1.0
POLL_S = 0.002
"""Seconds between two looks at the memory."""
SHAPE = {"num_attention_heads": 24, "attention_head_dim": 128, "ffn_dim": 14336, "text_dim": 512}
"""Of Wan 2.2 5B; as many layers as the size takes."""


def write_pipeline(folder: Path, gib: float, dtype: str, shard_gib: float = SHARD_GIB) -> None:
    """Write a pipeline of a transformer and a tiny VAE, file by file.

    Args:
        folder: Of the pipeline.
        gib: Of the transformer's files.
        dtype: Of its weights.
        shard_gib: Of one file.
    """
    import diffusers
    import torch
    from accelerate import init_empty_weights

    kind = getattr(torch, dtype)
    with init_empty_weights():
        one = diffusers.WanTransformer3DModel(**shape_of(gib), num_layers=1)
        layer = sum(tensor.numel() for tensor in one.blocks.parameters()) * kind.itemsize
        rest = sum(tensor.numel() for tensor in one.parameters()) * kind.itemsize - layer
        layers = max(1, round((gib * GIB - rest) / layer))
        model = diffusers.WanTransformer3DModel(**shape_of(gib), num_layers=layers)
    place = folder / "transformer"
    model.save_config(place)
    _write_shards(place, model, kind, shard_gib)
    vae = diffusers.AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
    vae.save_pretrained(folder / "vae")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "WanPipeline",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": [None, None],
        "tokenizer": [None, None],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def shape_of(gib: float) -> dict[str, int]:
    """Return the sizes of the layers; small ones for a transformer of less than a GiB."""
    if gib >= 1:
        return SHAPE
    return {"num_attention_heads": 4, "attention_head_dim": 128, "ffn_dim": 2048, "text_dim": 64}


def _write_shards(place: Path, model: Any, dtype: Any, shard_gib: float) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    groups: list[list[str]] = [[]]
    size = 0
    for name, tensor in model.state_dict().items():
        size += tensor.numel() * dtype.itemsize
        groups[-1].append(name)
        if size >= shard_gib * GIB * len(groups):
            groups.append([])
    groups = [names for names in groups if names]
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weight_map: dict[str, str] = {}
    for number, names in enumerate(groups, 1):
        file = f"diffusion_pytorch_model-{number:05}-of-{len(groups):05}.safetensors"
        values = {n: torch.empty(shapes[n], dtype=dtype).normal_(0, 0.02) for n in names}
        save_file(values, place / file)
        weight_map.update(dict.fromkeys(names, file))
    index = {"metadata": {}, "weight_map": weight_map}
    path = place / "diffusion_pytorch_model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")


class MemoryWatch:
    """Reads the memory of this process (Linux) until it is stopped."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = _memory()
        self.peak = dict(self.before)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            found = _memory()
            self.peak = {name: max(self.peak[name], size) for name, size in found.items()}

    def over_before(self, name: str) -> int:
        """Return the bytes of the peak over what was there before."""
        return self.peak[name] - self.before[name]


def _memory() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "RssAnon")))
    return {name: int(value.split()[0]) * 1024 for name, value in found.items()}


def measure(way: str, folder: Path) -> dict[str, float]:
    """Load in this process, and return what it took, in GiB.

    Args:
        way: One of `WAYS`.
        folder: With the pipelines of `write_pipeline`.
    """
    import torch

    load = WAYS[way]
    # Imports and the first threads are no part of loading.
    import diffusers.loaders.single_file_model  # noqa: F401

    import tiomagic_local.runtime.loader  # noqa: F401

    torch.ones(64, 64) @ torch.ones(64, 64)
    with MemoryWatch() as watch:
        kept = load(folder)
    held = _memory()
    sides = {"": "VmRSS", "own_": "RssAnon"}
    found = {"weights_gib": sum(one.nbytes for one in (*kept.parameters(), *kept.buffers())) / GIB}
    for side, name in sides.items():
        found[f"peak_{side}gib"] = max(watch.over_before(name), 0) / GIB
        found[f"held_{side}gib"] = max(held[name] - watch.before[name], 0) / GIB
    return found


def _ours(name: str, plan: str) -> Callable[[Path], Any]:
    def load(folder: Path) -> Any:
        import torch

        from tiomagic_local.memory.plans import MemoryPlan
        from tiomagic_local.runtime.loader import load_pipeline
        from tiomagic_local.runtime.quantized_parts import QuantizedParts
        from tiomagic_local.weights.locate import Origin, Weights

        absent = {"tokenizer": None, "text_encoder": None, "transformer_2": None}
        weights = Weights(folder=folder / name, origin=Origin.MODEL_PATH, revision="x")
        made, loaded = folder / f"made-{name}", {}
        if MemoryPlan(plan) is MemoryPlan.DISK_OFFLOAD:
            parts = QuantizedParts({}, cache=made, say=lambda _text: None, from_files=True)
            loaded = parts.load(weights, {}, torch.bfloat16)
        pipeline = load_pipeline(
            weights,
            pipeline="WanPipeline",
            fp32=("vae",),
            dtype=torch.bfloat16,
            device=torch.device("cpu"),
            plan=MemoryPlan(plan),
            components=lambda _folder: absent,
            loaded=loaded,
        )
        return pipeline.transformer

    return load


def _by_hand(folder: Path) -> Any:
    import diffusers
    import torch

    place = folder / "wide" / "transformer"
    return diffusers.WanTransformer3DModel.from_pretrained(place, dtype=torch.bfloat16)


def _single(folder: Path) -> Any:
    import diffusers
    import torch

    from tiomagic_local.component_files.single_file import load_file

    file, configuration = folder / "single.safetensors", folder / "half" / "transformer"
    kind = diffusers.WanTransformer3DModel
    return load_file(file, kind, configuration, torch.bfloat16)


def _quantized(folder: Path) -> Any:
    import diffusers
    import torch

    from tiomagic_local.quantized.components import FullComponent, load_quantized

    full = FullComponent(
        name="transformer",
        kind=diffusers.WanTransformer3DModel,
        folder=folder / "half" / "transformer",
        identity="x",
    )
    made = folder / "made"
    return load_quantized(full, "int8", torch.bfloat16, cache=made, say=lambda _text: None)[0]


WAYS: Mapping[str, Callable[[Path], Any]] = {
    "resident": _ours("half", "resident"),
    "converted": _ours("wide", "resident"),
    "group_offload": _ours("wide", "group_offload"),
    "disk_offload": _ours("half", "disk_offload"),
    "disk_offload, converted": _ours("wide", "disk_offload"),
    "single file": _single,
    "int8, made": _quantized,
    "int8, read": _quantized,
    "by hand": _by_hand,
}


def write_single(path: Path, configuration: Path) -> None:
    """Write a transformer in fp16 into one file, tensor by tensor.

    Args:
        path: Of the file.
        configuration: The folder of its configuration.
    """
    import diffusers
    import torch
    from accelerate import init_empty_weights

    kind = diffusers.WanTransformer3DModel
    with init_empty_weights():
        shapes = {
            name: list(tensor.shape)
            for name, tensor in kind.from_config(kind.load_config(configuration))
            .state_dict()
            .items()
        }
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            file.write(torch.empty(shape, dtype=torch.float16).normal_(0, 0.02).numpy().tobytes())


def write_files(folder: Path, gib: float, shard_gib: float) -> None:
    """Write all that the ways load: of two types, and as one file."""
    write_pipeline(folder / "half", gib, "bfloat16", shard_gib)
    write_pipeline(folder / "wide", gib, "float32", shard_gib)
    write_single(folder / "single.safetensors", folder / "half" / "transformer")


def measure_all(folder: Path, ways: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the row of each way, measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for way in ways:
        with context.Pool(1) as pool:
            found = pool.apply(measure, (way, folder))
        yield {"way": way, **{name: round(value, 3) for name, value in found.items()}}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=5.0, help="of the transformer's files")
    parser.add_argument("--shard", type=float, default=SHARD_GIB, help="GiB of one file")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--folder", type=Path, help="for the files; three times their size is used")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        write_files(folder, given.gib, given.shard)
        files = list((folder / "half").rglob("*.safetensors"))
        largest = max(path.stat().st_size for path in files) / GIB
        for row in measure_all(folder, given.ways):
            rows.append(row)
            print(json.dumps(row), flush=True)
    result = {"what": __doc__, "gib": given.gib, "largest_file_gib": round(largest, 3)}
    print(report.write("main_memory", {**result, "rows": rows}, folder=given.out))


if __name__ == "__main__":
    main()
