"""All measurements that need a GPU, by one command and within a time: what the docs wait for.

    uv run python benchmarks/gpu.py

It runs the parts below one after the other, each in a process of its own with a time of its own,
and writes the result of each into ``benchmarks/results`` as soon as there is something: what is cut
off keeps what was measured. Then ``uv run python -m docs.generate`` puts the results into the docs.
No weights are downloaded: models have their true shapes and random weights.

It adapts to the card: a part takes the largest of its models that fits, and is left out with the
reason where none does. ``gpu.json`` has what ran and what did not. The times of the parts are meant
for one H200, and add up to less than twelve minutes. ``--tiny`` tries all of it with tiny shapes,
also without a GPU.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import models
from tiomagic_local.memory.demand import TRANSFORMERS, demand_of
from tiomagic_local.preflight.gpus import InstalledGpu, read_gpus, visible_gpus

HERE = Path(__file__).parent
LARGE = ("wan2.1-t2v-14b", "wan2.1-t2v-1.3b")
"""Models of which a part takes the first that fits."""
USABLE = 0.93
"""The part of a card's memory that a process can use."""
PLAIN_CARE = {"cogvideox-5b": 12.0}
"""GiB that diffusers takes beside what is counted (``gpu_pipelines_more.json``): it decodes whole
frames, which tiomagic does in tiles."""
GRACE_S = 10.0
"""Seconds for a part to write what it has, when its time is over."""
DISK_SPARE = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPart:
    """One part of the measurements."""

    name: str
    title: str
    script: str
    """The module that measures it."""
    result: str
    """Its file under ``results``, without .json."""
    seconds: float
    """That it may take, out of twelve minutes."""
    arguments: Sequence[str] = ()
    models: Sequence[str] = ()
    """The first that fits is taken; none for a part that needs no memory to speak of."""
    gpus: int = 1
    saves: bool = False
    """True if it writes the model's weights to the disk."""
    tiny: Sequence[str] = field(default=())
    """Further arguments of a trial."""


PARTS = (
    GpuPart(
        name="card",
        title="The card alone: a matrix product, a copy, the attention backends",
        script="gpu_probes",
        result="gpu_card",
        seconds=45,
    ),
    GpuPart(
        name="ltx",
        title="LTX-Video: plain diffusers, `exact`, skipped steps of `fast`",
        script="gpu_pipelines",
        result="gpu_pipelines_ltx",
        seconds=75,
        arguments=("--modes", "plain", "exact", "fast", "--decodings", "plain", "tiles"),
        models=("ltx-video",),
    ),
    GpuPart(
        name="cogvideox",
        title="CogVideoX: `exact` against plain diffusers",
        script="gpu_pipelines",
        result="gpu_pipelines_cogvideox",
        seconds=90,
        arguments=("--modes", "plain", "exact"),
        models=("cogvideox-5b",),
    ),
    GpuPart(
        name="wan",
        title="Wan: fp8, compiled `turbo`, skipped steps of `fast`, tiles of the VAE",
        script="gpu_pipelines",
        result="gpu_pipelines_wan",
        seconds=180,
        arguments=(
            *("--modes", "plain", "exact", "fp8", "turbo", "turbo compiled", "fast"),
            *("--decodings", "plain", "tiles"),
        ),
        models=LARGE,
    ),
    GpuPart(
        name="quantized",
        title="Weights in fewer bits: the time of a step",
        script="gpu_quantized",
        result="gpu_quantized",
        seconds=100,
        models=("wan2.1-t2v-1.3b",),
    ),
    GpuPart(
        name="offload",
        title="Memory plans: peaks, and the time of a step",
        script="gpu_offload",
        result="gpu_offload",
        seconds=150,
        models=LARGE,
        saves=True,
    ),
    GpuPart(
        name="loading",
        title="From the files to the GPU",
        script="loading",
        result="loading",
        seconds=40,
        models=("wan2.1-t2v-1.3b",),
        saves=True,
        tiny=("--rounds", "1"),
    ),
    GpuPart(
        name="parallel",
        title="Several GPUs (NCCL)",
        script="parallel",
        result="parallel",
        seconds=120,
        models=LARGE,
        gpus=2,
        arguments=("--name", "parallel"),
        tiny=("--steps", "2"),
    ),
)


def need_gib(model: str) -> float:
    """Return the GPU memory that a pipeline without its text encoder takes at its first size."""
    # It imports torch, which `--help` and a machine without a GPU need not wait for.
    from gpu_models import MODELS

    width, height, frames = MODELS[model].sizes[0]
    size = {"width": width, "height": height, "num_frames": frames}
    demand = demand_of(models()[model], size)
    parts = (*TRANSFORMERS, "vae")
    weights = sum(gib for name, gib in demand.model.weights.items() if name in parts)
    whole = max(demand.activations().values())
    return weights + whole + PLAIN_CARE.get(model, 0.0) + 1.0


def weights_gib(model: str) -> float:
    """Return what a model's transformer and VAE take on the disk."""
    found = demand_of(models()[model], {}).model.weights
    return sum(gib for name, gib in found.items() if name in {*TRANSFORMERS, "vae"})


def choose_model(part: GpuPart, gpu: InstalledGpu, disk: Path) -> tuple[str | None, str]:
    """Return the model of a part and, where none fits, the reason; both empty where none is meant.

    Args:
        part: The part.
        gpu: The smallest of those that it uses.
        disk: Where weights are saved.
    """
    room, free = gpu.memory_gib * USABLE, shutil.disk_usage(disk).free / 2**30
    reason = ""
    for model in part.models:
        if need_gib(model) > room:
            reason = (
                f"{model} takes {need_gib(model):.0f} GiB of GPU memory, {room:.0f} can be used"
            )
        elif part.saves and DISK_SPARE * weights_gib(model) > free:
            reason = f"the weights of {model} take {weights_gib(model):.0f} GiB of disk"
        else:
            return model, ""
    return None, reason


def list_arguments(part: GpuPart, model: str | None, given: argparse.Namespace) -> list[str]:
    """Return the arguments of a part's script."""
    found = [*part.arguments, "--out", str(given.out)]
    if part.script == "gpu_pipelines":
        found += ["--name", part.result, "--steps", "3" if given.tiny else "4"]
    if given.tiny:
        return [*found, "--tiny", *part.tiny, *_named(part, next(iter(part.models), None))]
    if part.script == "gpu_offload":
        found += ["--folder", str(given.folder)]
    return found + _named(part, model)


def _named(part: GpuPart, model: str | None) -> list[str]:
    if model is None or part.script == "loading":
        return []
    return ["--model" if part.script == "parallel" else "--models", model]


def run_part(part: GpuPart, arguments: Sequence[str], seconds: float) -> tuple[str, str]:
    """Run a part in a process of its own, and return how it ended and why.

    The process is a copy of this one: the libraries are imported once for all parts, and no GPU is
    used before.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_measure, args=(part.script, list(arguments))
    )
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.terminate()
        process.join(GRACE_S)
        process.kill()
        process.join()
        return "cut off", f"its {seconds:.0f} s were over"
    if process.exitcode:
        return "failed", f"exit status {process.exitcode}; its output says why"
    return "done", ""


def _measure(script: str, arguments: list[str]) -> None:
    try:
        __import__(script).main(arguments)
    finally:
        # Threads of the libraries may hang at the end of a copied process.
        sys.stdout.flush()
        failed = sys.exc_info()[1]
        if failed is not None:
            traceback.print_exception(failed)
        sys.stderr.flush()
        os._exit(failed is not None)


def import_libraries() -> None:
    """Import what all parts need, without using a GPU."""
    sys.path.insert(0, str(HERE))
    for name in sorted({part.script for part in PARTS}):
        __import__(name)


def find_gpus(given: argparse.Namespace) -> tuple[InstalledGpu, ...]:
    """Return the GPUs that the parts see; a card that has room for all of it in a trial."""
    if given.tiny:
        return (InstalledGpu(title="tiny shapes", uuid="", memory_gib=1e3, free_gib=1e3),) * 2
    return visible_gpus(read_gpus())


def measure_parts(
    given: argparse.Namespace, gpus: Sequence[InstalledGpu], run: Callable[..., tuple[str, str]]
) -> list[dict[str, Any]]:
    """Run the parts that fit, and return what became of each; it is written after each.

    Args:
        given: The command line.
        gpus: Those that there are.
        run: Runs one part; see `run_part`.
    """
    until = time.monotonic() + 60 * given.minutes
    rows: list[dict[str, Any]] = []
    for part in PARTS:
        if (given.only and part.name not in given.only) or part.name in given.skip:
            continue
        row = {"part": part.name, "title": part.title, "result": f"{part.result}.json"}
        rows.append(row)
        left = until - time.monotonic()
        model, reason = None, f"it takes {part.gpus} GPUs, and there are {len(gpus)}"
        if len(gpus) >= part.gpus:
            smallest = min(gpus, key=lambda gpu: gpu.memory_gib)
            model, reason = choose_model(part, smallest, given.folder)
        if not reason and left < min(part.seconds, 20):
            reason = f"the {given.minutes:g} minutes were over"
        if reason:
            row |= {"state": "left out", "reason": reason, "seconds": 0.0}
        else:
            print(f"\n== {part.title} (at most {min(part.seconds, left):.0f} s)", flush=True)
            start = time.monotonic()
            limit = left if given.tiny else min(part.seconds, left)
            state, reason = run(part, list_arguments(part, model, given), limit)
            took = round(time.monotonic() - start, 1)
            row |= {"state": state, "reason": reason, "seconds": took, "model": model}
        print(f"== {part.name}: {row['state']} {row['reason']}".rstrip(), flush=True)
        save(rows, given, gpus)
    return rows


def save(
    rows: list[dict[str, Any]], given: argparse.Namespace, gpus: Sequence[InstalledGpu]
) -> None:
    """Write what became of the parts. Without torch's own figures: it would take the GPU."""
    card = {"name": gpus[0].title, "memory_gib": round(gpus[0].memory_gib, 1), "count": len(gpus)}
    machine = {"gpu": card, "cores": os.cpu_count(), "load_at_end": os.getloadavg()[0]}
    machine |= {name: version(name) for name in ("torch", "diffusers")}
    day = time.strftime("%Y-%m-%d", time.gmtime())
    result = {"what": __doc__, "tiny": given.tiny, "machine": machine, "date": day, "parts": rows}
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "gpu.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    lines = [f"  {part.name:10} {part.seconds:4.0f} s  {part.title}" for part in PARTS]
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="\n".join(["parts, and the most that each takes:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--minutes", type=float, default=12, help="for all parts (default: 12)")
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="these parts")
    parser.add_argument("--skip", nargs="+", choices=names, default=[], help="not these parts")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, also without a GPU")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the results")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), help="on a disk"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all parts; return the exit code, 1 if one has failed."""
    given = parse_arguments(arguments)
    gpus = find_gpus(given)
    if not gpus:
        print("there is no NVIDIA GPU here; --tiny tries the parts without one", file=sys.stderr)
        return 2
    import_libraries()
    rows = measure_parts(given, gpus, run_part)
    print()
    for row in rows:
        print(f"{row['part']:10} {row['state']:9} {row['seconds']:6.1f} s  {row['reason']}")
    print("uv run python -m docs.generate puts the results into the docs")
    return 1 if any(row["state"] == "failed" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
