"""How long a step takes with weights in fewer bits, against 16 bits.

The linear layers of a transformer's blocks get random numbers in each format, and are read in full
for each product as in a run; every format is measured as it is, and with compiled blocks::

    uv run python benchmarks/gpu_quantized.py --models wan2.1-t2v-1.3b

Anywhere, with tiny shapes, to see that it runs: ``--tiny``. Writes ``gpu_quantized.json`` after
each run. Random numbers are no weights, so there are no distances; those are in
``quantization.json``. Formats of GGUF need its library, and are left out without it.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report
import torch
from gpu_models import MODELS, build
from gpu_pipelines import Run

from tiomagic_domain.errors import TioMagicError
from tiomagic_local.acceleration.apply import Accelerator
from tiomagic_local.checkpoint.gguf_files import PACKED
from tiomagic_local.quantized.layers import stored_layer
from tiomagic_local.quantized.selection import choose_weights
from tiomagic_local.quantized.tensors import StoredTensor, block_sizes

FULL = "bf16"
FORMATS = {
    FULL: None,
    "int8": "int8",
    "fp8": "float8_e4m3fn",
    "q5_1": "Q5_1",
    "q4_1": "Q4_1",
    "Q8_0": "Q8_0",
    "Q4_K": "Q4_K",
}
"""The kind of stored tensor of each format."""


def store_layers(transformer: Any, kind: str, dtype: torch.dtype) -> int:
    """Give the layers of the blocks random numbers of a kind; return how many there are."""
    chosen = choose_weights(transformer, "int8")
    for name in chosen:
        owner, _, attribute = name.removesuffix(".weight").rpartition(".")
        parent = transformer.get_submodule(owner)
        layer = getattr(parent, attribute)
        stored = random_numbers(layer.weight, kind)
        made = stored_layer(layer, stored, dtype)
        assert made is not None, "it is a linear layer"
        setattr(parent, attribute, made)
    return len(chosen)


def random_numbers(weight: torch.Tensor, kind: str) -> StoredTensor:
    """Return numbers of a kind for a weight, on its device."""
    rows, columns = weight.shape
    if kind in PACKED:
        values, size = block_sizes(kind)
        if columns % values:
            # A row of a tiny model is shorter than a block.
            return random_numbers(weight, "int8")
        shape = (rows, columns // values * size)
        numbers = torch.randint(0, 60, shape, dtype=torch.uint8, device=weight.device)
        return StoredTensor(numbers=numbers, kind=kind)
    whole = torch.int8 if kind == "int8" else torch.uint8
    numbers = torch.randint(0, 60, (rows, columns), device=weight.device).to(whole)
    factor = torch.full((rows, 1), 1e-3, device=weight.device)
    return StoredTensor(numbers=numbers, kind=kind, factor=factor)


def measure_format(name: str, format_: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of a step and the weights of a format, with and without compiling."""
    model, device = MODELS[name], torch.device(given.device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    pipeline = build(model, device, dtype, tiny=given.tiny)
    kind = FORMATS[format_]
    found: dict[str, Any] = {"layers": 0 if kind is None else None}
    if kind is not None:
        found["layers"] = store_layers(pipeline.transformer, kind, dtype)
    parts = (*pipeline.transformer.parameters(), *pipeline.transformer.buffers())
    found["weights_gib"] = round(sum(part.nbytes for part in parts) / 2**30, 2)
    width, height, frames = model.tiny_size if given.tiny else model.sizes[0]
    settings = {"width": width, "height": height, "num_frames": frames, "guidance_scale": 5.0}
    settings |= {"num_inference_steps": given.steps, "output_type": "latent"}
    accelerator = Accelerator(pipeline, device=device, dtype=dtype, masked=model.masked)
    for compiled in ("off", "on")[: 1 if device.type == "cpu" else 2]:
        wanted = {**settings, "acceleration": {"compile": compiled, "batch_guidance": "off"}}
        with accelerator.activate(wanted, adapted=False):
            run = Run(pipeline, model, settings, math.inf)()
        word = "compiled" if compiled == "on" else "plain"
        names = ("step_s_median", "first_step_s", "peak_denoising_gib")
        found[word] = {one: run[one] for one in names}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["wan2.1-t2v-1.3b"])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--steps", type=int, default=4, help="that are made and timed")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for name in given.models:
        model = MODELS[name]
        row = {"model": name, "size": model.tiny_size if given.tiny else model.sizes[0]}
        rows.append({**row, "formats": {}})
        for format_ in given.formats:
            rows[-1]["formats"][format_] = _measure_or_say(name, format_, given)
            print(name, format_, json.dumps(rows[-1]["formats"][format_]), flush=True)
            result = {"what": __doc__, "tiny": given.tiny, "rows": rows}
            report.write("gpu_quantized", result, folder=given.out)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _measure_or_say(name: str, format_: str, given: argparse.Namespace) -> dict[str, Any]:
    if FORMATS[format_] in PACKED and importlib.util.find_spec("gguf") is None:
        return {"left_out": "the package gguf is not installed"}
    try:
        return measure_format(name, format_, given)
    # One format that fails is a result too.
    except (TioMagicError, RuntimeError, ValueError) as error:
        return {"failed": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    main()
