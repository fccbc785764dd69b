"""The page of the measurements, made from what ``benchmarks/results`` holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.gpu_sections import (
    NOT_YET,
    render_card,
    render_offload,
    render_parallel,
    render_parts,
    render_quantized,
)
from docs.tables import render_table_head, render_table_row

from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.acceleration import FAST_LEVELS
from tiomagic_local.memory.demand import RESERVE_GIB, demand_of

RESULTS = Path("benchmarks/results")

INTRODUCTION = """\
# Benchmarks

The results of the benchmarks, each with the machine on which it ran. This page is generated from
the result files in the repository. Each benchmark is one command, described in its first lines.
"""

SEAM_LIMIT = 1.5
"""A seam of a loop up to this ratio counts as closed."""
STEPS = 50
"""Of a whole run: what the authors of Wan 2.1 take."""

Result = Mapping[str, Any]


def render_benchmarks(root: Path) -> str:
    """Return the page.

    Args:
        root: Of the repository.
    """
    lines = [INTRODUCTION.rstrip("\n")]
    for title, name, section in SECTIONS:
        path = root / RESULTS / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            lines += ["", f"## {title}", "", *section(result), "", _origin(name, result)]
        elif name in MEASURED_ON_GPUS:
            lines += ["", f"## {title}", "", NOT_YET]
    return "\n".join([*lines, ""])


def list_measured_times(root: Path) -> dict[str, list[str]]:
    """Return the times of whole runs that were measured, in words, by model.

    Args:
        root: Of the repository.
    """
    found: dict[str, list[str]] = {}
    for path in sorted((root / RESULTS).glob("gpu_pipelines*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for row in result["rows"]:
            times = [] if "settings" not in row else list(_run_times(row))
            if times:
                size = row["settings"]
                clip = f"{size['width']}x{size['height']}, {size['num_frames']} frames"
                card = result["machine"]["gpu"]["name"]
                line = f"{clip} on {card}: {', '.join(times)} ([measured](../benchmarks.md))"
                found.setdefault(row["model"], []).append(line)
    return found


def _run_times(row: Result) -> Iterator[str]:
    for mode in ("exact", "turbo"):
        one = row["modes"].get(mode, {})
        if "decode_s" not in one or (mode == "turbo" and models()[row["model"]].turbo is None):
            continue
        steps = next(name.split("_")[2] for name in one if name.startswith("seconds_of_"))
        yield f"{estimate_run_seconds(one):.0f} s with `{mode}` ({steps} steps)"


def _gpu(result: Result) -> Iterator[str]:
    card = result["card"]
    yield "Models of the true shapes with random weights: the time of a step does not depend on the"
    yield "weights. A few steps are timed; a whole run is fifty times their median (`turbo`: four"
    yield "times) and one decoding. For `fast`, the time shown is that of a skipped step."
    yield "The peak is a large matrix product in bf16:"
    yield f"{card['matrix_tflop_a_second']:.0f} TFLOP/s on this card."
    for found in result["rows"]:
        if "settings" not in found:
            yield ""
            yield f"`{found['model']}`: {found['left_out']}."
            continue
        size = found["settings"]
        yield ""
        yield f"### {found['model']}, {size['width']}x{size['height']}, {size['num_frames']} frames"
        yield ""
        yield from _modes(found)
        yield from _estimate_with_cache(found["modes"])
        yield from _shares(found)
        yield from _decodings(found)


def estimate_skipped_share() -> float:
    """Return the share of calls that ``fast`` leaves out of doodle's videos of as many steps."""
    file = Path(__file__).parents[1] / RESULTS / "step_caches.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    best = next(iter(FAST_LEVELS.items()))
    (share,) = [
        one["left_out"]
        for one in rows
        if (one["variant"], one["level"]) == best and one["steps"] == STEPS
    ]
    return float(share)


def _estimate_with_cache(modes: Result) -> Iterator[str]:
    """Give what a run takes when as much is left out of it as of the videos of doodle."""
    found = [modes.get(mode, {}) for mode in ("plain", "exact", "fast")]
    if any("step_s_median" not in one for one in found):
        return
    plain, exact, fast = found
    share = estimate_skipped_share()
    step = share * fast["step_s_median"] + (1 - share) * exact["step_s_median"]
    whole = STEPS * step + fast["decode_s"]
    yield ""
    yield f"If `fast` skips {share:.0%} of the steps, as in the videos of `doodle`,"
    yield f"its run takes {whole:.0f} s (computed): {estimate_run_seconds(plain) / whole:.2f} x."


def _shares(found: Result) -> Iterator[str]:
    """Give where the time of a step goes."""
    profiles = found.get("profiles", {})
    if profiles:
        yield ""
        yield "Where the time of a step goes:"
        yield ""
        kinds = sorted({kind for one in profiles.values() for kind in one["shares"]})
        yield from render_table_head("mode", *kinds)
    for mode, one in profiles.items():
        yield render_table_row(
            f"`{mode}`", *(f"{one['shares'].get(kind, 0):.1%}" for kind in kinds)
        )


def _decodings(found: Result) -> Iterator[str]:
    """Give what a decoding in tiles takes against one of whole frames."""
    ways = found.get("decodings", {})
    if "tiles" not in ways:
        return
    yield ""
    yield from render_table_head("decoding", "time", "peak with all weights")
    for name, title in (("plain", "whole frames"), ("tiles", "in tiles")):
        one = ways[name]
        yield render_table_row(title, f"{one['s']:.1f} s", f"{one.get('peak_gib', 0):.1f} GiB")


def _modes(found: Result) -> Iterator[str]:
    yield from render_table_head(
        *("mode", "a step", "first step", "decoding", "whole run", "against plain"),
        *("of the peak", "memory", "predicted"),
    )
    plain = found["modes"].get("plain", {})
    for mode, one in found["modes"].items():
        if mode.startswith("turbo") and models()[found["model"]].turbo is None:
            continue
        if "failed" in one:
            short = one["failed"].startswith("OutOfTime")
            why = "the time was over" if short else f"failed: {one['failed'][:80]}"
            yield render_table_row(f"`{mode}`", why, *[""] * 7)
            continue
        # What a cache leaves out of random weights says nothing of trained ones.
        runs = mode != "fast"
        whole = f"{estimate_run_seconds(one):.0f} s" if runs else ""
        faster = ""
        if runs and "step_s_median" in plain:
            faster = f"{estimate_run_seconds(plain) / estimate_run_seconds(one):.2f} x"
        peak = max(one["peak_denoising_gib"], one["peak_decoding_gib"])
        share = one.get("share_of_peak")
        yield render_table_row(
            *(f"`{mode}`", f"{one['step_s_median']:.2f} s", f"{one['first_step_s']:.1f} s"),
            *(f"{one['decode_s']:.1f} s", whole, faster),
            *(f"{share:.0%}" if share else "", f"{peak:.1f} GiB"),
            f"{_predicted(found, one):.1f} GiB",
        )


def _predicted(found: Result, one: Result) -> float:
    """Return the peak that the plan of the memory expects."""
    demand = demand_of(models()[found["model"]], found["settings"])
    # The runs were measured without encoders of words, whose weights were not there.
    activations: float = max(demand.activations().values())
    return RESERVE_GIB + float(one["weights_gib"]) + activations


def estimate_run_seconds(one: Result) -> float:
    """Return the seconds of a whole run: its steps, and one decoding."""
    steps = next(value for name, value in one.items() if name.startswith("seconds_of_"))
    return float(steps + one["decode_s"])


def _loading(result: Result) -> Iterator[str]:
    yield f"`{result['model']}` without its encoder, {result['gib']:.1f} GiB in {result['files']}"
    yield "files that are already in the file cache, as at a second start."
    yield ""
    yield from render_table_head("loader", "median", "least to most")
    for side, one in result["times"].items():
        spread = f"{one['least_s']:.2f} to {one['most_s']:.2f} s"
        yield render_table_row(side, f"{one['median_s']:.2f} s", spread)


def _main_memory(result: Result) -> Iterator[str]:
    yield f"A transformer with {result['gib']:g} GiB of files of at most"
    yield f"{result['largest_file_gib']:.2f} GiB, loaded on a CPU in a process of its own. Of each"
    yield "two figures the first counts all pages of the process (RSS), and the second leaves out"
    yield "those of files, which the system takes back when it needs them. *Beside* is the peak"
    yield "less the weights. `converted` files are in fp32, and the run is in bf16."
    yield ""
    yield from render_table_head("way", "weights", "held afterwards", "peak", "beside the weights")
    for one in result["rows"]:
        beside = (max(one[f"peak_{s}gib"] - one["weights_gib"], 0.0) for s in ("", "own_"))
        yield render_table_row(
            *(f"`{one['way']}`", f"{one['weights_gib']:.2f} GiB"),
            *(f"{one[f'{k}_gib']:.2f} and {one[f'{k}_own_gib']:.2f}" for k in ("held", "peak")),
            " and ".join(f"{gib:.2f}" for gib in beside),
        )


def _step_caches(result: Result) -> Iterator[str]:
    count = len(result["prompts"])
    yield f"{count} videos of `doodle`, each with a seed of its own, against the exact ones of as"
    yield "many steps."
    yield ""
    yield from render_table_head(
        "cache", "steps", "threshold or interval", "calls left out", "PSNR, median", "least"
    )
    for one in sorted(result["rows"], key=lambda row: (row["variant"], row["steps"], row["level"])):
        cells = (one["variant"], str(one["steps"]), f"{one['level']:g}", f"{one['left_out']:.0%}")
        yield render_table_row(*cells, *_decibels(one))


def _accelerations(result: Result) -> Iterator[str]:
    yield f"Eight videos of `{result['model']}`, against the exact ones of as many steps."
    yield ""
    others = result["others"]
    yield from render_table_head("what", "steps", "PSNR, median", "least")
    for name, title in (("fp8", "fp8"), ("exact", "both passes of a step as one batch (`exact`)")):
        yield render_table_row(title, str(others[name]["steps"]), *_decibels(others[name]))


def _quantization(result: Result) -> Iterator[str]:
    count = len(result["prompts"])
    yield f"{count} videos of `{result['model']}` in {result['steps']} steps, with the weights of"
    yield "one kind of layer in a format, against those with full weights."
    yield ""
    yield from render_table_head("layers", "format", "PSNR, median", "least", "SSIM, median")
    for one in result["rows"]:
        cells = (one["layers"], f"`{one['format']}`", *_decibels(one), f"{one['ssim_median']:.4f}")
        yield render_table_row(*cells)
    yield ""
    yield "One layer in a true shape of Wan 2.1 1.3B, with random weights: how far its output is"
    yield "from the exact one (signal to noise)."
    yield ""
    kinds = list(dict.fromkeys(one["layer"] for one in result["layers"]))
    found = {(one["format"], one["layer"]): one["snr_db"] for one in result["layers"]}
    yield from render_table_head("format", *kinds)
    for format_ in dict.fromkeys(one["format"] for one in result["layers"]):
        yield render_table_row(f"`{format_}`", *(f"{found[format_, kind]} dB" for kind in kinds))


def _decibels(one: Result) -> tuple[str, str]:
    """Return the median and the least as words."""
    return f"{one['psnr_db_median']} dB", f"{one['psnr_db_least']} dB"


def _overhead(result: Result) -> Iterator[str]:
    call = result["call"]
    size = f"{call['num_frames']} frames of {call['width']}x{call['height']}"
    tiny, times = result["tiny"], len(result["runs"]["tiomagic"])
    yield f"A call of {result['what']}: {size}, {call['num_inference_steps']}"
    yield f"steps on one core, {times} times each in turn; and one of {tiny['num_inference_steps']}"
    yield "steps. The budget is 2 % of the long run, and 5 % of the memory."
    yield ""
    yield from render_table_head("measure", "by hand", "tiomagic")
    kinds = (("wall_s", "wall time"), ("cpu_s", "CPU time"), ("outside_s", "outside the pipeline"))
    for run, title in ((result, ""), (tiny, "short run, ")):
        for kind, label in kinds:
            sides = (run[kind][side] for side in ("by_hand", "tiomagic"))
            cells = (f"{s['median']:.2f} s ({s['min']:.2f} to {s['max']:.2f})" for s in sides)
            yield render_table_row(title + label, *cells)
    peak = result["peak_memory"]
    yield render_table_row(
        "peak memory", *(f"{peak[side]:.0f} MiB" for side in ("by_hand", "tiomagic"))
    )
    more = result["overhead_outside_the_pipeline_percent"]
    same = "the same bit for bit" if result["same_frames_bit_for_bit"] else "not the same"
    yield ""
    yield f"Both call the same pipeline, and the frames are {same}. The work outside the pipeline"
    yield f"takes {more:.2f} % of a long run more than by hand. The other differences are those of"
    yield "the machine, and the time that `exact` saves: a guided step is one batch (CFG batching)."
    yield f"Memory: {peak['overhead_percent']:+.1f} %."


def _previews(result: Result) -> Iterator[str]:
    run = result["run"]
    yield f"A run of `doodle` with {run['steps']} steps and {run['previews']} previews takes"
    yield f"{run['run_s']:.1f} s of one core, of which the previews take {run['percent']} %. One is"
    yield f"drawn after at least {run['every_steps']} steps and {run['every_s']} s, and after a"
    yield "pause of 100 times what the last one took, so that they take no more than about"
    yield f"{run['largest_percent']:.0f} % of any run. One"
    yield "drawing, of latents in the shapes of real models:"
    yield ""
    yield from render_table_head("latents of", "one core", "the file")
    for name, one in result["drawings"].items():
        yield render_table_row(name, f"{one['ms']} ms", f"{one['bytes'] / 1000:.1f} kB")


def _startup(result: Result) -> Iterator[str]:
    yield from render_table_head(
        "", "median", "least to most", "over the bare interpreter", "budget"
    )
    for name, one in result["times"].items():
        over = f"{one['over_bare_ms']:.0f} ms" if "over_bare_ms" in one else ""
        budget = f"{one['budget_ms']} ms" if "budget_ms" in one else ""
        spread = f"{one['least_ms']:.0f} to {one['most_ms']:.0f} ms"
        yield render_table_row(name, f"{one['median_ms']:.0f} ms", spread, over, budget)


def _store(result: Result) -> Iterator[str]:
    yield from render_table_head("operation", "median", "95 of 100 within")
    for count, one in result["add"].items():
        label = f"store a job, with {int(count):,} stored"
        yield render_table_row(label, f"{one['median']:.2f} ms", f"{one['p95']:.2f} ms")
    for name, one in result["list_newest_50_of_100000"].items():
        label = f"list 50 of 100,000: {name}"
        yield render_table_row(label, f"{one['median']:.2f} ms", f"{one['p95']:.2f} ms")


def _continuing(result: Result) -> Iterator[str]:
    yield (
        "`doodle` makes loops of a picture and continues half a clip. The seam is compared with "
        "the\nmedian step between frames ([what that is](continue.md#how-well-the-parts-meet))."
    )
    for title, kind in (("motion that returns", "loops"), ("other motion", "one_way")):
        rows = sorted(result[kind], key=lambda row: row["ratio"])
        good = sum(row["ratio"] <= SEAM_LIMIT for row in rows)
        yield from ("", f"Loops, {title}: {good} of {len(rows)} up to {SEAM_LIMIT}.", "")
        yield from render_table_head("prompt", "seam", "median step", "ratio")
        for row in rows:
            cells = (row["rmse"], row["median_step_rmse"], row["ratio"])
            yield render_table_row(row["prompt"], *(f"{cell:.2f}" for cell in cells))
    yield from ("", "Continued shots; the way along the direction of the prompt, in pixels:", "")
    yield from render_table_head("prompt", "old part", "new part", "ratio")
    for row in sorted(result["shots"], key=lambda row: row["ratio"]):
        way = (f"{row['old_px']:.1f}", f"{row['new_px']:.1f}", f"{row['ratio']:.2f}")
        yield render_table_row(row["prompt"], *way)


def _origin(name: str, result: Result) -> str:
    machine = result["machine"]
    chip = machine.get("gpu", {}).get("name") or machine.get("processor") or machine.get("cpu")
    versions = {**machine, **result.get("versions", {})}
    known = ("torch", "diffusers", "python", "sqlite")
    told = ", ".join(f"{key} {versions[key]}" for key in known if key in versions)
    load = machine.get("load_at_end", result.get("load_average_1min_at_end"))
    busy = "" if load is None else f"; load {load:.1f} on {machine['cores']} cores at the end"
    return f"*{chip}, {result['date'][:10]}: {told}{busy}.* `{RESULTS}/{name}.json`"


MEASURED_ON_GPUS = frozenset(
    {
        *("gpu", "gpu_pipelines_ltx", "gpu_pipelines_cogvideox", "gpu_pipelines_wan"),
        *("gpu_card", "gpu_quantized", "gpu_offload", "parallel"),
    }
)
"""Results of ``benchmarks/gpu.py`` that the page has a place for before they are there."""

SECTIONS: tuple[tuple[str, str, Callable[[Result], Iterator[str]]], ...] = (
    ("All measurements on a GPU", "gpu", render_parts),
    ("Large models on a GPU", "gpu_pipelines", _gpu),
    ("More large models on a GPU", "gpu_pipelines_more", _gpu),
    ("LTX-Video on a GPU", "gpu_pipelines_ltx", _gpu),
    ("CogVideoX on a GPU", "gpu_pipelines_cogvideox", _gpu),
    ("fp8, compiled turbo and tiles on a GPU", "gpu_pipelines_wan", _gpu),
    ("Attention on a GPU", "gpu_card", render_card),
    ("Weights in fewer bits on a GPU", "gpu_quantized", render_quantized),
    ("Memory plans on a GPU", "gpu_offload", render_offload),
    ("Several GPUs together", "parallel", render_parallel),
    ("From the files to the GPU", "loading", _loading),
    ("What loading takes of main memory", "main_memory", _main_memory),
    ("Step caches", "step_caches", _step_caches),
    ("fp8, and both passes as one batch", "accelerations", _accelerations),
    ("What weights in fewer bits lose", "quantization", _quantization),
    ("What tiomagic adds to a pipeline", "overhead", _overhead),
    ("Previews", "previews", _previews),
    ("Start", "startup", _startup),
    ("The store of jobs", "store", _store),
    ("Loops and continued shots", "continuing", _continuing),
)
