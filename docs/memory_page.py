"""The page of what videos take of a GPU's memory, from the planner's own formulas."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from docs.slowdown import EXAMPLES, EXPLANATION, compute_slowdown
from docs.tables import render_table_head, render_table_row

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.weights.formats import QUALITIES
from tiomagic_local.memory.choosing import choose_memory_plan
from tiomagic_local.memory.demand import (
    IN_MAIN_MEMORY,
    MAIN_RESERVE_GIB,
    ON_DEVICE,
    Demand,
    demand_of,
)
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.memory.quality import choose_weights_and_plan

PLANS = (MemoryPlan.RESIDENT, MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD)
"""Those that differ on the GPU."""
SIZES = ((832, 480, 81), (1280, 720, 81), (768, 512, 121))
"""Width, height and frames beside a model's own."""

INTRODUCTION = """\
# Memory

The GPU memory of a video in GiB, by model, size and
[plan](local.md#when-the-model-is-larger-than-the-gpu), with a reserve of 1 GiB. This page is
generated from the formulas of `memory="auto"` (`uv run python -m docs.generate`). They come from a
count: the networks of each model are built from their published shapes, without weights, and the
bytes in use are counted through a step, an encoding and a decoding. The count is within 10 % of
every measurement on GPUs.

| plan | what lies on the GPU | where the other weights wait |
| --- | --- | --- |
| `resident` | all weights, all the time | there are none |
| `model_offload` | one component at a time | main memory (RAM) |
| `group_offload` | a few layers at a time, and the VAE | main memory |
| `disk_offload` | the same as with `group_offload` | their files |

[Main memory](#main-memory) has a table of its own.

*In tiles* is the same plan with a VAE that works in tiles; it is used if whole frames fit in no
plan. Models with a `*` always decode in tiles. The first line of a model is its default size; for a
model that starts from a picture, any shape with so many pixels. A process can use about 93 % of a
GPU's nominal memory.

Wan-Animate-2 keeps the keys and values of the guiding video while it makes a segment: its KV cache,
on the GPU if that fits, else in RAM, which gives the same video. `kv_cache="int8"` halves it and
changes the video a little.

"""

MAIN_SECTION = """\

## Main memory

What the plans take of the main memory of the machine in GiB, with {reserve:g} GiB for the process
itself. `memory="auto"` compares it with what is free, or with what a container has left of its
limit; swap does not count. Where main memory has no room for weights that wait in it, they stay in
their files, and each layer is read when it is due (`disk_offload`). The video is the same, and as
many bytes as the weights have are read from the disk in every step, except for what the system has
kept in memory.

Files whose weights have another type than the run are written once more in that type, beside the
hub's cache in `tiomagic/quantized`. Weights in [fewer bits](weights.md#weights-in-fewer-bits) are
less to read. `disk_offload` is tested on a CPU; its times on a GPU are
[in the benchmarks](benchmarks.md#memory-plans-on-a-gpu), once they are measured.

[Loading](benchmarks.md#what-loading-takes-of-main-memory) makes no second copy of the weights.
`resident` loads them straight to the first GPU; for `cuda:1` and later ones they go through main
memory, which then needs as much as with `group_offload`.

"""
MAIN_CARDS_SECTION = """\

With 16 GB of main memory, of which 14 GiB are free, full weights at the first size take:

"""
MAIN_FREE_GIB = 14.0

CARDS_SECTION = """\

## What a consumer card gets

The plan that `memory="auto"` takes on a card by [`quality`](weights.md#weights-in-fewer-bits), at
the first size of the model, with the memory that it needs in GiB. Without a format the weights are
full.

"""
USABLE = 0.93
"""The part of a card's memory that a process can use."""
CONSUMER_MODELS = (
    *("wan2.1-t2v-14b", "wan2.2-i2v-a14b", "wan2.1-vace-14b", "ltx-2", "wan2.2-animate-14b"),
)

RECOUNT_SECTION = """\

## Count again

Count the formulas of a model, and one size phase by phase, both without a GPU:

<!-- not run (python): counts for minutes; tests/local/footprint compares cells -->

```bash
uv run python benchmarks/memory.py --models wan2.2-ti2v-5b
uv run python benchmarks/memory.py --models wan2.2-ti2v-5b --size 1280x704x121 --show
```

On a machine with a GPU, this measures the same peaks, with random weights of the true shapes; the
[benchmarks](benchmarks.md) then show the estimates beside them:

<!-- not run (python): needs a GPU -->

```bash
uv run python benchmarks/gpu.py
```
"""


def render_memory() -> str:
    """Return the page."""
    main = MAIN_SECTION.format(reserve=MAIN_RESERVE_GIB)
    sections = [
        INTRODUCTION + "\n".join(_table()),
        CARDS_SECTION + EXPLANATION + "\n" + "\n".join(_cards()),
        main + "\n".join(_main_table()),
        MAIN_CARDS_SECTION + "\n".join(_main_cards()),
    ]
    return "\n".join([*sections, RECOUNT_SECTION])


def _main_table() -> Iterator[str]:
    yield from render_table_head(
        "model", "`resident`", "`model_offload`, `group_offload`", "`disk_offload`"
    )
    for card in models().values():
        if card.gpu_memory_gib:
            demand = demand_of(card, next(_sizes(card)))
            plans = (MemoryPlan.RESIDENT, MemoryPlan.GROUP_OFFLOAD, MemoryPlan.DISK_OFFLOAD)
            needs = (MAIN_RESERVE_GIB + demand.main_gib(plan) for plan in plans)
            yield render_table_row(f"`{card.name}`", *(f"{need:.1f}" for need in needs))


def _main_cards() -> Iterator[str]:
    yield from render_table_head("model", *(f"{gib} GB of GPU memory" for gib in EXAMPLES))
    for name in CONSUMER_MODELS:
        cells = (_on_card(models()[name], (), gib, main_gib=MAIN_FREE_GIB) for gib in EXAMPLES)
        yield render_table_row(f"`{name}`", *cells)


def _cards() -> Iterator[str]:
    yield from render_table_head("model", "`quality`", *(f"{gib} GB" for gib in EXAMPLES))
    for name in CONSUMER_MODELS:
        for quality, allowed in QUALITIES.items():
            cells = (_on_card(models()[name], allowed, gib) for gib in EXAMPLES)
            yield render_table_row(f"`{name}`" if not allowed else "", f"`{quality}`", *cells)


def _on_card(
    card: ModelCard, allowed: tuple[str, ...], gib: int, *, main_gib: float | None = None
) -> str:
    settings = next(_sizes(card))
    choose = partial(choose_memory_plan, device="cuda", free_gib=gib * USABLE, main_gib=main_gib)
    found = choose_weights_and_plan(card, settings, choose, files={}, allowed=allowed)
    if found.estimated_gib is None:
        return "does not fit"
    formats = "".join(f"{one}, " for one in set(found.quantization.values()))
    tiles = " in tiles" if found.tiles else ""
    slower = compute_slowdown(card, settings, found, EXAMPLES[gib])
    factor = "" if slower is None else f", {slower:.2f}x"
    return f"{formats}`{found.plan}`{tiles}: {found.estimated_gib:.1f}{factor}"


def _table() -> Iterator[str]:
    plans = [f"`{plan}`" for plan in PLANS]
    yield from render_table_head(
        "model", "size", *plans, "`model_offload` in tiles", "`group_offload` in tiles"
    )
    for card in models().values():
        if not card.gpu_memory_gib:
            continue
        for index, settings in enumerate(_sizes(card)):
            demand = demand_of(card, settings)
            tiled = " *" if demand.model.tiles else ""
            name = f"`{card.name}`{tiled}" if index == 0 else ""
            yield render_table_row(name, _named(card, settings), *_figures(demand))
            if demand.cache_gib:
                size = f"{_named(card, settings)}, KV cache in RAM"
                yield render_table_row("", size, *_figures(demand, cache=IN_MAIN_MEMORY))


def _sizes(card: ModelCard) -> Iterator[dict[str, int]]:
    own = _own(card)
    yield own
    for width, height, frames in SIZES:
        size = {"width": width, "height": height, "num_frames": frames}
        if _legal(card, size) and size != own:
            yield size


def _own(card: ModelCard) -> dict[str, int]:
    found: dict[str, int] = {}
    for schema in card.features.values():
        for parameter in schema.parameters:
            known = parameter.name in {"width", "height", "num_frames"}
            if known and isinstance(parameter.default, int):
                found[parameter.name] = max(parameter.default, found.get(parameter.name, 0))
    return found


def _legal(card: ModelCard, size: dict[str, int]) -> bool:
    schema = next(iter(card.features.values()))
    named = {parameter.name: parameter for parameter in schema.parameters}
    return all(
        name in named and named[name].minimum is not None and value in named[name].legal_values()
        for name, value in size.items()
    )


def _named(card: ModelCard, size: dict[str, int]) -> str:
    frames = size.get("num_frames", "")
    if "width" in size and "height" in size:
        return f"{size['width']}x{size['height']}, {frames} frames"
    return f"{card.pixels / 1e6:.2f} million pixels, {frames} frames"


def _figures(demand: Demand, cache: str = ON_DEVICE) -> Iterator[str]:
    for plan in PLANS:
        yield f"{demand.gib(plan, cache=cache):.1f}"
    for plan in (MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD):
        yield f"{demand.gib(plan, tiles=True, cache=cache):.1f}"
