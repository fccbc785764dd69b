"""Sections of the page of the measurements: what ``benchmarks/gpu.py`` measures of a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docs.tables import render_table_head, render_table_row

Result = Mapping[str, Any]

NOT_YET = (
    "Not measured yet: `uv run python benchmarks/gpu.py` measures it, on a machine with a GPU."
)


def render_parts(result: Result) -> Iterator[str]:
    """Give what the last run of all parts did, and what it left out."""
    yield "What the last run of `uv run python benchmarks/gpu.py` measured; each part has a section"
    yield "below, or is a part of one."
    yield ""
    yield from render_table_head("part", "state", "seconds", "model", "why")
    for one in result["parts"]:
        cells = (one["title"], one["state"], f"{one['seconds']:.0f}", one.get("model") or "")
        yield render_table_row(*cells, one["reason"])


def render_card(result: Result) -> Iterator[str]:
    """Give the speed of a card's attention backends."""
    card = result["card"]
    shape = card["attention"]["shape"]
    yield f"A large matrix product in bf16 reaches {card['matrix_tflop_a_second']:.0f} TFLOP/s, a"
    yield f"copy {card['copy_gb_a_second']:.0f} GB/s (read and written). The attention of"
    yield f"{shape[1]:,} tokens with {shape[2]} heads, by diffusers' name of the backend:"
    yield ""
    yield from render_table_head("backend", "time", "TFLOP/s")
    for name, one in card["attention"]["kernels"].items():
        if isinstance(one, str):
            yield render_table_row(f"`{name}`", one.partition("\n")[0][:90], "")
            continue
        cells = (f"{one['s'] * 1000:.1f} ms", f"{one['tflop_a_second']:.0f}")
        yield render_table_row(f"`{name}`", *cells)


def render_quantized(result: Result) -> Iterator[str]:
    """Give the time of a step by the format of the weights."""
    yield "Random numbers in each format; a weight is read in full for each product."
    for row in result["rows"]:
        width, height, frames = row["size"]
        yield from ("", f"### Formats: {row['model']}, {width}x{height}, {frames} frames", "")
        yield from render_table_head("format", "weights", "a step", "compiled", "peak of the steps")
        for name, one in row["formats"].items():
            if "weights_gib" not in one:
                why = one.get("left_out") or f"failed: {one['failed'][:80]}"
                yield render_table_row(f"`{name}`", why, "", "", "")
                continue
            steps = [
                f"{one[way]['step_s_median']:.2f} s" if way in one else ""
                for way in ("plain", "compiled")
            ]
            peak = f"{one['plain']['peak_denoising_gib']:.1f} GiB"
            yield render_table_row(f"`{name}`", f"{one['weights_gib']:.1f} GiB", *steps, peak)


def render_offload(result: Result) -> Iterator[str]:
    """Give what each memory plan took."""
    yield "Without the text encoder. Main memory is the peak of the process without and with pages"
    yield "of files; the files lay in the memory of the system."
    for row in result["rows"]:
        size = row["settings"]
        shape = f"{size['width']}x{size['height']}, {size['num_frames']} frames"
        yield from ("", f"### Plans: {row['model']}, {shape}", "")
        yield from render_table_head(
            "plan", "a step", "decoding", "GPU memory", "predicted", "main memory"
        )
        for name, one in row["plans"].items():
            if "failed" in one:
                yield render_table_row(f"`{name}`", f"failed: {one['failed'][:80]}", *[""] * 4)
                continue
            yield render_table_row(
                *(f"`{name}`", f"{one['step_s_median']:.2f} s", f"{one['decode_s']:.1f} s"),
                *(f"{one['peak_gib']:.1f} GiB", f"{one['predicted_gib']:.1f} GiB"),
                f"{one['main_own_gib']:.1f} and {one['main_gib']:.1f} GiB",
            )


def render_parallel(result: Result) -> Iterator[str]:
    """Give the time of a step by the number of GPUs."""
    yield f"One video of `{result['model']}` by several GPUs of one machine (NCCL)."
    yield ""
    yield from render_table_head("GPUs", "blocks", "a step", "times as fast", "PSNR to one GPU")
    for one in result["rows"]:
        if "failed" in one:
            yield render_table_row(str(one["devices"]), one["mode"], one["failed"], "", "")
            continue
        faster = one.get("times_as_fast_a_step")
        near = one.get("from_one_device", {}).get("psnr_db")
        yield render_table_row(
            *(str(one["devices"]), one["mode"], f"{one['step_s_median']:.2f} s"),
            "" if faster is None else f"{faster:.2f} x",
            "" if near is None else f"{near:.1f} dB",
        )
