"""What videos take of a GPU's memory, counted without weights and without a GPU.

Writes the planner's formulas, all of them or those of some models::

    uv run python benchmarks/memory.py
    uv run python benchmarks/memory.py --models wan2.1-t2v-14b ltx-2

Counts one video, phase by phase, and says what each plan takes::

    uv run python benchmarks/memory.py --models wan2.2-ti2v-5b --size 1280x704x121 --show
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import models
from tiomagic_local.footprint import architectures, estimates, fitting
from tiomagic_local.footprint.phases import (
    Modules,
    Size,
    decode_bytes,
    denoise_bytes,
    encode_bytes,
    text_bytes,
)

GIB = 2**30


def show(name: str, size: Size) -> None:
    """Print what one video takes in each phase, beside the formulas' figure."""
    modules, card = Modules(name), models()[name]
    known = estimates.find_estimate(name)
    guided = fitting.default_guided(card)
    for part, count in modules.weights.items():
        print(f"{name:32} weights {part:16} {count / GIB:7.2f} GiB")
    tiles = modules.architecture.tiles
    counts = {
        "text": text_bytes(modules, card.prompt_tokens),
        "encode": encode_bytes(modules, size, tiles=tiles),
        "denoise": denoise_bytes(modules, size, words=card.prompt_tokens, guided=guided),
        "decode": decode_bytes(modules, size, tiles=tiles),
    }
    for phase, count in counts.items():
        said = ""
        if known is not None and phase != "text":
            figure = known.phase(phase, size.width * size.height, size.frames)
            said = f"  (formula {figure:.2f})"
        print(f"{name:32} {phase:24} {count / GIB:7.2f} GiB{said}")


def write(names: list[str], target: Path) -> None:
    """Count models anew and write their formulas; those of others stay."""
    kept: dict[str, Any] = json.loads(target.read_text("utf-8")) if target.is_file() else {}
    counted: dict[tuple[object, ...], Any] = {}
    for name in names:
        key = fitting.same(name)
        if key not in counted:
            counted[key] = fitting.facts(name, log=log)
        kept[name] = counted[key]
        ordered = {
            known: kept[known] for known in architectures.list_architectures() if known in kept
        }
        target.write_text(format_formulas(ordered), encoding="utf-8")


def log(text: str) -> None:
    """Say where the counting is."""
    print(text, file=sys.stderr, flush=True)


def format_formulas(found: dict[str, Any]) -> str:
    """Return the formulas as JSON, a model in a few lines."""
    entries = []
    for name, facts in found.items():
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items()]
        entries.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def parse_size(text: str) -> Size:
    """Return a size that is written as width, height and frames."""
    width, height, frames = (int(part) for part in text.split("x"))
    return Size(width=width, height=height, frames=frames)


def main() -> None:
    """Count, and write or print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=architectures.list_architectures())
    parser.add_argument("--size", type=parse_size, default=parse_size("832x480x81"))
    parser.add_argument("--show", action="store_true", help="print one size, write nothing")
    folder = Path(str(files("tiomagic_local.footprint")))
    parser.add_argument("--output", type=Path, default=folder / estimates.FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    names = given.models or architectures.list_architectures()
    if given.show:
        for name in names:
            show(name, given.size)
    else:
        write(names, given.output)


if __name__ == "__main__":
    main()
