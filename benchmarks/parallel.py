"""One video by several GPUs of one machine: seconds a step by 1, 2, 4, … of those that are visible.

True shapes and random weights, as in ``gpu_pipelines.py``. On a machine with several GPUs::

    uv run python benchmarks/parallel.py --model wan2.1-t2v-14b

Anywhere, with tiny shapes on two processes of the CPU, to see that it runs: ``--tiny``.

Each rank is a process of its own with all weights. One GPU is measured as it runs by itself, with
compiled blocks (``compiled``), and without (``plain``), which several GPUs have to do without. The
distance is that of the latents of several GPUs to those of one without compiled blocks. Writes
``parallel.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report
import torch
from gpu_models import MODELS, build
from gpu_pipelines import Run, _distance

from tiomagic_local.acceleration.apply import Accelerator
from tiomagic_local.context_parallel.model_transformers import (
    ModelTransformer,
    explain_unsplittable,
)
from tiomagic_local.context_parallel.process_group import join_process_group, leave_process_group
from tiomagic_local.context_parallel.sharding import shard_transformers

TIMEOUT_S = 3600
"""After which a measurement counts as stuck."""


def run_rank(given: argparse.Namespace) -> None:
    """Be one of the ranks of a measurement; the first one writes what it has measured."""
    cuda = torch.cuda.is_available() and not given.tiny
    device = torch.device("cuda", given.rank) if cuda else torch.device("cpu")
    dtype = torch.bfloat16 if cuda else torch.float32
    if cuda:
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(1)
    model = MODELS[given.model]
    # The same weights in all ranks, and in all measurements.
    torch.manual_seed(0)
    pipeline = build(model, device, dtype, tiny=given.tiny)
    width, height, frames = model.tiny_size if given.tiny else model.sizes[given.size]
    settings = {
        "width": width,
        "height": height,
        "num_frames": frames,
        "num_inference_steps": given.steps,
        "guidance_scale": 5.0,
    }
    together = given.count > 1
    accelerator = Accelerator(pipeline, device=device, dtype=dtype, masked=model.masked)
    wanted = {"compile": "on" if given.mode == "compiled" else "off", "batch_guidance": "off"}
    if together:
        wanted["compile"] = "auto"
    run = Run(pipeline, model, settings, math.inf)
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(
            accelerator.activate(
                {**settings, "acceleration": wanted}, adapted=False, together=together
            )
        )
        if together:
            config = join_process_group(given.meeting, given.rank, given.count, device)
            stack.enter_context(shard_transformers([pipeline.transformer], config))
        found = run()
    if given.rank == 0:
        found["ran"] = running.facts()
        torch.save((found, run.latents), Path(given.meeting) / "found.pt")
    if together:
        leave_process_group()


def measure_ranks(given: argparse.Namespace, count: int, mode: str) -> tuple[dict[str, Any], Any]:
    """Return what so many ranks measure, and their latents."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--model", given.model, "--steps", str(given.steps)]
        command += ["--size", str(given.size), "--mode", mode, "--count", str(count)]
        command += ["--meeting", folder] + ["--tiny"] * given.tiny
        ranks = [subprocess.Popen([*command, "--rank", str(number)]) for number in range(count)]
        try:
            codes = [process.wait(TIMEOUT_S) for process in ranks]
        finally:
            for process in ranks:
                process.kill()
        if any(codes):
            return {"failed": f"exit statuses {codes}"}, None
        found, latents = torch.load(Path(folder) / "found.pt", weights_only=True)
        return found, latents


def list_device_counts(given: argparse.Namespace) -> list[int]:
    """Return how many devices are measured together: 1, 2, 4, … and all of them."""
    there = 2 if given.tiny else torch.cuda.device_count()
    powers = [2**power for power in range(there.bit_length())]
    return sorted({*powers, there} if there else {1})


def measure_all(given: argparse.Namespace) -> None:
    """Measure each number of devices, and write the result after each."""
    rows: list[dict[str, Any]] = []
    one: dict[str, Any] = {}
    alone: torch.Tensor | None = None
    runs = [(count, "plain") for count in list_device_counts(given)]
    if not given.tiny:
        runs.insert(1, (1, "compiled"))
    for count, mode in runs:
        found, latents = measure_ranks(given, count, mode)
        row = {"devices": count, "mode": mode, **found}
        if (count, mode) == (1, "plain"):
            one, alone = found, latents
        elif "failed" not in found and "failed" not in one:
            row["times_as_fast_a_step"] = round(one["step_s_median"] / found["step_s_median"], 2)
            row["from_one_device"] = _distance(latents, alone)
        rows.append(row)
        print(json.dumps(row), flush=True)
        name = given.name or ("parallel_tiny" if given.tiny else "parallel")
        what = {"what": __doc__, "tiny": given.tiny, "model": given.model}
        report.write(name, {**what, "rows": rows}, folder=given.out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="wan2.1-t2v-14b")
    parser.add_argument("--steps", type=int, default=4, help="that are made and timed")
    parser.add_argument("--size", type=int, default=0, help="which of the model's sizes")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--name", help="of the result, without .json")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    for name, kind in (("rank", int), ("count", int), ("meeting", str), ("mode", str)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.rank is not None:
        run_rank(given)
        return
    import diffusers

    kind = getattr(diffusers, MODELS[given.model].transformer)
    why = explain_unsplittable([ModelTransformer(kind=kind)])
    if why is not None:
        parser.error(why)
    measure_all(given)


if __name__ == "__main__":
    main()
