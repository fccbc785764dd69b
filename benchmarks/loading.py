"""How long a model takes from its files to the device: as diffusers is documented, and with ours.

A pipeline of the true shapes and random weights is saved as the hub keeps it, in several files, and
loaded again by each side in turn; the files are in the machine's memory, as at a second start::

    uv run python benchmarks/loading.py

Writes ``benchmarks/results/loading.json``. ``--tiny`` is for trying it anywhere.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import report
import torch
from gpu_models import ABSENT, MODELS, build

from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.weights.locate import Origin, Weights

MODEL = "wan2.1-t2v-1.3b"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline = build(MODELS[MODEL], device, torch.bfloat16, tiny=given.tiny)
        pipeline.save_pretrained(folder, max_shard_size="20KB" if given.tiny else "500MB")
        expected = _digest(pipeline)
        del pipeline
        files = list(folder.rglob("*.safetensors"))
        size = sum(file.stat().st_size for file in files)
        sides: dict[str, Callable[[], Any]] = {
            "by hand": lambda: _by_hand(folder, device),
            "tiomagic": lambda: _ours(folder, device),
        }
        times: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(given.rounds + 1):
            for side, load in sides.items():
                seconds = _timed(load, expected)
                if number:
                    times[side].append(seconds)
    found = {
        side: {"median_s": statistics.median(each), "least_s": min(each), "most_s": max(each)}
        for side, each in times.items()
    }
    print(found)
    shape = {"model": MODEL, "files": len(files), "gib": round(size / 2**30, 3)}
    result = {"what": __doc__, **shape, "tiny": given.tiny, "rounds": given.rounds}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    whole = {**result, "times": found, "main_memory_peak_gib": round(peak, 2)}
    print(report.write("loading", whole, folder=given.out))


def _timed(load: Callable[[], Any], expected: float) -> float:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.synchronize()
    start = time.perf_counter()
    pipeline = load()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    assert _digest(pipeline) == expected, "the weights are not those that were saved"
    return seconds


def _by_hand(folder: Path, device: torch.device) -> Any:
    types = {"default": torch.bfloat16, "vae": torch.float32}
    return diffusers.WanPipeline.from_pretrained(folder, dtype=types, **ABSENT).to(device)


def _ours(folder: Path, device: torch.device) -> Any:
    weights = Weights(folder=folder, origin=Origin.MODEL_PATH, revision="sha256:0")
    return load_pipeline(
        weights,
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=torch.bfloat16,
        device=device,
        plan=MemoryPlan.RESIDENT,
        components=lambda _folder: ABSENT,
    )


def _digest(pipeline: Any) -> float:
    """Return a number that another order, type or value of the weights would change."""
    total = 0.0
    for part in (pipeline.transformer, pipeline.vae):
        for index, tensor in enumerate(part.state_dict().values()):
            total += (index + 1) * float(tensor.double().sum()) + tensor.element_size()
    return total


if __name__ == "__main__":
    main()
