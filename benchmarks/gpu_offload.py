"""What each memory plan takes of a GPU, of main memory and of the time of a step.

A pipeline of the true shapes and random weights is saved as the hub keeps it, and loaded with each
plan as a run loads it; then a few steps and a decoding are made::

    uv run python benchmarks/gpu_offload.py --models wan2.1-t2v-14b

Anywhere, with tiny shapes, to see that it runs: ``--tiny``. Writes ``gpu_offload.json`` after each
plan. Prompts come encoded, so the text encoder is not there. ``predicted_gib`` is what the planner
expects on the device. ``main_own_gib`` is the peak of main memory over what the process had before,
without pages of files (RssAnon), and ``main_gib`` with them (RSS). Files that were just written lie
in the memory of the system, so ``disk_offload`` reads faster here than from the disk.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import report
import torch
from gpu_models import ABSENT, MODELS, Model, build
from gpu_pipelines import Run
from main_memory import MemoryWatch

from tiomagic_domain.catalogue import models
from tiomagic_local.memory.demand import TRANSFORMERS, demand_of
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.weights.locate import Origin, Weights

GIB = 2**30
SHARD = "2GB"


def predict_gib(name: str, plan: MemoryPlan, settings: dict[str, Any]) -> float:
    """Return the planner's figure for the device, without encoders of words."""
    demand = demand_of(models()[name], settings)
    there = ("vae", *TRANSFORMERS)
    model = replace(
        demand.model,
        weights={part: gib for part, gib in demand.model.weights.items() if part in there},
        leaves={part: gib for part, gib in demand.model.leaves.items() if part in there},
    )
    return replace(demand, model=model).gib(plan)


def measure_plan(
    folder: Path, name: str, plan: MemoryPlan, settings: dict[str, Any], device: torch.device
) -> dict[str, Any]:
    """Load with a plan, make a few steps and a decoding, and return what they took."""
    model = MODELS[name]
    weights = Weights(folder=folder, origin=Origin.MODEL_PATH, revision="sha256:0")
    with MemoryWatch() as watch:
        pipeline = load_pipeline(
            weights,
            pipeline=model.pipeline,
            fp32=("vae",) if model.fp32_vae else (),
            dtype=torch.bfloat16,
            device=device,
            plan=plan,
            components=lambda _folder: _absent(model),
        )
        found = Run(pipeline, model, settings, math.inf, device)()
    peak = max(found["peak_denoising_gib"], found["peak_decoding_gib"])
    return {
        **found,
        "peak_gib": peak,
        "predicted_gib": round(predict_gib(name, plan, settings), 2),
        "main_own_gib": round(watch.over_before("RssAnon") / GIB, 2),
        "main_gib": round(watch.over_before("VmRSS") / GIB, 2),
    }


def _absent(model: Model) -> dict[str, None]:
    return ABSENT if model.pipeline.startswith("Wan") else {"tokenizer": None, "text_encoder": None}


def measure_model(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Yield the row of a model; each plan by itself may fail."""
    model, device = MODELS[name], torch.device(given.device)
    width, height, frames = model.tiny_size if given.tiny else model.sizes[0]
    size = {"width": width, "height": height, "num_frames": frames}
    settings = {**size, "num_inference_steps": given.steps, "guidance_scale": 5.0}
    row: dict[str, Any] = {"model": name, "settings": settings, "plans": {}}
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folder = Path(place)
        pipeline = build(model, device, torch.bfloat16, tiny=given.tiny)
        pipeline.save_pretrained(folder, max_shard_size="20KB" if given.tiny else SHARD)
        del pipeline
        for plan in given.plans:
            _release()
            try:
                found = measure_plan(folder, name, MemoryPlan(plan), settings, device)
            # One plan that fails is a result too.
            except (RuntimeError, ValueError, OSError, NotImplementedError) as error:
                found = {"failed": f"{type(error).__name__}: {error}"[:300]}
            row["plans"][plan] = found
            print(name, plan, json.dumps(found), flush=True)
            given.save(row)
    return row


def _release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["wan2.1-t2v-1.3b"])
    parser.add_argument("--plans", nargs="+", choices=list(MemoryPlan), default=list(MemoryPlan))
    parser.add_argument("--steps", type=int, default=3, help="that are made and timed")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, help="for the files")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args(arguments)
    rows: dict[str, dict[str, Any]] = {}

    def save(row: dict[str, Any]) -> None:
        rows[row["model"]] = row
        result = {"what": __doc__, "tiny": given.tiny, "rows": list(rows.values())}
        report.write("gpu_offload", result, folder=given.out)

    given.save = save
    for name in given.models:
        measure_model(name, given)


if __name__ == "__main__":
    main()
