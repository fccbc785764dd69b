"""Step caches: how much each leaves out, and how far its videos are from the exact ones.

The shipped model makes the same videos with each cache over the range of its threshold, in 30 and
in 50 steps, and they are compared with the exact ones::

    uv run python benchmarks/step_caches.py

Each video is a line of ``--rows``, so that a run that was stopped goes on where it was. Two
processes share the videos with ``--part 0/2`` and ``--part 1/2``; ``--report`` then writes
``benchmarks/results/step_caches.json`` and the plot of it in the docs. ``--cache-dit FOLDER``
measures the package cache-dit as well, which lies in a folder of its own and is no dependency.

``fast`` takes what this says (``FAST_LEVELS`` in the domain): of the caches whose videos keep 30 dB
in the median in 30 and in 50 steps, the one that leaves the most calls out. A tiny model is no
large one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch
from frontier_plot import draw_frontier

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.acceleration import Acceleration
from tiomagic_domain.features import Feature, TextToVideoInputs
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

PLOT = Path(__file__).parents[1] / "docs" / "images" / "step_caches.svg"
MODEL, FEATURE = "doodle", Feature.TEXT_TO_VIDEO
STEPS = (30, 50)
PROMPTS = (
    "a red circle moves right on a white background",
    "a blue square bounces on a mint background",
    "a green triangle spins on a night background",
    "an orange star grows on a sky background",
    "a purple stick figure walks left on a white background",
    "a pink stick figure waves on a grey background",
    "a yellow circle shrinks on a night background",
    "a black star moves up on a mint background",
    "a red square moves down on a sky background",
    "a green stick figure jumps on a white background",
    "a blue triangle grows on a grey background",
    "an orange circle bounces on a night background",
)
FIRST_SEED = 100
"""Of the first prompt; each has its own. The calibration is of other prompts and seeds."""
EXACT = Acceleration(batch_guidance="off")

THRESHOLDS = {
    "first_block": (0.08, 0.14, 0.2),
    "mag": (0.15, 0.25, 0.4, 0.8),
    "sea": (0.3, 0.6, 1.2),
    "taylor": (3, 4, 6),
    "cache-dit": (0.1, 0.2, 0.4),
}
VARIANTS: dict[str, tuple[str, dict[tuple[Any, str], Any]]] = {
    "taylor": ("taylor", {}),
    "sea": ("sea", {}),
    "mag": ("mag", {}),
    "first_block": ("first_block", {}),
    "cache-dit, taylor": ("cache-dit", {}),
    "cache-dit": ("cache-dit", {}),
}
"""What is measured: the cache, and constants that differ from its own."""

Key = tuple[str, float, int, int]


class VideoMaker:
    """Makes videos with the shipped model."""

    def __init__(self) -> None:
        self._card = find_model(MODEL, FEATURE)
        optional = self._card.schema(FEATURE).parameters
        settled = [parameter for parameter in optional if parameter.default is not UNSET]
        self._settings = {parameter.name: parameter.default for parameter in settled}
        self._runtime = Runtime(LocalOptions(device="cpu"))
        self._exact: dict[tuple[int, int], np.ndarray] = {}

    def make(
        self, steps: int, index: int, wanted: Acceleration, other: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the frames of a prompt, uint8 (T, H, W, 3), with what was left out."""
        settings = {
            **self._settings,
            "num_inference_steps": steps,
            "seed": FIRST_SEED + index,
            "acceleration": wanted.to_dict(),
        }
        token = NeverCanceled()
        with self._runtime.use(self._card, settings, ignore_progress, token) as loaded:
            inputs = TextToVideoInputs(prompt=PROMPTS[index])
            pipeline = loaded.engine._pipeline  # noqa: SLF001 - its only name.
            self._remember_grey(pipeline.vae)
            with other(pipeline) if other else contextlib.nullcontext({}) as facts:
                clip = loaded.engine.text_to_video(inputs, settings, ignore_progress, token)
        return np.asarray(clip.frames), facts or loaded.running.facts().get("cache", {})

    def _remember_grey(self, vae: Any) -> None:
        """Have the empty control video encoded once: the same for all, and a sixth of the work."""
        if "encode" in vars(vae):
            return
        encode, known = vae.encode, {}

        def remembering(video: torch.Tensor, *given: Any, **named: Any) -> Any:
            key = (video.shape, float(video.sum()))
            if key not in known:
                known[key] = encode(video, *given, **named)
            return known[key]

        vae.encode = remembering

    def exact(self, steps: int, index: int) -> np.ndarray:
        """Return the exact frames of a prompt."""
        if (steps, index) not in self._exact:
            self._exact[steps, index] = self.make(steps, index, EXACT)[0]
        return self._exact[steps, index]

    def measure(self, variant: str, level: float, steps: int, index: int) -> dict[str, Any]:
        """Return one row: what one video leaves out, and how far it is from the exact one."""
        kind, constants = VARIANTS[variant]
        exact = self.exact(steps, index)
        wanted, other = EXACT, None
        if kind == "cache-dit":
            other = cache_dit(level, taylor=variant.endswith("taylor"))
        else:
            field = "cache_interval" if kind == "taylor" else "cache_threshold"
            wanted = Acceleration(cache=kind, batch_guidance="off", **{field: level})
        with constants_set(constants):
            frames, facts = self.make(steps, index, wanted, other)
        return {
            "variant": variant,
            "level": level,
            "steps": steps,
            "video": index,
            "computed": facts["computed"],
            "skipped": facts["skipped"],
            "psnr_db": min(round(psnr(frames, exact), 2), 99.0),
        }


@contextlib.contextmanager
def constants_set(constants: dict[tuple[Any, str], Any]) -> Iterator[None]:
    """Have other constants in modules for the time of the block."""
    before = {(module, name): getattr(module, name) for module, name in constants}
    try:
        for (module, name), value in constants.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


def cache_dit(threshold: float, *, taylor: bool) -> Any:
    """Return what turns the cache of cache-dit on for a pipeline, and counts its calls."""

    @contextlib.contextmanager
    def on(pipeline: Any) -> Iterator[dict[str, int]]:
        import cache_dit as package

        facts: dict[str, int] = {}
        # One first block, as our own cache has; all else is its default for Wan.
        config = package.DBCacheConfig(
            Fn_compute_blocks=1, Bn_compute_blocks=0, residual_diff_threshold=threshold
        )
        trend = package.TaylorSeerCalibratorConfig(taylorseer_order=1) if taylor else None
        package.enable_cache(pipeline, cache_config=config, calibrator_config=trend)
        try:
            yield facts
            stats = package.summary(pipeline, logging=False)[0]
            both = [*stats.cached_steps, *stats.cfg_cached_steps]
            calls = 2 * pipeline.scheduler.num_inference_steps
            facts |= {"skipped": len(both), "computed": calls - len(both)}
        finally:
            package.disable_cache(pipeline)

    return on


def psnr(frames: np.ndarray, exact: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal frames."""
    error = float(((frames.astype(float) - exact) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def read(rows: Path) -> dict[Key, dict[str, Any]]:
    """Return the rows that are there, the newest of each."""
    lines = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    found = [json.loads(line) for line in lines]
    return {(one["variant"], one["level"], one["steps"], one["video"]): one for one in found}


def measure(given: argparse.Namespace, variants: list[str]) -> None:
    """Append the rows that are missing of a part of the videos."""
    rows, maker = given.rows, VideoMaker()
    done = read(rows)
    part, _, parts = given.part.partition("/")
    for steps in given.steps:
        for variant in variants:
            for level in THRESHOLDS[VARIANTS[variant][0]][:: given.every]:
                for index in range(int(part), given.videos, int(parts)):
                    if (variant, level, steps, index) in done:
                        continue
                    row = maker.measure(variant, level, steps, index)
                    with rows.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line for each cache, threshold and number of steps."""
    groups: dict[tuple[str, int, float], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["variant"], row["steps"], row["level"]].append(row)
    lines = []
    for (variant, steps, level), found in sorted(groups.items()):
        if len(found) < len(PROMPTS):
            continue  # Not yet measured.
        calls = sum(one["computed"] + one["skipped"] for one in found)
        distances = [one["psnr_db"] for one in found]
        lines.append(
            {
                "variant": variant,
                "steps": steps,
                "level": level,
                "videos": len(found),
                "left_out": round(sum(one["skipped"] for one in found) / calls, 4),
                "psnr_db_median": round(statistics.median(distances), 1),
                "psnr_db_least": round(min(distances), 1),
            }
        )
    return lines


def main() -> None:
    """Measure, or write the result of what is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=Path("step_caches.jsonl"))
    parser.add_argument("--part", default="0/1", help="this process' videos, such as 0/2")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=None)
    parser.add_argument("--videos", type=int, default=len(PROMPTS), help="the first ones only")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--every", type=int, default=1, help="1 for all thresholds, 2 for half")
    parser.add_argument("--cache-dit", type=Path, help="folder with the package cache-dit")
    parser.add_argument("--report", action="store_true", help="write the result, measure nothing")
    given = parser.parse_args()
    if given.report:
        lines = summarise(list(read(given.rows).values()))
        PLOT.write_text(draw_frontier(lines), encoding="utf-8")
        print(report.write("step_caches", {"what": __doc__, "prompts": PROMPTS, "rows": lines}))
        return
    if given.cache_dit:
        sys.path.append(str(given.cache_dit))
    torch.set_num_threads(1)
    ours = [one for one in VARIANTS if given.cache_dit or not one.startswith("cache-dit")]
    measure(given, given.variants or ours)


if __name__ == "__main__":
    main()
