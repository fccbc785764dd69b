"""Stage 2: draw clips and keep their latents. `python -m training.cache --help`.

Each clip may be asked for by its words alone, and has one condition of its own
beside that (kept frames, or a skeleton and a reference). Everything is written to
arrays in half precision that the next stage maps into memory.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from training import autoencoder as ae
from training import whole
from training.conditions import TASKS, Conditions
from training.config import SETUPS, Setup
from training.world import prompts, render, scenes

FIGURES = 0.35
"""Share of clips with a stick figure."""
FREE_COLOURS = 0.5
"""Share of clips whose colours have no name: for these only a picture can carry them."""
WORDINGS = 3
"""Prompts kept for each clip; more clips are worth more than more wordings."""


def main(argv: list[str] | None = None) -> None:
    """Draw and encode `--clips` clips; goes on where an earlier run stopped."""
    args = _arguments(argv)
    setup = SETUPS[args.setup]
    torch.set_num_threads(args.threads)
    vae = AutoencoderKLWan.from_pretrained(args.work / "vae").eval()
    vae = ae.channels_last(vae).to(args.device).requires_grad_(False)
    whole.use_fast_norms(vae)
    conditions = Conditions(vae, setup, args.device)
    folder = args.work / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(args.clips // args.shard)
    begun = time.monotonic()
    for shard in shards:
        if (folder / f"{shard:04d}.json").exists():
            continue
        _write_shard(folder, shard, args.shard, conditions, setup, args.seed)
        print(f"shard {shard + 1}/{len(shards)}, {time.monotonic() - begun:.0f} s", flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default="small")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained `vae`")
    parser.add_argument("--clips", type=int, default=4_000)
    parser.add_argument("--shard", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


def _draw(rng: np.random.Generator) -> tuple[scenes.Scene, str]:
    """A scene and the task of which its own condition is."""
    figure = rng.uniform() < FIGURES
    scene = scenes.draw_scene(rng, figure=figure, free_colours=rng.uniform() < FREE_COLOURS)
    weights = (0, 0.15, 0.15, 0.7) if figure else (0, 0.5, 0.5, 0)
    return scene, str(rng.choice(TASKS, p=weights))


def _write_shard(
    folder: Path, shard: int, count: int, conditions: Conditions, setup: Setup, seed: int
) -> None:
    rng = np.random.default_rng((seed, shard))
    drawn = [_draw(rng) for _ in range(count)]
    targets, owns, references = [], [], []
    for first in range(0, count, 8):
        part = drawn[first : first + 8]
        clips = np.stack([render.render_clip(s, setup.size, setup.frames) for s, _ in part])
        targets.append(conditions.encode(ae.to_tensor(clips), fast=True))
        own = [_own_video(clip, *item, setup) for clip, item in zip(clips, part, strict=True)]
        owns.append(conditions.encode(torch.cat(own), fast=True))
        pictures = np.stack([render.render_reference(s, setup.size) for s, _ in part])
        references.append(conditions.encode(ae.to_tensor(pictures[:, None]), fast=True))
    for name, parts in (("target", targets), ("own", owns), ("reference", references)):
        np.save(folder / f"{shard:04d}.{name}.npy", torch.cat(parts).half().numpy())
    notes = [
        {
            "task": task,
            "words": [prompts.describe(scene, rng) for _ in range(WORDINGS)],
            "scene": asdict(scene),
        }
        for scene, task in drawn
    ]
    (folder / f"{shard:04d}.json").write_text(json.dumps(notes))


def _own_video(clip: np.ndarray, scene: scenes.Scene, task: str, setup: Setup) -> torch.Tensor:
    """The video behind a clip's own condition, (1, 3, T, H, W)."""
    if task == "pose_guidance":
        return ae.to_tensor(render.render_skeleton(scene, setup.size, setup.frames)[None])
    x = ae.to_tensor(clip[None])
    x[:, :, 1 : (-1 if task == "interpolate" else None)] = 0
    return x


if __name__ == "__main__":
    main()
